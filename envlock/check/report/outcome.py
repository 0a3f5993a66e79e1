"""The value that every format writes down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from envlock.check.drift import Drift, Layer, Severity
from envlock.check.policy import Judged

FORMATS = ("github", "json", "junit", "markdown", "sarif")
"""Those of ``render``."""

PAGE = "https://github.com/envlock/envlock/blob/main/docs/checks.md"

_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One check.

    ``lock`` is the lockfile's path as it is shown (relative, POSIX separators), ``packages`` how
    many it has, ``compared`` the layers that were compared, ``lines`` where a package begins in
    the lockfile (from 1).
    """

    lock: str
    environment_hash: str
    packages: int
    judged: Judged
    compared: frozenset[Layer]
    lines: Mapping[str, int]

    def of(self, layer: Layer) -> tuple[Drift, ...]:
        """What was found in a layer: errors first, then as it came, the most important first."""
        found = (d for d in self.judged.drift if d.layer is layer)
        return tuple(sorted(found, key=lambda d: _RANK[d.severity]))

    def line(self, found: Drift) -> int:
        """The line of the lockfile that a difference is about; 1 where no line is."""
        return self.lines.get(found.subject, 1)


def render(name: str, outcome: Outcome) -> str:
    """The text of a format of ``FORMATS``, ending with a newline."""
    module = import_module(f"envlock.check.report.{name}")
    write: Callable[[Outcome], str] = module.write
    return write(outcome)


def sentence(found: Drift) -> str:
    """A difference in words: what was expected, what is there, why."""
    if found.layer is Layer.REQUEST:
        text = _request_difference(found)
    elif found.expected is None:
        text = f"found {found.found}" if found.found else ""
    elif found.found is None:
        text = f"expected {found.expected}"
    else:
        text = f"expected {found.expected}, found {found.found}"
    return "; ".join(part for part in (text, found.cause) if part)


def _request_difference(found: Drift) -> str:
    if found.expected is None:
        return f"{found.found} was added"
    if found.found is None:
        return f"{found.expected} was removed"
    return f"was {found.expected}, is now {found.found}"


def anchor(found: Drift) -> str:
    """The address of what is said of the code."""
    return f"{PAGE}#{found.code.lower()}-{found.name}"
