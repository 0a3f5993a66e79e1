"""Holds a bundle to its manifest, to its locks, and what it unpacked to the .debs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from envlock.errors import EnvlockError, UsageError
from envlock.io.progress import Reporter
from envlock.lock.artifacts import used_files
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.realise.bundle.images import Images
from envlock.realise.bundle.layout import (
    INDEX,
    MANIFEST,
    PROGRAMS,
    artifacts,
    is_index,
    program,
)
from envlock.realise.bundle.opened import (
    Opened,
    as_file,
    named,
    read_file,
    read_manifest,
    read_text,
    refused,
)
from envlock.realise.bundle.snapshots import wrong_states

_THREADS = 4
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A bundle in which everything is as it must be.

    Args:
        digest: of its manifest, in lower-case hex.
        files: how many the manifest lists.
        size: bytes of these.
        locks: path in the bundle → lock.
        other_programs: its programs that are not this envlock's own.
    """

    digest: str
    files: int
    size: int
    locks: Mapping[str, Lock]
    other_programs: tuple[str, ...]


def verify(bundle: Opened, reporter: Reporter, *, expected: str | None = None) -> Verified:
    """Verify all of a bundle; every file that is wrong is named.

    Args:
        bundle: as it was opened.
        reporter: told the bytes that were read, of all.
        expected: what the manifest's digest has to be, if that is known.

    Raises:
        UsageError: it is of a format that this envlock does not know.
        VerificationError: it is not what it must be.
    """
    listed = read_manifest(bundle)
    digest = hashlib.sha256(read_file(bundle, MANIFEST)).hexdigest()
    if expected is not None and digest != expected:
        raise refused(f"it is another bundle: the digest of {MANIFEST} is {digest}", bundle.place)
    problems = [*out_of_place(bundle, listed), *_changed(bundle, listed, reporter)]
    if problems:
        raise named(sorted(problems), bundle.place)
    if not is_index(read_text(bundle, INDEX)):
        raise UsageError(
            "a bundle of a format that this envlock does not know",
            where=str(bundle.place),
            remedy="upgrade envlock, or use the bundle's own rebuild.sh",
        )
    locks = {path: _lock(bundle, path) for path in listed if _is_lock(path)}
    problems = [
        *_misplaced(listed),
        *(text for path, lock in locks.items() for text in _lacking(path, lock, listed)),
        *_plans(bundle, listed, locks),
        *wrong_states(bundle, listed, locks.values()),
        *Images(bundle, locks.values(), artifacts(listed)).problems(),
        *_trees(bundle, listed, reporter),
    ]
    if problems:
        raise named(sorted(problems), bundle.place)
    return Verified(
        digest=digest,
        files=len(listed),
        size=sum(bundle.sizes[path] for path in listed),
        locks=locks,
        other_programs=tuple(_other_programs(listed)),
    )


def out_of_place(bundle: Opened, listed: Mapping[str, str]) -> Iterator[str]:
    """What the manifest lists and is not there, and the other way round."""
    for path in listed:
        if path not in bundle.sizes:
            yield f"missing: {path}"
    for path in bundle.sizes:
        if path not in listed and path != MANIFEST:
            yield f"not of the bundle: {path}"


def _is_lock(path: str) -> bool:
    return path.startswith("locks/") and path.endswith(".toml")


def _changed(bundle: Opened, listed: Mapping[str, str], reporter: Reporter) -> Iterator[str]:
    reporter.step("verifying")
    there = [path for path in listed if path in bundle.sizes]
    total, done = sum(bundle.sizes[path] for path in there), 0
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        for path, found in zip(there, pool.map(bundle.digest, there), strict=True):
            done += bundle.sizes[path]
            reporter.progress(done, total)
            if found != listed[path]:
                yield f"changed: {path}"


def _lock(bundle: Opened, path: str) -> Lock:
    from envlock.lock import codec

    return codec.load(read_text(bundle, path), where=f"{bundle.place}: {path}")


