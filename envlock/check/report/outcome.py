"""The value that every format writes down."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from envlock.check.drift import MEANINGS, Code, Drift, Layer, Severity
from envlock.check.policy import Judged

FORMATS = ("github", "json", "junit", "markdown", "sarif")
"""Those of ``render``."""

PAGE = "https://github.com/envlock/envlock/blob/main/docs/checks.md"

_HUNK = re.compile(r"@@ -([0-9]+)")
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One check.

    ``lock`` is the lockfile's path as it is shown (relative, POSIX separators), ``compared`` the
    layers that were compared, ``scope`` the same in words, ``lines`` where a package begins in the
    lockfile (from 1).
    """

    lock: str
    environment_hash: str
    judged: Judged
    compared: frozenset[Layer]
    scope: tuple[str, ...]
    lines: Mapping[str, int]

    def of(self, layer: Layer) -> tuple[Drift, ...]:
        """What was found in a layer: errors first, then as it came, the most important first."""
        found = (d for d in self.judged.drift if d.layer is layer)
        return tuple(sorted(found, key=lambda d: _RANK[d.severity]))

    def place(self, found: Drift) -> tuple[str, int]:
        """The file (shown as the lock) and line that a difference is about: of the lockfile, or of
        an exported file; line 1 where no line is."""
        if found.layer is not Layer.EXPORTS:
            return self.lock, self.lines.get(found.subject, 1)
        folder, slash, _ = self.lock.rpartition("/")
        return f"{folder}{slash}{found.subject}", first_line(found.diff)


def render(name: str, outcome: Outcome) -> str:
    """The text of a format of ``FORMATS``, ending with a newline."""
    module = import_module(f"envlock.check.report.{name}")
    write: Callable[[Outcome], str] = module.write
    return write(outcome)


def first_line(diff: str | None) -> int:
    """The first line that a unified diff changes, counted in the old file; 1 without any."""
    line = 0
    for text in (diff or "").splitlines():
        match = _HUNK.match(text)
        if match:
            line = int(match[1])
        elif line and text.startswith(("-", "+")):
            break
        elif line:
            line += 1
    return max(line, 1)


def told(found: Drift) -> str:
    """A difference in words; where there is nothing to say of this one, what its code means."""
    return sentence(found) or MEANINGS[found.code].summary


def sentence(found: Drift) -> str:
    """A difference in words: what was expected, what is there, why."""
    if found.code is Code.LOCK_EDITED:
        text = _edit(found)
    elif found.layer is Layer.REQUEST:
        text = _request_difference(found)
    elif found.code is Code.EXPORT_OUTDATED and found.found is not None:
        text = f"made from {found.found}, the lock is {found.expected}"
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


def _edit(found: Drift) -> str:
    if found.cause is None:
        return f"its version is {found.found}, its files are of {found.expected}"
    return f"says {found.expected}, its content gives {found.found}"


def anchor(found: Drift) -> str:
    """The address of what is said of the code."""
    return f"{PAGE}#{found.code.lower()}-{found.name}"
