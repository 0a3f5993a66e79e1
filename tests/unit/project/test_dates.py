"""Dates: every accepted form means the UTC instant it should; all else is refused clearly."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from envlock.errors import UsageError
from envlock.project.dates import parse_absolute, parse_as_of

NOW = datetime(2026, 3, 31, 15, 20, 30, 987654, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", "2026-03-01T00:00:00"),
        ("2026-03-31", "2026-03-31T00:00:00"),
        ("2024-02-29", "2024-02-29T00:00:00"),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00"),
        ("2026-03-01t12:00:00z", "2026-03-01T12:00:00"),
        ("2026-03-01 12:00:00Z", "2026-03-01T12:00:00"),
        ("2026-03-01T12:00Z", "2026-03-01T12:00:00"),
        ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00"),
        ("2026-03-01T12:00:00-0330", "2026-03-01T15:30:00"),
        ("2026-03-01 12:00:00 +0200", "2026-03-01T10:00:00"),
        ("2026-03-01T12:00:00.999999Z", "2026-03-01T12:00:00"),
        ("2026-03-01T00:30:00+01:00", "2026-02-28T23:30:00"),
        ("now", "2026-03-31T15:20:30"),
        ("today", "2026-03-31T00:00:00"),
        ("yesterday", "2026-03-30T00:00:00"),
        ("2 weeks ago", "2026-03-17T15:20:30"),
        ("3.days.ago", "2026-03-28T15:20:30"),
        ("  2   Weeks  AGO ", "2026-03-17T15:20:30"),
        ("a day ago", "2026-03-30T15:20:30"),
        ("an hour ago", "2026-03-31T14:20:30"),
        ("one week ago", "2026-03-24T15:20:30"),
        ("90 seconds ago", "2026-03-31T15:19:00"),
        ("1 month ago", "2026-02-28T15:20:30"),
        ("3 months ago", "2025-12-31T15:20:30"),
        ("13 months ago", "2025-02-28T15:20:30"),
        ("1 year ago", "2025-03-31T15:20:30"),
        ("last week", "2026-03-24T15:20:30"),
        ("last month", "2026-02-28T15:20:30"),
        ("last year", "2025-03-31T15:20:30"),
    ],
)
def test_meaning(text: str, expected: str) -> None:
    found = parse_as_of(text, now=NOW)
    assert found == datetime.fromisoformat(expected + "+00:00")
    assert found.tzinfo is UTC
    assert found.microsecond == 0


def test_leap_day_a_year_later() -> None:
    now = datetime(2024, 2, 29, 8, tzinfo=UTC)
    assert parse_as_of("1 year ago", now=now) == datetime(2023, 2, 28, 8, tzinfo=UTC)


def test_words_count_in_utc_whatever_zone_now_has() -> None:
    eastern = datetime.fromisoformat("2026-03-01T22:00:00-05:00")
    assert parse_as_of("today", now=eastern) == datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("2026-03-01T12:00:00", "no zone", "2026-03-01T12:00:00Z"),
        ("2026-03-01 12:00", "no zone", "2026-03-01T12:00Z"),
        ("2026-04-01", "in the future", "past or the present"),
        ("2026-03-31T15:20:31Z", "in the future", ""),
        ("9999-12-31", "in the future", ""),
        ("0001-01-01T00:00:00+14:00", "is not a date", ""),
        ("1989-12-31", "before 1990", "check the year"),
        ("40 years ago", "before 1990", ""),
        ("9000 years ago", "before 1990", ""),
        ("999999999999 days ago", "before 1990", ""),
        ("2026-02-30", "day is out of range", "2 weeks ago"),
        ("2026-13-01", "is not a date", "2 weeks ago"),
        ("2026-03-01T25:00:00Z", "is not a date", ""),
        ("2026-3-1", "is not a date", "2026-03-01"),
        ("01.03.2026", "is not a date", "2026-03-01"),
        ("20260301", "is not a date", "2026-03-01"),
        ("2026-W10-1", "is not a date", "2026-03-01"),
        ("noon", "is not a date", "2 weeks ago"),
        ("tomorrow", "is not a date", ""),
        ("2 fortnights ago", "is not a date", ""),
        ("-2 days ago", "is not a date", ""),
        ("", "is not a date", ""),
        ("٣ days ago", "is not a date", ""),
        ("٢٠٢٦-03-01", "is not a date", ""),
    ],
)
def test_refused(text: str, what: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_as_of(text, now=NOW)
    assert what in caught.value.what
    assert caught.value.remedy
    assert remedy in caught.value.remedy


def test_words_are_not_absolute() -> None:
    assert parse_absolute("2 weeks ago") is None
    assert parse_absolute("today") is None
