"""What a store of runs must do. Implementations: ``folder.FolderStore``.

Everything is written once and never changed, under names that two writers do not both choose; so a
store needs no lock, no transaction and no order, and can be a folder, object storage or a table.
"""

from __future__ import annotations

from typing import Protocol


class Store(Protocol):
    """Records, events and blobs. ``name`` tells it from other stores, for people and caches.

    Kinds are ``runs`` (finished), ``started`` (first notes of runs that did not finish, yet) and
    ``events``. Writing raises OSError when the bytes are not safely there afterwards.
    """

    @property
    def name(self) -> str:
        """Where it is."""

    def begin(self, run: str, content: bytes) -> None:
        """Keep the first note of a run: quickly, whole or not at all."""

    def settle(self, run: str) -> None:
        """Have the first note survive a power cut."""

    def finish(self, run: str, content: bytes) -> None:
        """Keep the record of a run, durably; then its first note may go."""

    def withdraw(self, run: str) -> None:
        """Take the first note away."""

    def add_event(self, event: str, content: bytes) -> None:
        """Keep an event, durably."""

    def keep(self, content: bytes) -> str:
        """Keep bytes by content; their SHA-256. Keeping them twice costs nothing."""

    def has(self, sha256: str) -> bool:
        """Whether they were kept."""

    def blob(self, sha256: str) -> bytes:
        """Bytes that were kept; OSError where they are not there."""

    def read(self, kind: str, name: str) -> bytes:
        """One member; OSError where it is not there."""

    def partitions(self, kind: str) -> dict[str, int]:
        """Parts that can be listed alone, each with a stamp that changes when its members do."""

    def members(self, kind: str, partition: str) -> list[str]:
        """The ids in one part, in no order."""
