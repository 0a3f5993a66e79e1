"""What a comparison says, and when two numbers are close."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """Of one result, or of all (the worst).

    ``IDENTICAL``: the same bytes. ``CLOSE``: the same values, or numbers within the tolerance.
    ``DIFFERENT``: not that, or it cannot be known. ``MISSING``: it was not made again.
    """

    IDENTICAL = "identical"
    CLOSE = "close"
    DIFFERENT = "different"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Numbers are close when ``|a - b| <= max(relative * max(|a|, |b|), absolute)``."""

    relative: float
    absolute: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of one comparison.

    ``how`` is what was compared (``bytes``, ``csv``, ``npy`` …), ``where`` the first place that
    differs, with what is there. ``absolute`` and ``relative`` are the largest errors of numbers
    that were compared; None where there were none, or not all were looked at.
    """

    verdict: Verdict
    how: str
    where: str | None = None
    absolute: float | None = None
    relative: float | None = None


class Meter:
    """Compares numbers one by one, and knows how far apart they were at most."""

    def __init__(self, tolerance: Tolerance) -> None:
        self._tolerance = tolerance
        self.absolute = 0.0
        self.relative = 0.0

    def close(self, one: float, other: float) -> bool:
        """Whether two numbers are close; a NaN is close to a NaN, an infinity to itself."""
        if one == other or (math.isnan(one) and math.isnan(other)):
            return True
        apart = abs(one - other)
        if not math.isfinite(apart):
            return False
        largest = max(abs(one), abs(other))
        self.absolute = max(self.absolute, apart)
        self.relative = max(self.relative, apart / largest)
        return apart <= max(self._tolerance.relative * largest, self._tolerance.absolute)

    def found(self, how: str, where: str | None) -> Found:
        """``where`` is the first place that is not close; None: there is none."""
        if where is not None:
            return Found(verdict=Verdict.DIFFERENT, how=how, where=where)
        return Found(verdict=Verdict.CLOSE, how=how, absolute=self.absolute, relative=self.relative)


def shown(value: Any) -> str:
    """A value in a sentence: one line, not too long."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= 40 else f"{text[:38]}…"
