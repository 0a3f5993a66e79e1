"""The protocol of exporters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from envlock.lock.model import Lock

FileTree = Mapping[str, bytes]
"""Relative POSIX path → content."""


class Exporter(Protocol):
    """Turns a lock into files. The same lock gives the same bytes."""

    name: str

    def export(self, lock: Lock) -> FileTree:
        """The files.

        Raises:
            UsageError: the format cannot say something that the lock holds; names the package.
        """
        ...
