"""The lock against the archives that its OS packages came from, and the registry of its image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from envlock.check.drift import Code, Drift, drift
from envlock.check.online.python import ask_all
from envlock.errors import MissingError, SourceError, VerificationError
from envlock.io.http.client import Http
from envlock.io.http.fetch import Wanted
from envlock.io.http.reach import Reached, first_there
from envlock.io.images.reference import Reference, parse_reference
from envlock.io.images.registry import Registry
from envlock.io.progress import Reporter
from envlock.lock.image import BaseImage
from envlock.lock.model import Lock
from envlock.lock.os import OsArchive, OsLayer
from envlock.resolve.os.archive.archive import default_keyring
from envlock.resolve.os.archive.locate import locate_files, lock_mirrors
from envlock.resolve.os.archive.mirrors import Mirrors
from envlock.resolve.os.archive.snapshot import SnapshotClient, parse_timestamp
from envlock.resolve.os.archive.trust import (
    Keyring,
    Subject,
    Verified,
    read_keyring,
    verify_detached,
    verify_inrelease,
)
from envlock.resolve.os.distributions.distribution import parse_base


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How archives are asked: the project's folder, its own mirrors and its own keys."""

    root: Path
    mirrors: Sequence[str] = ()
    keyring: str | None = None


def compare_archives(
    lock: Lock, asking: Asking, http: Http, reporter: Reporter
) -> tuple[Drift, ...]:
    """Whether the locked Releases are served still, with their digest, and all .debs are there.

    What was locked from a live mirror has no Release that stays; its .debs are asked for alone.
    Public snapshot services are asked no faster than they like it.

    Raises:
        SourceError: someone gives no answer; names them.
        UsageError: a mirror or keyring that the project names cannot be used.
    """
    layer = lock.os
    if layer is None:
        return ()
    base = parse_base(layer.base)
    keys = asking.keyring and read_keyring(asking.root / asking.keyring)
    mirrors = lock_mirrors(layer, asking.root, given=asking.mirrors, keyring=asking.keyring)
    dated = [archive for archive in layer.archives if archive.snapshot is not None]
    reporter.step(f"asking for {len(dated)} states of archives")
    releases = ask_all(
        lambda one: _release(one, mirrors, keys or default_keyring(base), http), dated, reporter
    )
    found = [one for one in releases.values() if one is not None]
    return (*found, *_packages(layer, lock, mirrors, http, reporter))


def _release(archive: OsArchive, mirrors: Mirrors, keyring: Keyring, http: Http) -> Drift | None:
    """The difference of one suite at one instant; None: it is served as it was locked."""
    subject = f"{archive.suite} {archive.snapshot}"
    expected = f"Release sha256:{archive.release_sha256}"
    failure: SourceError | None = None
    said: str | None = None
    for mirror in mirrors.snapshots:
        try:
            verified = _verified(archive, SnapshotClient(mirror, http), keyring)
        except VerificationError as error:
            said = error.what
            continue
        except SourceError as error:
            failure = failure or error
            continue
        if verified is not None and verified.sha256 == archive.release_sha256:
            return None
        if verified is not None:
            said = f"sha256:{verified.sha256}"
    if said is None and failure is not None:
        raise failure
    return drift(Code.ARCHIVE_CHANGED, subject, expected=expected, found=said)


def _verified(archive: OsArchive, client: SnapshotClient, keyring: Keyring) -> Verified | None:
    folder = f"dists/{archive.suite}"
    moment = parse_timestamp(archive.snapshot or "")
    subject = Subject(suite=archive.suite, url=client.mirror.template)
    inline = client.get(archive.archive, moment, f"{folder}/InRelease")
    if inline is not None:
        return verify_inrelease(inline.response.body, keyring, subject)
    beside = [
        client.get(archive.archive, moment, f"{folder}/{n}") for n in ("Release", "Release.gpg")
    ]
    if beside[0] is None or beside[1] is None:
        return None
    return verify_detached(beside[0].response.body, beside[1].response.body, keyring, subject)


def _packages(
    layer: OsLayer, lock: Lock, mirrors: Mirrors, http: Http, reporter: Reporter
) -> list[Drift]:
    packages = {package.sha256: package for package in layer.packages}
    wanted = {
        one.sha256: one for one in locate_files(layer, packages.values(), (), mirrors, lock.as_of)
    }
    reporter.step(f"asking for {len(wanted)} packages of {layer.base}")

    def ask(sha256: str) -> Reached | None:
        one: Wanted = wanted[sha256]
        return first_there(http, one.urls, size=packages[sha256].size, before=one.before)

    answers = ask_all(ask, sorted(wanted), reporter)
    found = [
        drift(
            Code.PACKAGE_GONE,
            packages[sha256].name,
            expected=f"{wanted[sha256].name}, {packages[sha256].size} bytes",
        )
        for sha256, answer in answers.items()
        if answer is None
    ]
    return sorted(found, key=lambda d: d.sort_key)


def compare_base_image(image: BaseImage, http: Http, reporter: Reporter) -> tuple[Drift, ...]:
    """Whether the registry has the locked digests still, and what the tag names now.

    Raises:
        SourceError: the registry gives no answer.
    """
    reference = parse_reference(image.reference)
    reporter.step(f"asking {reference.registry} for {reference.repository}")
    found = []
    with Registry(http) as registry:
        digests = {image.digest: "", **{p.digest: f" {p.platform}" for p in image.platforms}}
        for digest, platform in digests.items():
            one = replace(reference, tag=None, digest=digest)
            if _digest(registry, one) is None:
                subject = f"{reference.name}{platform}"
                found.append(drift(Code.IMAGE_GONE, subject, expected=digest))
        if reference.digest is None:
            now = _digest(registry, reference)
            if now != image.digest:
                told = now or "nothing"
                found.append(
                    drift(Code.TAG_MOVED, str(reference), expected=image.digest, found=told)
                )
    return tuple(found)


def _digest(registry: Registry, reference: Reference) -> str | None:
    try:
        return registry.manifest(reference).digest
    except MissingError:
        return None
