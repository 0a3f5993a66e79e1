"""Signed Release files, asked for at mirrors or snapshot services; not verified here.

A dated one never changes: it is kept, signature and all, and verified anew each time it is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from envlock.errors import EnvlockError, SourceError, UsageError, VerificationError
from envlock.io.cache import DiskCache
from envlock.io.files import note_others, note_read
from envlock.io.http.client import Http, expect_ok
from envlock.resolve.os.archive.mirrors import Mirrors
from envlock.resolve.os.archive.snapshot import (
    RELEASE_LIMIT,
    SnapshotClient,
    SnapshotMirror,
    before_first,
    timestamp,
)
from envlock.resolve.os.distributions.distribution import IMPORT_TIME, Distribution, Suite

_SEEN = "os-release-seen-v1"

SETTLED = timedelta(days=2)
"""Imports appear some time after the instant they are named by; older answers stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A suite, and the instant at which it is asked for (UTC; None: now)."""

    suite: Suite
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A Release with its signature inside (``signature`` None) or beside it.

    ``url`` is where it was, ``folder`` the suite's address (``…/dists/bookworm``), ``timestamp``
    the snapshot's, None for a live mirror.
    """

    content: bytes
    signature: bytes | None
    url: str
    folder: str
    timestamp: str | None


def remember_release(sha256: str, signed: Signed) -> None:
    """Keep a Release by the digest of what it says; whoever uses it verifies its signature."""
    seen = DiskCache(_SEEN)
    if seen.get(sha256) is None:
        seen.put(sha256, _dump(signed))


