"""What a request sends: bytes, or a span of a file, read as it goes out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from envlock.errors import DiskError


class Body:
    """A request's body. ``size`` is in bytes. What has been sent can be sent again.

    Its methods run in a libcurl callback: they must not raise.

    Args:
        source: bytes, or the file to read.
        start: the first byte of it that is sent.
        size: how many are; to the end when None.
    """

    def __init__(self, source: bytes | Path, *, start: int = 0, size: int | None = None) -> None:
        self._source = source
        self._start = start
        whole = len(source) if isinstance(source, bytes) else source.stat().st_size
        self.size = max(whole - start, 0) if size is None else size
        self._at = 0
        self._file: IO[bytes] | None = None
        self.failure: OSError | None = None

    def error(self) -> DiskError:
        """The error for what kept the file from being read."""
        told = None if self.failure is None else self.failure.strerror
        return DiskError(f"cannot read: {told or 'it became shorter'}", where=str(self._source))

    def read(self, most: int) -> bytes:
        """The next bytes, at most so many; empty at the end, and where the file fails."""
        wanted = min(most, self.size - self._at)
        piece = self._piece(wanted) if wanted > 0 else b""
        self._at += len(piece)
        return piece

    def seek(self, position: int, origin: int = os.SEEK_SET) -> None:
        """Go on from ``position``: libcurl sends again what a redirect or a new connection lost."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[origin]
        self._at = base + position
        self._forget()

    def close(self) -> None:
        """Give the file back."""
        self._forget()

    def _piece(self, wanted: int) -> bytes:
        at = self._start + self._at
        if isinstance(self._source, bytes):
            return self._source[at : at + wanted]
        try:
            if self._file is None:
                self._file = self._source.open("rb")
                self._file.seek(at)
            return self._file.read(wanted)
        except OSError as error:
            self.failure = error
            return b""

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
