"""The table of results, and the file that keeps it."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: ours against theirs (a peer's value, or None where the target is absolute).

    ``unit`` is ``s`` or ``MB``. The limit bounds the ratio where there is a peer, else our value.
    """

    work: str
    ours: float
    peer: str = ""
    theirs: float | None = None
    limit: float
    unit: str = "s"

    @property
    def judged(self) -> float:
        """What the limit applies to."""
        return self.ours if self.theirs is None else self.ours / self.theirs

    @property
    def passed(self) -> bool:
        """Whether the limit holds."""
        return math.isnan(self.ours) or self.judged <= self.limit

    def cells(self) -> tuple[str, ...]:
        """The row as texts, in the order of ``HEADINGS``."""
        absolute = self.theirs is None
        if math.isnan(self.ours):
            return (self.work, *[""] * 6)  # not measured: the first cell says why
        return (
            self.work,
            self._amount(self.ours),
            self.peer,
            "" if self.theirs is None else self._amount(self.theirs),
            "" if absolute else f"{self.judged:.2f}",
            f"≤ {self._amount(self.limit)}" if absolute else f"≤ {self.limit:g}",
            "pass" if self.passed else "MISS",
        )

    def _amount(self, value: float) -> str:
        if self.unit == "MB":
            return f"{value:.0f} MB"
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


HEADINGS = ("work", "envlock", "peer", "its time", "ratio", "target", "")


def markdown(rows: Sequence[Row], *, repeat: int) -> str:
    """The results as a page: how they were made, then the table, columns aligned."""
    table = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    missed = sum(not row.passed for row in rows)
    return "\n".join(
        [
            "# Results",
            "",
            "Made by `python -m benchmarks`. Medians of wall-clock times; contenders run in turns,"
            f" {repeat} times each; what counts is the ratio within one run.",
            "Cold: caches that nobody has used. Warm: its own caches, filled by one run before.",
            "",
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs,"
            f" CPython {platform.python_version()}, uv {version('uv')},"
            f" pip {version('pip')}, pip-tools {version('pip-tools')}."
            f" {len(rows) - missed} of {len(rows)} targets met.",
            "",
            line(HEADINGS),
            rule,
            *(line(row.cells()) for row in rows),
            "",
        ]
    )


def write(path: Path, text: str) -> None:
    """Keep the page."""
    path.write_text(text, encoding="utf-8")