class SignedReleases:
    """Asks the mirrors in order; the first that can be reached and has the suite answers."""

    def __init__(
        self, http: Http, mirrors: Mirrors, distribution: Distribution, now: datetime
    ) -> None:
        self._http = http
        self._mirrors = mirrors
        self._distribution = distribution
        self._now = now
        self._cache = DiskCache("os-release-v1")
        self._seen = DiskCache(_SEEN)

    def ask(self, question: Question) -> Signed:
        """The suite's Release.

        Now, and without any live mirror (a machine without apt), the snapshot service's newest
        state is taken.

        Raises:
            UsageError: no snapshot is so early, or no mirror has such a suite.
            SourceError: no mirror can be reached.
            VerificationError: a service answers with a later state, or a Release has no signature.
        """
        archive = question.suite.archive
        live = self._mirrors.live.get(archive, ()) if question.as_of is None else ()
        attempts = [partial(self._ask_live, root, question) for root in live] or [
            partial(self._ask_dated, mirror, question) for mirror in self._mirrors.snapshots
        ]
        failures: list[EnvlockError] = []
        for attempt in attempts:
            try:
                found = attempt()
            except SourceError as error:
                failures.append(error)
                continue
            if found is not None:
                return found
        raise self._nowhere(question, failures)

    def again(self, question: Question) -> Iterator[Signed]:
        """Releases among which may be the one that a lock made "now" at ``as_of`` saw.

        What a live mirror has still; what snapshot services had then, and when they had imported
        all of that time. Who cannot be reached has none.
        """
        if question.as_of is None:
            return
        attempts = [
            partial(self._ask_live, root, question)
            for root in self._mirrors.live.get(question.suite.archive, ())
        ]
        for moment in (question.as_of, question.as_of + IMPORT_TIME):
            later = replace(question, as_of=min(moment, self._now))
            attempts += [partial(self._ask_dated, m, later) for m in self._mirrors.snapshots]
        for attempt in attempts:
            with suppress(SourceError, UsageError, VerificationError):
                found = attempt()
                if found is not None:
                    yield found

    def kept(self, question: Question) -> Signed | None:
        """The answer of an earlier run, if it cannot have changed."""
        if not self._settled(question):
            return None
        kept = self._cache.get(self._key(question))
        if kept is None:
            return None
        return _read(kept)

    def note(self, question: Question) -> None:
        """Note for ``files.noting_reads`` what ``kept`` looks at; and that somebody is asked."""
        place = self._cache.place(self._key(question))
        if self._settled(question) and Path(place).exists():
            note_read(place)
        else:
            note_others()

    def keep(self, question: Question, signed: Signed) -> None:
        """Keep a verified answer about the past."""
        if not self._settled(question) or signed.timestamp is None:
            return
        self._cache.put(self._key(question), _dump(signed))

    def remember(self, sha256: str, signed: Signed) -> None:
        """Keep a verified Release by the digest of what it says: mirrors go on, locks do not."""
        remember_release(sha256, signed)

    def remembered(self, sha256: str) -> Signed | None:
        """The Release with that digest, if this machine ever saw it; to be verified anew."""
        seen = self._seen.get(sha256)
        return None if seen is None else _read(seen)

    def _settled(self, question: Question) -> bool:
        return question.as_of is not None and question.as_of < self._now - SETTLED

    def _key(self, question: Question) -> str:
        # With the mirrors: what one of them says about the past is not what another one says.
        asked = timestamp(question.as_of or self._now)
        places = " ".join(mirror.template for mirror in self._mirrors.snapshots)
        return f"{question.suite.archive} {question.suite.name} {asked} {places}"

    def _ask_live(self, root: str, question: Question) -> Signed | None:
        folder = f"{root}/dists/{question.suite.name}"
        got: list[bytes] = []
        for names in (("InRelease",), ("Release", "Release.gpg")):
            for name in names:
                response = self._http.get(f"{folder}/{name}", max_bytes=RELEASE_LIMIT)
                if response.status in (404, 410):
                    break
                got.append(expect_ok(response, f"{folder}/{name}").body)
            if len(got) == len(names):
                return _signed(got, names, folder, None)
            if got:
                raise _unsigned(question, folder)
        return None

    def _ask_dated(self, mirror: SnapshotMirror, question: Question) -> Signed | None:
        client = SnapshotClient(mirror, self._http)
        archive, name = question.suite.archive, question.suite.name
        as_of = question.as_of or self._now
        public = self._distribution.snapshots
        if as_of < public.first and mirror.template.startswith(public.url):
            raise before_first(archive, as_of, public.first, public.url)
        got: list[bytes] = []
        for names in (("InRelease",), ("Release", "Release.gpg")):
            moment = timestamp(as_of)
            for file in names:
                found = client.get(archive, as_of, f"dists/{name}/{file}")
                if found is None:
                    break
                got.append(found.response.body)
                moment = found.timestamp
            folder = f"{mirror.root(archive, moment)}/dists/{name}"
            if len(got) == len(names):
                return _signed(got, names, folder, moment)
            if got:
                raise _unsigned(question, folder)
        return None

    def _nowhere(self, question: Question, failures: list[EnvlockError]) -> EnvlockError:
        name, archive = question.suite.name, question.suite.archive
        when = f" at {question.as_of:%Y-%m-%dT%H:%M:%SZ}" if question.as_of else ""
        if failures:
            last = failures[-1]
            return SourceError(
                f"no mirror of {archive} can be reached for {name}{when}: {last.what}",
                where=last.where,
                remedy='check the network, or name a mirror: mirrors = ["…"] in [tool.envlock.os]',
            )
        return UsageError(
            f"no mirror of {archive} has the suite {name}{when}",
            remedy='check the base and the date, or name another mirror: mirrors = ["…"]',
        )


def _dump(signed: Signed) -> bytes:
    facts = {
        "size": len(signed.content),
        "detached": signed.signature is not None,
        "url": signed.url,
        "folder": signed.folder,
        "timestamp": signed.timestamp,
    }
    return json.dumps(facts).encode() + b"\n" + signed.content + (signed.signature or b"")


def _read(kept: bytes) -> Signed | None:
    head, _, body = kept.partition(b"\n")
    try:
        facts = json.loads(head)
        size = int(facts["size"])
        return Signed(
            content=body[:size],
            signature=body[size:] if facts["detached"] else None,
            url=str(facts["url"]),
            folder=str(facts["folder"]),
            timestamp=None if facts["timestamp"] is None else str(facts["timestamp"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _unsigned(question: Question, folder: str) -> VerificationError:
    return VerificationError(
        f"the Release of {question.suite.name} is not signed",
        where=f"{folder}/Release",
        remedy="do not use this mirror",
    )


def _signed(got: list[bytes], names: tuple[str, ...], folder: str, moment: str | None) -> Signed:
    return Signed(
        content=got[0],
        signature=got[1] if len(got) > 1 else None,
        url=f"{folder}/{names[0]}",
        folder=folder,
        timestamp=moment,
    )
