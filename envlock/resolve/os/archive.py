"""A distribution's archive at an instant: verified suites and their package indexes.

The chain: the archive's keys → the signed Release → each index by the digest in the Release → each
.deb by the digest in the index. What comes from here has been verified that far.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from envlock.errors import SourceError, UsageError, VerificationError
from envlock.io.http import Http
from envlock.io.progress import Reporter, SilentReporter
from envlock.resolve.os.distribution import Base, Suite
from envlock.resolve.os.fetch import SUFFIXES, Wanted, fetch, fetch_all, stored, unpack
from envlock.resolve.os.index import IndexPart
from envlock.resolve.os.mirrors import Mirrors
from envlock.resolve.os.release import Listed, Release, judge_release, parse_release
from envlock.resolve.os.signed import Question, Signed, SignedReleases
from envlock.resolve.os.trust import (
    Keyring,
    Subject,
    Verified,
    machine_keyring,
    shipped_keyring,
    verify_detached,
    verify_inrelease,
)

INDEX_LIMIT = 1024 * 1024 * 1024
"""No package index unpacks to more bytes than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSuite:
    """A suite whose Release was verified and judged, with its indexes still to be fetched.

    Args:
        suite: its name, and its archive's.
        components: those asked for that it has.
        timestamp: the snapshot's, None when it came from a live mirror.
        release: the Release's content.
        mirrors: where its files can be had.
        parts: the package indexes, one per component and architecture.
    """

    suite: Suite
    components: tuple[str, ...]
    timestamp: str | None
    release: Release
    mirrors: Mirrors
    parts: tuple[IndexPart, ...]

    @property
    def sha256(self) -> str:
        """Digest of the verified Release."""
        return self.release.verified.sha256

    @property
    def date(self) -> datetime:
        """The Release's Date (UTC)."""
        return self.release.date

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Primary keys that signed it and count, sorted."""
        return self.release.verified.fingerprints

    def wanted(self, filename: str, sha256: str, size: int) -> Wanted:
        """A file of the pool (``Filename``, ``SHA256`` and ``Size`` of an index), to be fetched."""
        roots = self.mirrors.roots(self.suite.archive, self.timestamp)
        return Wanted(
            name=filename.rpartition("/")[2],
            sha256=sha256,
            size=size,
            urls=tuple(f"{root}/{filename}" for root in roots),
            before=self.mirrors.before,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One of the forms that an index is offered in: how it is packed, and its file."""

    suffix: str
    wanted: Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What is opened, and how.

    Args:
        base: the distribution's release.
        as_of: the instant (UTC); None: now.
        architectures: Debian's names (``amd64``).
        components: the distribution's default ones when empty.
        mirrors: where to ask.
        keyring: the keys to trust instead of the shipped ones and this machine's.
        floors: suite's name → Date of a Release already seen for this or an earlier instant; an
            older one is refused.
    """

    base: Base
    as_of: datetime | None
    architectures: tuple[str, ...]
    components: tuple[str, ...] = ()
    mirrors: Mirrors
    keyring: Keyring | None = None
    floors: Mapping[str, datetime] = field(default_factory=dict)


def open_archive(
    opening: Opening,
    http: Http,
    *,
    reporter: Reporter | None = None,
    now: datetime | None = None,
) -> tuple[VerifiedSuite, ...]:
    """Every suite of the base, verified, in the distribution's order.

    Raises:
        UsageError: an unknown component or architecture, a suite that is not there, an instant
            before the first snapshot.
        SourceError: no mirror can be reached, or none has what it should.
        VerificationError: a signature, date, name or digest is not what it must be.
    """
    reporter = reporter or SilentReporter()
    moment = now or datetime.now(UTC)
    components = _components(opening)
    reporter.step(f"verifying {opening.base}")
    client = SignedReleases(http, opening.mirrors, opening.base.distribution, moment)
    suites = opening.base.suites
    with ThreadPoolExecutor(len(suites), thread_name_prefix="envlock-release") as pool:
        questions = [Question(suite=suite, as_of=opening.as_of) for suite in suites]
        jobs = [
            pool.submit(_open_suite, question, opening, client, components, http, moment)
            for question in questions
        ]
        opened = tuple(job.result() for job in jobs)
    _require(opened[0], opening, components)
    for suite in opened:
        for note in _gaps(suite, opening, components):
            reporter.note(note)
    return opened


def fetch_debs(
    http: Http, wanted: Iterable[Wanted], reporter: Reporter | None = None
) -> dict[str, Path]:
    """The packages' files in the store (digest → path), in parallel, resumed when cut.

    Raises:
        SourceError: nobody has one of them.
        VerificationError: one has other bytes than its index says.
    """
    if reporter is not None:
        reporter.step("fetching packages")
    return fetch_all(http, wanted, reporter)


def default_keyring(base: Base) -> Keyring:
    """The keys that envlock ships for the base's distribution."""
    return shipped_keyring(base.distribution.keyring)


