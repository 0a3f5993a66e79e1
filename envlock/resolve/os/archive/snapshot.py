"""The client of a snapshot service: an archive's state at an instant.

An instant is answered with the newest import that is not later: by a redirect to the import's own
timestamp (that one is locked), or directly where a service has every instant.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from envlock.errors import EnvlockError, SourceError, UsageError, VerificationError
from envlock.io.http.client import Http, Response, expect_ok
from envlock.resolve.os.distributions.distribution import SnapshotService

RATE_VARIABLE = "ENVLOCK_SNAPSHOT_RATE"
BURST = 10
"""How many requests may go out at once after a pause."""

RELEASE_LIMIT = 32 * 1024 * 1024
"""No signed Release has more bytes than that; real ones have 200,000."""

_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")


def timestamp(moment: datetime) -> str:
    """``20260301T120000Z``: the instant as snapshot services write it (UTC, whole seconds)."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def parse_timestamp(text: str) -> datetime:
    """The instant that ``20260301T120000Z`` names.

    Raises:
        UsageError: it is not written so.
    """
    try:
        if _TIMESTAMP.fullmatch(text):
            return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        pass
    raise UsageError(f"not a snapshot's timestamp: {text!r}", remedy="for example 20260301T000000Z")


class RateLimit:
    """A token bucket: on average ``per_second`` passes, at most ``burst`` at once; thread-safe.

    ``per_second`` 0 or less means without limit.
    """

    def __init__(
        self,
        per_second: float,
        burst: int = BURST,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_second = per_second
        self._burst = max(1, burst)
        self._clock = clock
        self._sleep = sleep
        self._guard = threading.Lock()
        self._tokens = float(self._burst)
        self._last = clock()

    @property
    def bounded(self) -> bool:
        """Whether there is a limit at all."""
        return self._per_second > 0

    def wait(self) -> None:
        """Return when the next request may go out."""
        if not self.bounded:
            return
        with self._guard:
            now = self._clock()
            self._tokens += (now - self._last) * self._per_second
            self._tokens = min(float(self._burst), self._tokens)
            self._last = now
            # Below zero: those before us are still waiting for theirs.
            self._tokens -= 1
            pause = -self._tokens / self._per_second
        if pause > 0:
            self._sleep(pause)


def public_rate(service: SnapshotService) -> float:
    """Requests a second for the public service: ``ENVLOCK_SNAPSHOT_RATE``, or the service's own.

    Raises:
        UsageError: the variable is no positive number.
    """
    text = os.environ.get(RATE_VARIABLE, "")
    try:
        rate = float(text) if text else service.per_second
    except ValueError:
        rate = -1
    if not 0 < rate < float("inf"):
        raise UsageError(
            f"{RATE_VARIABLE}={text} is not a number of requests a second",
            where="environment",
            remedy="for example 5",
        )
    return rate


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotMirror:
    """One place that serves a distribution's past states.

    ``template`` is the URL of an archive's state with ``{archive}`` and ``{timestamp}``, without a
    final slash; ``timestamps`` that of the list of imports, or None.
    """

    template: str
    timestamps: str | None = None
    rate: RateLimit = field(default_factory=lambda: RateLimit(0), compare=False)

    @property
    def machine_api(self) -> str | None:
        """Where the service answers programs (``…/mr``); None: nowhere that is known."""
        start, found, _ = (self.timestamps or "").partition("/mr/")
        return f"{start}/mr" if found else None

    def root(self, archive: str, moment: str) -> str:
        """The URL of the archive's state at a timestamp."""
        return self.template.format(archive=archive, timestamp=moment)


def public_mirror(service: SnapshotService) -> SnapshotMirror:
    """The distribution's own service, with the bound on requests."""
    return SnapshotMirror(
        template=service.url + service.path,
        timestamps=None if service.timestamps is None else service.url + service.timestamps,
        rate=RateLimit(public_rate(service)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file of an archive's past state, and the timestamp of that state."""

    timestamp: str
    response: Response


class SnapshotClient:
    """Asks one mirror for files of an archive as it was at an instant."""

    def __init__(self, mirror: SnapshotMirror, http: Http) -> None:
        self.mirror = mirror
        self._http = http

    def get(self, archive: str, as_of: datetime, path: str) -> Found | None:
        """The file in the newest state not later than ``as_of``; None where there is no such file.

        Raises:
            UsageError: ``as_of`` is before the first import.
            SourceError: the service cannot be reached or is out of order.
            VerificationError: it answers with a state that is later than ``as_of``.
        """
        asked = timestamp(as_of)
        url = f"{self.mirror.root(archive, asked)}/{path}"
        self.mirror.rate.wait()
        response = self._http.get(url, max_bytes=RELEASE_LIMIT)
        if response.status in (404, 410):
            self._check_first(archive, as_of)
            return None
        expect_ok(response, url)
        got = _moment(response.url, path) or asked
        if got > asked:
            raise VerificationError(
                f"asked for {asked}, the snapshot service answers with {got}, which is later",
                where=url,
                remedy="use another snapshot mirror",
            )
        return Found(timestamp=got, response=response)

    def imports(self, archive: str) -> tuple[str, ...] | None:
        """The timestamps of all imports of an archive, oldest first; None where none are listed.

        Raises:
            SourceError: the service cannot be reached, or its list cannot be read.
        """
        if self.mirror.timestamps is None:
            return None
        url = self.mirror.timestamps.format(archive=archive)
        self.mirror.rate.wait()
        response = expect_ok(self._http.get(url), url)
        try:
            listed = json.loads(response.body)["result"][archive]
            found = sorted(text for text in listed if _TIMESTAMP.fullmatch(text))
        except (ValueError, KeyError, TypeError):
            raise SourceError(
                "the snapshot service's list of imports cannot be read",
                where=url,
                remedy="check the address",
            ) from None
        return tuple(found)

    def _check_first(self, archive: str, as_of: datetime) -> None:
        """Whether the file is missing because there is no state so early."""
        try:
            imports = self.imports(archive)
        except EnvlockError:
            return  # the list only explains; without it, the file is missing
        if imports and timestamp(as_of) < imports[0]:
            raise before_first(archive, as_of, parse_timestamp(imports[0]), self.mirror.template)


def _moment(url: str, path: str) -> str | None:
    """The timestamp in the address that answered; None where it has none."""
    match = re.search(rf"/({_TIMESTAMP.pattern})/{re.escape(path)}$", url)
    return match[1] if match else None


def before_first(archive: str, as_of: datetime, first: datetime, where: str) -> UsageError:
    """The error for an instant before a service's first import."""
    return UsageError(
        f"no state of {archive} is kept from {as_of:%Y-%m-%dT%H:%M:%SZ}: "
        f"the first one is of {first:%Y-%m-%dT%H:%M:%SZ}",
        where=where,
        remedy="take a later as-of, or a snapshot mirror that goes back further",
    )
