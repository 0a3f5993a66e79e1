"""One difference between a lock and what is there: a code of ``codes``, and what it is about."""

from __future__ import annotations

from dataclasses import dataclass

from envlock.check.codes.meanings import MEANINGS as MEANINGS
from envlock.check.codes.registry import Code as Code
from envlock.check.codes.registry import Layer as Layer
from envlock.check.codes.registry import Severity as Severity

_RANK = {code: rank for rank, code in enumerate(MEANINGS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One difference.

    ``subject`` is what it is about: a package's normalized name, a key of the request, a path.
    ``expected`` is what the lock says, ``found`` what is there; None where there is nothing.
    ``cause`` is how it came about, where that is known. ``remedy`` is a command, or a sentence for
    people. ``severity`` is the code's own, or the project's (``policy``). ``ids`` are names that
    the difference has elsewhere: those of an advisory, its own first. ``diff`` is a unified diff
    of a text: from what is there to what the lock gives.
    """

    code: Code
    subject: str
    expected: str | None = None
    found: str | None = None
    cause: str | None = None
    remedy: str
    severity: Severity = Severity.ERROR
    ids: tuple[str, ...] = ()
    diff: str | None = None

    @property
    def layer(self) -> Layer:
        """The code's layer."""
        return MEANINGS[self.code].layer

    @property
    def name(self) -> str:
        """The code's short name: ``other-version``."""
        return MEANINGS[self.code].name

    @property
    def sort_key(self) -> tuple[int, str, str, str]:
        """The most important first, then by subject."""
        return (_RANK[self.code], self.subject, self.expected or "", self.found or "")


def drift(
    code: Code,
    subject: str,
    *,
    expected: str | None = None,
    found: str | None = None,
    cause: str | None = None,
    diff: str | None = None,
) -> Drift:
    """A difference with its code's own remedy and severity."""
    meaning = MEANINGS[code]
    return Drift(
        code=code,
        subject=subject,
        expected=expected,
        found=found,
        cause=cause,
        remedy=meaning.remedy,
        severity=meaning.severity,
        diff=diff,
    )
