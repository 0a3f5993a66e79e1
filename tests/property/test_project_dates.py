"""Dates: datetime's own arithmetic as the oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from envlock.errors import UsageError
from envlock.project.dates import parse_as_of

NOW = datetime(2026, 6, 15, 12, 30, 45, 999, tzinfo=UTC)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
past = st.datetimes(datetime(1991, 1, 1), datetime(2026, 6, 14))


@given(past, offsets)
def test_instants(moment: datetime, zone: timezone) -> None:
    instant = moment.replace(tzinfo=zone)
    found = parse_as_of(instant.isoformat(), now=NOW)
    assert found == instant.replace(microsecond=0)
    assert parse_as_of(found.isoformat(), now=NOW) == found


@given(past)
def test_a_date_is_its_start_in_utc(moment: datetime) -> None:
    found = parse_as_of(moment.date().isoformat(), now=NOW)
    assert found.isoformat() == f"{moment.date().isoformat()}T00:00:00+00:00"


@given(
    st.integers(0, 300),
    st.sampled_from(["second", "minute", "hour", "day", "week"]),
    st.sampled_from([" ", ".", "-", "_", "  "]),
    st.booleans(),
)
def test_fixed_units(count: int, unit: str, separator: str, plural: bool) -> None:
    text = separator.join([str(count), unit + "s" * plural, "ago"])
    expected = NOW.replace(microsecond=0) - timedelta(**{f"{unit}s": count})
    assert parse_as_of(text, now=NOW) == expected


@given(past, st.integers(0, 24))
def test_months_keep_the_day_or_take_the_last_one(moment: datetime, count: int) -> None:
    now = moment.replace(tzinfo=UTC, microsecond=0)
    try:
        found = parse_as_of(f"{count} months ago", now=now)
    except UsageError:
        assert now.year - 1990 <= 2
        return
    assert (now.year - found.year) * 12 + now.month - found.month == count
    assert found.time() == now.time()
    assert found.day == now.day or (found + timedelta(days=1)).day == 1


@given(st.text(max_size=30))
def test_anything_else_is_refused(text: str) -> None:
    found: datetime | UsageError
    try:
        found = parse_as_of(text, now=NOW)
    except UsageError as error:
        found = error
    if isinstance(found, UsageError):
        assert found.remedy
    else:
        assert found <= NOW
        assert found.microsecond == 0
