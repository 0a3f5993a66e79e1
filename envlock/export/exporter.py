"""The protocol of export formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from envlock.lock.model import Lock
from envlock.lock.target import Target

FileTree = Mapping[str, bytes]
"""Relative path (POSIX separators) → content."""


class Exporter(Protocol):
    """A format. Implementations are found by entry point ``envlock.exporters``.

    They are pure: the same lock gives the same bytes, and nothing but the lock is looked at.
    """

    name: str

    def export(self, lock: Lock, target: Target | None = None) -> FileTree:
        """The files; for one target only when it is given.

        Raises:
            UsageError: the format cannot say what the lock holds; names the package.
        """
        ...


@runtime_checkable
class NamesLockfile(Protocol):
    """An exporter whose files name the lockfile that the lock was read from."""

    lock_name: str
    """``pylock.toml``, unless it is set to another one."""
