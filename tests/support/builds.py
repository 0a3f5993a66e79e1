"""A mirror of python-build-standalone on loopback: answers for the archives that uv knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from support.index import Answer, LoopbackIndex

SIZE: Final = 12_345
"""Bytes of every archive."""


class BuildsMirror(LoopbackIndex):
    """Serves ``/builds/DAY/FILE`` for any build; what is in an archive, nobody asks here."""

    def __init__(self) -> None:
        super().__init__("json")

    @property
    def root(self) -> str:
        """What ``UV_PYTHON_INSTALL_MIRROR`` has to be."""
        return f"{self.base}/builds"

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        """The response to a GET or HEAD."""
        if path.startswith("/builds/") and path.count("/") == 3:
            return Answer(status=200, body=bytes(SIZE))
        return Answer(status=404)
