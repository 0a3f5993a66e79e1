"""How the core says what it is doing, without printing."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Receives progress; implementations must be cheap and must not raise."""

    def step(self, text: str) -> None:
        """A new phase begins (``resolving``, ``reading sizes``)."""

    def progress(self, done: int, total: int | None) -> None:
        """``done`` of ``total`` units of the phase; ``total`` is None while unknown."""

    def note(self, text: str) -> None:
        """Something the user should know, once, that is no error."""


class SilentReporter:
    """The default: says nothing."""

    def step(self, text: str) -> None:
        """Do nothing."""

    def progress(self, done: int, total: int | None) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""