def _open_suite(
    question: Question,
    opening: Opening,
    client: SignedReleases,
    components: Sequence[str],
    http: Http,
    now: datetime,
) -> VerifiedSuite:
    name = question.suite.name
    signed = client.kept(question)
    release = None
    if signed is not None:
        try:
            release = _verify(signed, question, opening, now)
        except VerificationError:
            signed = None  # damaged, or kept under other keys: ask again
    if signed is None or release is None:
        signed = client.ask(question)
        release = _verify(signed, question, opening, now)
        client.keep(question, signed)
    asked = [component for component in components if component in release.components]
    parts = [
        _part(name, component, architecture, release, signed, opening.mirrors, http)
        for component in asked
        for architecture in opening.architectures
        if architecture in release.architectures
    ]
    return VerifiedSuite(
        suite=question.suite,
        components=tuple(asked),
        timestamp=signed.timestamp,
        release=release,
        mirrors=opening.mirrors,
        parts=tuple(parts),
    )


def _verify(signed: Signed, question: Question, opening: Opening, now: datetime) -> Release:
    """The content of a signed Release: its signature first, then its date and name."""
    name = question.suite.name
    judged_at = now if opening.as_of is None else None
    subject = Subject(suite=name, url=signed.url, judged_at=judged_at)
    check = partial(_check, signed, subject)
    if opening.keyring is not None:
        verified = check(opening.keyring)
    else:
        distribution = opening.base.distribution
        try:
            verified = check(shipped_keyring(distribution.keyring))
        except VerificationError:
            # A distribution's newer keys may be on this machine already. They come second, so that
            # a lock names the same keys on every machine.
            own = machine_keyring(distribution.machine_keyrings)
            if own is None:
                raise
            verified = check(own)
    release = parse_release(verified, signed.url)
    return judge_release(
        release,
        name,
        where=signed.url,
        as_of=opening.as_of,
        now=now,
        floor=opening.floors.get(name),
    )


def _check(signed: Signed, subject: Subject, keyring: Keyring) -> Verified:
    if signed.signature is None:
        return verify_inrelease(signed.content, keyring, subject)
    return verify_detached(signed.content, signed.signature, keyring, subject)


def _part(
    suite: str,
    component: str,
    architecture: str,
    release: Release,
    signed: Signed,
    mirrors: Mirrors,
    http: Http,
) -> IndexPart:
    """An index by the digest of its text; where the Release does not say it, it is fetched now."""
    path = f"{component}/binary-{architecture}/Packages"
    variants = tuple(
        Variant(
            suffix=suffix,
            wanted=Wanted(
                name=f"{suite}/{listed.path}",
                sha256=listed.sha256,
                size=listed.size,
                urls=_index_urls(listed, release, signed),
                before=mirrors.before,
            ),
        )
        for suffix, listed in _packed(path, release, spared=mirrors.spared(signed.folder))
    )
    if not variants:
        raise SourceError(
            f"the Release of {suite} lists no packages of {component} for {architecture}",
            where=signed.url,
            remedy="use another mirror",
        )
    plain = release.file(path)
    load = partial(_load, http, variants, plain)
    sha256 = plain.sha256 if plain is not None else hashlib.sha256(load()).hexdigest()
    return IndexPart(
        suite=suite,
        component=component,
        architecture=architecture,
        sha256=sha256,
        priority=release.priority,
        packages=load,
    )


