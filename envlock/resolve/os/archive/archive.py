"""A distribution's archive at an instant: verified suites and their package indexes.

The chain: the archive's keys → the signed Release → each index by the digest in the Release → each
.deb by the digest in the index. What comes from here has been verified that far.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from envlock.errors import SourceError, UsageError, VerificationError
from envlock.io.http.client import Http
from envlock.io.progress import Reporter, SilentReporter
from envlock.resolve.os.archive.index import IndexPart
from envlock.resolve.os.archive.mirrors import Mirrors
from envlock.resolve.os.archive.release import Release, judge_release, parse_release
from envlock.resolve.os.archive.signed import Question, Signed, SignedReleases
from envlock.resolve.os.archive.suite import VerifiedSuite as VerifiedSuite
from envlock.resolve.os.archive.trust import (
    Keyring,
    Subject,
    Verified,
    machine_keyring,
    shipped_keyring,
    verify_detached,
    verify_inrelease,
)
from envlock.resolve.os.distributions.distribution import Base


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
        seen: suite's name → digest of the Release that a lock made "now" at ``as_of`` saw.
    """

    base: Base
    as_of: datetime | None
    architectures: tuple[str, ...]
    components: tuple[str, ...] = ()
    mirrors: Mirrors
    keyring: Keyring | None = None
    floors: Mapping[str, datetime] = field(default_factory=dict)
    seen: Mapping[str, str] = field(default_factory=dict)


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
    if opening.keyring is None:
        default_keyring(opening.base)  # read once, not by each of the threads
    with ThreadPoolExecutor(len(suites), thread_name_prefix="envlock-release") as pool:
        questions = [Question(suite=suite, as_of=opening.as_of) for suite in suites]
        for question in questions:
            client.note(question)
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
    subject = (question, opening, client, now)
    signed, release = _seen_again(*subject) or _answered(*subject)
    asked = [component for component in components if component in release.components]
    suite = VerifiedSuite(
        suite=question.suite,
        components=tuple(asked),
        timestamp=signed.timestamp,
        folder=signed.folder,
        release=release,
        mirrors=opening.mirrors,
    )
    return with_parts(suite, opening.architectures, http)


def with_parts(suite: VerifiedSuite, architectures: Sequence[str], http: Http) -> VerifiedSuite:
    """The suite with its package indexes, one per component and architecture that it has.

    Raises:
        SourceError: its Release lists one of them nowhere, or it has to be fetched and cannot be.
        VerificationError: an index is not what the Release says.
    """
    parts = (
        _part(suite, component, architecture, http)
        for component in suite.components
        for architecture in architectures
        if architecture in suite.release.architectures
    )
    return replace(suite, parts=tuple(parts))


def _answered(
    question: Question, opening: Opening, client: SignedReleases, now: datetime
) -> tuple[Signed, Release]:
    """The suite's Release at the instant, verified: kept from an earlier run, or asked for."""
    kept = client.kept(question)
    if kept is not None:
        with suppress(VerificationError):  # damaged, or kept under other keys: ask again
            return kept, verify_signed(kept, question, opening, now)
    signed = client.ask(question)
    release = verify_signed(signed, question, opening, now)
    client.keep(question, signed)
    client.remember(release.verified.sha256, signed)
    return signed, release


def _seen_again(
    question: Question, opening: Opening, client: SignedReleases, now: datetime
) -> tuple[Signed, Release] | None:
    """The very Release that a lock made "now" saw, where a mirror has it still."""
    digest = opening.seen.get(question.suite.name)
    if digest is None:
        return None
    for signed in client.again(question):
        with suppress(VerificationError):  # the mirror went on: too new by now
            release = verify_signed(signed, question, opening, now)
            if release.verified.sha256 == digest:
                return signed, release
    return None


def verify_signed(signed: Signed, question: Question, opening: Opening, now: datetime) -> Release:
    """The content of a signed Release: its signature first, then its date and name.

    Raises:
        VerificationError: one of them is not what it must be.
    """
    name = question.suite.name
    judged_at = now if opening.as_of is None else None
    subject = Subject(suite=name, url=signed.url, judged_at=judged_at)
    check = partial(_check, signed, subject)
    if opening.keyring is not None:
        verified = check(opening.keyring)
    else:
        distribution = opening.base.distribution
        shipped = shipped_keyring(distribution.keyring)
        try:
            verified = check(shipped)
        except VerificationError:
            # A distribution's newer keys may be on this machine already. They come second, so that
            # a lock names the same keys on every machine.
            own = machine_keyring(distribution.machine_keyrings)
            if own is None:
                raise
            verified = check(replace(own, origin=f"{shipped.origin} and {own.origin}"))
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


def _part(suite: VerifiedSuite, component: str, architecture: str, http: Http) -> IndexPart:
    """An index by the digest of its text; where the Release does not say it, it is fetched now."""
    index = suite.index(f"{component}/binary-{architecture}/Packages", http)
    if index is None:
        raise SourceError(
            f"the Release of {suite.suite.name} lists no packages of {component}"
            f" for {architecture}",
            where=suite.folder,
            remedy="use another mirror",
        )
    return IndexPart(
        suite=suite.suite.name,
        component=component,
        architecture=architecture,
        sha256=index.sha256,
        priority=suite.release.priority,
        packages=index.load,
        date=suite.release.date,
    )


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


_SAID_BY = {"component": "components", "architecture": "targets"}


def _require(main: VerifiedSuite, opening: Opening, components: Sequence[str]) -> None:
    """The main suite has all that is asked for."""
    for kind, asked, has in (
        ("component", components, main.release.components),
        ("architecture", opening.architectures, main.release.architectures),
    ):
        for name in asked:
            if name not in has:
                there = ", ".join(one for one in has if one != "all")
                raise UsageError(
                    f"{main.suite.name} has no {kind} {name}",
                    where=str(opening.base),
                    remedy=f"it has {there}: change the {_SAID_BY[kind]}",
                )


def _gaps(suite: VerifiedSuite, opening: Opening, components: Sequence[str]) -> list[str]:
    """What a further suite lacks of what the main one has, for the user to know."""
    notes = []
    if opening.as_of is None and suite.timestamp is not None:
        notes.append(f"{suite.suite.name} comes from the snapshot of {suite.timestamp}: no mirror")
    lacks = [name for name in components if name not in suite.release.components]
    lacks += [name for name in opening.architectures if name not in suite.release.architectures]
    return notes + [f"{suite.suite.name} has nothing for {name}" for name in lacks]
