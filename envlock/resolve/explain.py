"""Why there is no answer, and, where the date is the reason, the first date that works."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from envlock.errors import EnvlockError, NoSolutionError
from envlock.io.progress import Reporter
from envlock.resolve.python.engines.engine import Engine, Question, Upgrade

_DAY = timedelta(days=1)


def with_date(
    error: NoSolutionError, engine: Engine, question: Question, now: datetime, reporter: Reporter
) -> NoSolutionError:
    """``error``, with a remedy that names the first day on which the request has an answer.

    The day is found by bisection between the question's date and now: each try is a resolution
    with a warm cache. When there is no answer today either, the error is given back as it is.
    """
    free = replace(question, pins=(), upgrade=Upgrade(everything=True))
    if not _works(engine, replace(free, as_of=now), reporter):
        return error
    failing = question.as_of.replace(hour=0, minute=0, second=0)
    working = now
    while working - failing > _DAY:
        middle = failing + (working - failing) / 2
        middle = datetime(middle.year, middle.month, middle.day, tzinfo=UTC)
        if middle <= failing:
            break
        if _works(engine, replace(free, as_of=middle), reporter):
            working = middle
        else:
            failing = middle
    when = f"{working:%Y-%m-%d}" if working < now else "now"
    return NoSolutionError(
        _without_hints(error.what),
        where=error.where,
        remedy=f"the date is the reason: from {when} on there is an answer"
        + (f" (envlock lock --as-of {when})" if working < now else " (leave out --as-of)"),
    )


def _without_hints(text: str) -> str:
    """Without the engine's own word of releases after the date: the remedy says the day."""
    lines = [line for line in text.splitlines() if not line.startswith("hint: ")]
    return "\n".join(lines).rstrip()


def _works(engine: Engine, question: Question, reporter: Reporter) -> bool:
    try:
        engine.resolve(question, _Quiet(reporter))
    except EnvlockError:
        return False
    return True


class _Quiet:
    """Passes progress on, but no notes: a try is not the user's question."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def step(self, text: str) -> None:
        """Do nothing: the phase is the search."""

    def progress(self, done: int, total: int | None) -> None:
        self._reporter.progress(done, total)

    def note(self, text: str) -> None:
        """Do nothing."""