def _packed(path: str, release: Release, *, spared: bool) -> list[tuple[str, Listed]]:
    """Suffixes and entries of an index, in the order to try: those in the store, then the best.

    gzip unpacks three times as fast as xz and has a third more bytes: worth it from a mirror, not
    from a service that is to be spared.
    """
    order = SUFFIXES if spared else (".gz", *(suffix for suffix in SUFFIXES if suffix != ".gz"))
    listed = [(suffix, release.file(path + suffix)) for suffix in order]
    offered = [(suffix, entry) for suffix, entry in listed if entry is not None]
    return sorted(offered, key=lambda pair: not stored(pair[1].sha256).exists())


def _index_urls(listed: Listed, release: Release, signed: Signed) -> tuple[str, ...]:
    """By name and by digest: a live mirror may change under the name, a snapshot does not."""
    named = f"{signed.folder}/{listed.path}"
    if not release.by_hash:
        return (named,)
    hashed = f"{named.rpartition('/')[0]}/by-hash/SHA256/{listed.sha256}"
    return (hashed, named) if signed.timestamp is None else (named, hashed)


def _load(http: Http, variants: Sequence[Variant], plain: Listed | None) -> bytes:
    """The index's text, out of the store, fetched first if need be.

    Not every form that a Release lists is there: mirrors leave out the unpacked one.
    """
    failures: list[SourceError] = []
    for variant in variants:
        try:
            path = fetch(http, variant.wanted)
        except SourceError as error:
            failures.append(error)
            continue
        return _unpacked(path, variant, plain)
    raise failures[0]


def _unpacked(path: Path, variant: Variant, plain: Listed | None) -> bytes:
    wanted = variant.wanted
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read: {error.strerror}", where=str(path)) from None
    limit = plain.size if plain is not None else INDEX_LIMIT
    text = unpack(content, variant.suffix, limit=limit, where=wanted.urls[0])
    if plain is not None and hashlib.sha256(text).hexdigest() != plain.sha256:
        raise VerificationError(
            f"{wanted.name} unpacks to other bytes than the Release says",
            where=wanted.urls[0],
            remedy="do not use this mirror",
        )
    return text


def _components(opening: Opening) -> tuple[str, ...]:
    """The components to use, in the distribution's order."""
    distribution = opening.base.distribution
    for name in opening.components:
        if name not in distribution.components:
            raise _unknown("component", name, distribution.components, str(opening.base))
    for name in opening.architectures:
        if name not in distribution.architectures:
            raise _unknown("architecture", name, distribution.architectures, str(opening.base))
    asked = opening.components or distribution.default_components
    return tuple(name for name in distribution.components if name in asked)


def _unknown(kind: str, name: str, known: Sequence[str], where: str) -> UsageError:
    near = difflib.get_close_matches(name, known, n=1)
    listed = f"known: {', '.join(known)}"
    remedy = f"did you mean {near[0]}? {listed}" if near else listed
    return UsageError(f"unknown {kind} {name!r}", where=where, remedy=remedy)


def _require(main: VerifiedSuite, opening: Opening, components: Sequence[str]) -> None:
    """The main suite has all that is asked for."""
    for kind, asked, has in (
        ("component", components, main.release.components),
        ("architecture", opening.architectures, main.release.architectures),
    ):
        for name in asked:
            if name not in has:
                raise UsageError(
                    f"{main.suite.name} has no {kind} {name}",
                    where=str(opening.base),
                    remedy=f"it has {', '.join(has)}",
                )


def _gaps(suite: VerifiedSuite, opening: Opening, components: Sequence[str]) -> list[str]:
    """What a further suite lacks of what the main one has, for the user to know."""
    notes = []
    if opening.as_of is None and suite.timestamp is not None:
        notes.append(f"{suite.suite.name} comes from the snapshot of {suite.timestamp}: no mirror")
    lacks = [name for name in components if name not in suite.release.components]
    lacks += [name for name in opening.architectures if name not in suite.release.architectures]
    return notes + [f"{suite.suite.name} has nothing for {name}" for name in lacks]
