"""What a date means: instants in UTC, with whole seconds."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

from envlock.errors import UsageError

_FORMS = (
    "write a date (2026-03-01, meaning its start in UTC), an instant with a zone"
    ' (2026-03-01T12:00:00Z), or words such as "2 weeks ago", "yesterday", "last month"'
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# RFC 3339, and the space before the zone that git prints.
_INSTANT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:[.,]\d+)?"
    r" ?(?P<zone>[Zz]|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_AGO = re.compile(
    r"(?P<count>\d+|an?|one)[ ._-]*(?P<unit>second|minute|hour|day|week|month|year)s?[ ._-]*ago",
    re.ASCII,
)
_LAST = re.compile(r"last[ ._-]*(?P<unit>week|month|year)")
_FIXED = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_EARLIEST = 1990


def parse_as_of(text: str, *, now: datetime) -> datetime:
    """The UTC instant that ``text`` means; fractions of a second are cut off.

    Args:
        text: a date (its start in UTC), an RFC 3339 instant with a zone, or git-like words
            (``now``, ``today``, ``yesterday``, ``2 weeks ago``, ``3.days.ago``, ``last month``).
        now: the present, with a zone; words count from it, and nothing may lie after it.

    Raises:
        UsageError: another form, no zone, a day that does not exist, the future, before 1990.
    """
    now = now.astimezone(UTC).replace(microsecond=0)
    found = parse_absolute(text)
    if found is None:
        found = _words(" ".join(text.lower().split()), now)
    if found is None:
        raise UsageError(f"{text!r} is not a date", remedy=_FORMS)
    return check_range(found, text, now=now)


def check_range(instant: datetime, text: str, *, now: datetime) -> datetime:
    """``instant`` itself, if it is neither in the future nor before 1990; ``text`` names it.

    Raises:
        UsageError: it is.
    """
    if instant > now.astimezone(UTC):
        raise UsageError(
            f"{text} is in the future (now: {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ})",
            remedy="a lock can only be made as of the past or the present",
        )
    if instant.year < _EARLIEST:
        raise UsageError(
            f"{text} is before {_EARLIEST}", remedy="no Python package is as old; check the year"
        )
    return instant


def parse_absolute(text: str) -> datetime | None:
    """The instant of a date or an RFC 3339 text; None where ``text`` has neither form.

    Raises:
        UsageError: the form is right, but there is no zone or no such day or time.
    """
    text = text.strip()
    match = _INSTANT.fullmatch(text)
    if match is None and not _DATE.fullmatch(text):
        return None
    try:
        if match is None:
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        zone = match["zone"]
        if zone is None:
            raise UsageError(
                f"{text!r} has no zone, so it means another instant on each machine",
                remedy=f"write {match['date']}T{match['time']}Z for UTC, or add +02:00 or the like",
            )
        offset = "+00:00" if zone in "Zz" else zone
        local = datetime.fromisoformat(f"{match['date']}T{match['time']}{offset}")
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is not a date: {error}", remedy=_FORMS) from None


def _words(text: str, now: datetime) -> datetime | None:
    midnight = now.replace(hour=0, minute=0, second=0)
    fixed = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if text in fixed:
        return fixed[text]
    if match := _LAST.fullmatch(text):
        return _back(now, 1, match["unit"], text)
    if match := _AGO.fullmatch(text):
        count = int(match["count"]) if match["count"].isdecimal() else 1
        return _back(now, count, match["unit"], text)
    return None


def _back(now: datetime, count: int, unit: str, text: str) -> datetime:
    """``count`` units before ``now``; a month before 31 March is the last day of February."""
    try:
        if unit in _FIXED:
            return now - count * _FIXED[unit]
        months = now.year * 12 + now.month - 1 - count * (12 if unit == "year" else 1)
        year, month = months // 12, months % 12 + 1
        day = min(now.day, calendar.monthrange(year, month)[1])
        return now.replace(year=year, month=month, day=day)
    except (ValueError, OverflowError):
        raise UsageError(f"{text} is before {_EARLIEST}", remedy="check the number") from None
