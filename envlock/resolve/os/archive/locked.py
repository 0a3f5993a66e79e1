"""What a lock's packages were chosen from: the signed Releases, and the indexes they vouch for.

For those who are to verify the chain again, from the archive's keys to each .deb, without us.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from envlock.errors import DiskError, SourceError, UsageError, VerificationError
from envlock.io.http.client import Http
from envlock.io.http.fetch import fetch
from envlock.io.progress import Reporter
from envlock.lock.os import OsArchive, OsLayer
from envlock.resolve.os.archive.archive import Opening, verify_signed, with_parts
from envlock.resolve.os.archive.mirrors import Mirrors
from envlock.resolve.os.archive.release import Release
from envlock.resolve.os.archive.signed import Question, Signed, SignedReleases
from envlock.resolve.os.archive.snapshot import parse_timestamp, timestamp
from envlock.resolve.os.archive.suite import Variant, VerifiedSuite
from envlock.resolve.os.archive.trust import Keyring
from envlock.resolve.os.archive.unpack import SUFFIXES
from envlock.resolve.os.distributions.distribution import Suite, parse_base

_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = b"\n-----BEGIN PGP SIGNATURE-----"
_REMEDY = "check the network, or name a mirror in [tool.envlock.os] that has it"


class _GoneError(SourceError):
    """Nobody has a Release or an index; who only keeps them may do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """A file as an archive had it.

    ``moment`` is the instant of that state (``20260301T000000Z``), ``path`` where the file was in
    it (``dists/bookworm/InRelease``). ``content`` are its bytes, or None: the store has them.
    """

    archive: str
    moment: str
    path: str
    sha256: str
    content: bytes | None = None


def moment_of(archive: OsArchive) -> str:
    """The instant by which the state of a lock's archive is named: a mirror's has its Release's."""
    return archive.snapshot or timestamp(archive.release_date)


def archived_files(
    layer: OsLayer,
    as_of: datetime,
    mirrors: Mirrors,
    keyring: Keyring | None,
    http: Http,
    reporter: Reporter,
    *,
    sources: bool,
) -> tuple[ArchivedFile, ...]:
    """The signed Release of each of the layer's archives, and its package indexes.

    Each Release is the locked one, verified again, and each index is what it says. Of the forms in
    which an index is offered it is the same one each time: the best that there is.

    Args:
        layer: of the lock.
        as_of: the lock's date (UTC).
        mirrors: where to ask.
        keyring: the keys to trust instead of the shipped ones and this machine's.
        http: for all transfers.
        reporter: told of an index that nobody has any more in that form.
        sources: with the indexes of source packages.

    Raises:
        SourceError: nobody has them.
        VerificationError: a file is not what it must be.
    """
    architectures = tuple(sorted({package.architecture for package in layer.packages}))
    found: list[ArchivedFile] = []
    try:
        for archive, signed, suite in _opened(layer, as_of, architectures, mirrors, keyring, http):
            found += _release_files(archive, signed)
            paths = _paths(archive, architectures, sources=sources)
            found += _indexes(suite, archive, paths, http, reporter)
    except _GoneError as error:
        remedy = f"{_REMEDY}, or do without: --without indexes"
        raise SourceError(error.what, where=error.where, remedy=remedy) from None
    return tuple(found)


def locked_suites(
    layer: OsLayer,
    as_of: datetime,
    architecture: str,
    mirrors: Mirrors,
    keyring: Keyring | None,
    http: Http,
) -> tuple[VerifiedSuite, ...]:
    """The layer's archives as they were locked, in the distribution's order, with their package
    indexes for one architecture; a Release that this machine ever saw is not asked for.

    Args and errors as for `archived_files`.
    """
    order = [suite.name for suite in parse_base(layer.base).suites]
    opened = _opened(layer, as_of, (architecture,), mirrors, keyring, http)
    suites = (with_parts(suite, (architecture,), http) for _, _, suite in opened)
    return tuple(sorted(suites, key=lambda suite: order.index(suite.suite.name)))


def _opened(
    layer: OsLayer,
    as_of: datetime,
    architectures: tuple[str, ...],
    mirrors: Mirrors,
    keyring: Keyring | None,
    http: Http,
) -> Iterator[tuple[OsArchive, Signed, VerifiedSuite]]:
    base = parse_base(layer.base)
    opening = Opening(
        base=base, as_of=as_of, architectures=architectures, mirrors=mirrors, keyring=keyring
    )
    now = datetime.now(UTC)
    client = SignedReleases(http, mirrors, base.distribution, now)
    for archive in layer.archives:
        suite = Suite(archive=archive.archive, name=archive.suite)
        signed, release = _locked_release(archive, suite, opening, client, now)
        verified = VerifiedSuite(
            suite=suite,
            components=archive.components,
            timestamp=archive.snapshot,
            folder=signed.folder,
            release=release,
            mirrors=mirrors,
        )
        yield archive, signed, verified