def _misplaced(listed: Mapping[str, str]) -> Iterator[str]:
    for path, digest in listed.items():
        parts = path.split("/")
        if parts[0] == "files" and (len(parts) != 3 or parts[1] != digest):
            yield f"not in the folder of its digest: {path}"


def _lacking(path: str, lock: Lock, listed: Mapping[str, str]) -> Iterator[str]:
    """What a lock needs and the bundle has not."""
    root = environment_hash(lock).root
    if path.split("/")[1] != root:
        yield f"not in the folder of its environment hash: {path}"
    there = {p.split("/")[1] for p in listed if p.startswith("files/")}
    used = used_files(lock, lock.targets)
    wanted = {
        **{f.file.sha256: f.file.name for f in used.python},
        **{d.sha256: d.file_name.rpartition("/")[2] for d in used.os},
        **{b.sha256: str(b) for b in used.interpreters},
    }
    for sha256, name in wanted.items():
        if sha256 not in there:
            yield f"missing: {name} (sha256 {sha256}), which {path} needs"


def _plans(bundle: Opened, listed: Mapping[str, str], locks: Mapping[str, Lock]) -> Iterator[str]:
    """What a target installs has to be files that the lock has for that package."""
    for path in listed:
        if not (path.startswith("locks/") and path.endswith(".json")):
            continue
        locked: dict[tuple[str, str], str | None] = {}
        for place, lock in locks.items():
            if place.split("/")[1] == path.split("/")[1]:
                locked |= {
                    (p.name, digest): p.version
                    for p in (*lock.packages, *lock.build_packages)
                    for digest in (
                        *(f.sha256 for f in p.files),
                        *((p.archive.sha256,) if p.archive else ()),
                    )
                }
        try:
            plan: dict[str, Any] = json.loads(read_text(bundle, path))
            for name, file, sha256 in _planned(plan["packages"]):
                if (name, sha256) not in locked or file.split("/")[1] != sha256:
                    yield f"{path}: {file} is not locked for {name}"
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            yield f"{path} is no plan of a target"


def _planned(packages: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Package, file and digest of everything that is installed or built."""
    for package in packages:
        for wheel in package["wheels"]:
            yield package["name"], wheel["file"], wheel["sha256"]
        build = package.get("build")
        if build is not None:
            yield package["name"], build["sdist"], build["sha256"]
            yield from _planned(build["requires"])


def _trees(bundle: Opened, listed: Mapping[str, str], reporter: Reporter) -> Iterator[str]:
    """Each unpacked archive has to be what its .deb unpacks to."""
    debs = {p.split("/")[1]: p for p in listed if p.startswith("files/") and p.endswith(".deb")}
    trees = [path for path in listed if path.startswith("trees/")]
    if not trees:
        return
    reporter.step("unpacking OS packages")

    def wrong(path: str) -> str | None:
        deb = debs.get(path.split("/")[1])
        if deb is None:
            return f"no .deb in the bundle is what it was unpacked from: {path}"
        return None if _unpacked_digest(bundle, deb) == listed[path] else f"not of {deb}: {path}"

    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        total, done = sum(bundle.sizes[path] for path in trees), 0
        for path, problem in zip(trees, pool.map(wrong, trees), strict=True):
            done += bundle.sizes[path]
            reporter.progress(done, total)
            if problem is not None:
                yield problem


def _unpacked_digest(bundle: Opened, deb: str) -> str | None:
    from envlock.realise.image.deb import unpacked_data

    digest = hashlib.sha256()
    try:
        with as_file(bundle, deb) as path, unpacked_data(path, deb) as data:
            while piece := data.read(_PIECE):
                digest.update(piece)
    except EnvlockError:
        return None
    return digest.hexdigest()


def _other_programs(listed: Mapping[str, str]) -> Iterator[str]:
    for name in PROGRAMS:
        if listed.get(name) != hashlib.sha256(program(name)).hexdigest():
            yield name
