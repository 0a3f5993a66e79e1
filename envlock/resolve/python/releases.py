"""When each CPython came out: which one a project of a date can have meant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib import resources


@cache
def releases() -> dict[str, datetime]:
    """Series (``3.8``) → when it was released (the day's start, UTC), oldest first."""
    text = resources.files("envlock.resolve.python").joinpath("releases.csv").read_text("ascii")
    rows = (line.split(",") for line in text.splitlines() if line and not line.startswith("#"))
    return {series: datetime.fromisoformat(day).replace(tzinfo=UTC) for series, day, _ in rows}


def was_released(python: str, as_of: datetime) -> bool:
    """Whether that Python's series was out at ``as_of``; one that the table lacks counts as out."""
    found = releases().get(".".join(python.split(".")[:2]))
    return found is None or found <= as_of


def newest_released(as_of: datetime, allowed: Callable[[str], bool]) -> str | None:
    """The newest series that was out at ``as_of`` and is ``allowed``; None where there is none."""
    fitting = [s for s, released in releases().items() if released <= as_of and allowed(s)]
    return fitting[-1] if fitting else None
