"""Timestamps, and the token bucket that bounds requests to a public service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.errors import UsageError
from envlock.resolve.os.archive.snapshot import (
    RateLimit,
    SnapshotMirror,
    parse_timestamp,
    public_mirror,
    public_rate,
    timestamp,
)
from envlock.resolve.os.distributions.debian import Debian
from envlock.resolve.os.distributions.ubuntu import Ubuntu


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)))
def test_a_timestamp_is_read_as_it_was_written(moment: datetime) -> None:
    utc = moment.replace(tzinfo=UTC, microsecond=0)
    assert parse_timestamp(timestamp(utc)) == utc


def test_a_timestamp_is_utc() -> None:
    there = datetime(2024, 3, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(there) == "20240229T230000Z"


@pytest.mark.parametrize("text", ["", "20240301", "2024-03-01T00:00:00Z", "20241301T000000Z"])
def test_what_is_no_timestamp(text: str) -> None:
    with pytest.raises(UsageError):
        parse_timestamp(text)


def test_the_addresses_of_the_public_services() -> None:
    debian, ubuntu = public_mirror(Debian().snapshots), public_mirror(Ubuntu().snapshots)
    moment = "20240301T000000Z"
    assert debian.root("debian-security", moment).endswith(f"/archive/debian-security/{moment}")
    assert ubuntu.root("ubuntu", moment).endswith(f"/ubuntu/{moment}")
    assert ubuntu.timestamps is None


class Clock:
    """Time that passes only by sleeping, or when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(
    rate=st.floats(0.5, 50),
    burst=st.integers(1, 20),
    waits=st.lists(st.floats(0, 2), min_size=1, max_size=60),
)
def test_never_more_than_the_rate_and_the_burst(
    rate: float, burst: int, waits: list[float]
) -> None:
    clock = Clock()
    limit = RateLimit(rate, burst, clock=clock, sleep=clock.sleep)
    passed = []
    for wait in waits:
        clock.now += wait
        limit.wait()
        passed.append(clock.now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            count = last - first + 1
            assert count <= burst + rate * (passed[last] - passed[first]) + 1e-6


def test_no_rate_is_no_bound() -> None:
    clock = Clock()
    limit = RateLimit(0, 1, clock=clock, sleep=clock.sleep)
    for _ in range(1000):
        limit.wait()
    assert clock.now == 0


def test_the_rate_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Debian().snapshots
    assert public_rate(service) == service.per_second
    monkeypatch.setenv("ENVLOCK_SNAPSHOT_RATE", "0.5")
    assert public_rate(service) == 0.5
    for text in ("0", "-1", "often", "inf", "nan"):
        monkeypatch.setenv("ENVLOCK_SNAPSHOT_RATE", text)
        with pytest.raises(UsageError, match="ENVLOCK_SNAPSHOT_RATE"):
            public_rate(service)


def test_mirrors_are_values() -> None:
    assert SnapshotMirror(template="t") == SnapshotMirror(template="t")