def _locked_release(
    archive: OsArchive, suite: Suite, opening: Opening, client: SignedReleases, now: datetime
) -> tuple[Signed, Release]:
    """The very Release that the lock names by digest."""
    failure: Exception | None = None
    for signed in _candidates(archive, suite, opening, client):
        if isinstance(signed, SourceError | UsageError):
            failure = signed
            continue
        question = Question(suite=suite, as_of=opening.as_of)
        with suppress(VerificationError):  # another state, or other keys
            release = verify_signed(signed, question, opening, now)
            if release.verified.sha256 == archive.release_sha256:
                client.remember(release.verified.sha256, signed)
                return signed, release
    because = f": {failure}" if failure is not None else ""
    raise _GoneError(
        f"nobody has the signed Release of {suite.name} that was locked{because}",
        where=f"{archive.archive}, {archive.release_date:%Y-%m-%d %H:%M} UTC",
        remedy=_REMEDY,
    )


def _candidates(
    archive: OsArchive, suite: Suite, opening: Opening, client: SignedReleases
) -> Iterator[Signed | SourceError | UsageError]:
    """Where the Release may be, nearest first: asked for only when the one before was not it."""
    question = Question(suite=suite, as_of=opening.as_of)
    for kept in (client.remembered(archive.release_sha256), client.kept(question)):
        if kept is not None:
            yield kept
    if archive.snapshot is None:
        yield from client.again(question)
        return
    try:
        yield client.ask(Question(suite=suite, as_of=parse_timestamp(archive.snapshot)))
    except (SourceError, UsageError) as error:
        yield error


def _release_files(archive: OsArchive, signed: Signed) -> Iterator[ArchivedFile]:
    contents = {"InRelease": signed.content}
    if signed.signature is not None:
        contents = {"Release": signed.content, "Release.gpg": signed.signature}
    for name, content in contents.items():
        yield ArchivedFile(
            archive=archive.archive,
            moment=moment_of(archive),
            path=f"dists/{archive.suite}/{name}",
            sha256=hashlib.sha256(content).hexdigest(),
            content=content,
        )


def _paths(archive: OsArchive, architectures: Sequence[str], *, sources: bool) -> Iterator[str]:
    for component in archive.components:
        for architecture in architectures:
            yield f"{component}/binary-{architecture}/Packages"
        if sources:
            yield f"{component}/source/Sources"


def _indexes(
    suite: VerifiedSuite,
    archive: OsArchive,
    paths: Iterable[str],
    http: Http,
    reporter: Reporter,
) -> Iterator[ArchivedFile]:
    for path in paths:
        variants = sorted(suite.variants(path), key=lambda v: SUFFIXES.index(v.suffix))
        if not variants:
            continue  # the suite has none for it, as the lock did not need it
        chosen = _brought(variants, http)
        if chosen is not variants[0]:
            reporter.note(
                f"nobody has {variants[0].wanted.name} any more: {chosen.wanted.name} is taken, and"
                " the bundle is another one than with it"
            )
        yield ArchivedFile(
            archive=archive.archive,
            moment=moment_of(archive),
            path=f"dists/{archive.suite}/{path}{chosen.suffix}",
            sha256=chosen.wanted.sha256,
        )


def _brought(variants: Sequence[Variant], http: Http) -> Variant:
    """The first form that anybody has; it is in the store."""
    failure: SourceError | None = None
    for variant in variants:
        try:
            fetch(http, variant.wanted)
        except DiskError:
            raise
        except SourceError as error:
            failure = failure or error
            continue
        return variant
    assert failure is not None  # noqa: S101 - there is at least one form
    raise _GoneError(failure.what, where=failure.where, remedy=_REMEDY)


def signed_text(content: bytes) -> bytes:
    """What a Release says, of which a lock has the digest, out of an ``InRelease`` or as it is.

    No signature is verified: the digest is to be compared with one that is known.
    """
    text = content.replace(b"\r\n", b"\n")
    if text.startswith(_BEGIN):
        _, _, text = text.partition(b"\n\n")
        text = text.rpartition(_SIGNATURE)[0]
        lines = (line.removeprefix(b"- ") for line in text.split(b"\n"))
        text = b"\n".join(lines)
    return text.rstrip(b"\n") + b"\n"
