"""Where the body of an HTTP answer goes: memory, a counter, a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from envlock.errors import SourceError
from envlock.io.urls import without_credentials

_PAGE_BYTES = 1024 * 1024
"""More of an error's page than that is not waited for."""


class Sink(Protocol):
    """Where a body goes. Its methods run in a libcurl callback: they must not raise."""

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """A body with this status and these headers starts; what came before it is void."""

    def write(self, data: bytes) -> bool:
        """Take bytes; False ends the transfer (``outcome`` then says whether that is an error)."""

    def range(self) -> str | None:
        """The ``Range`` that the next attempt asks for (``0-99``, ``500-``, ``-100``), or None."""

    def error(self) -> SourceError | None:
        """Why ``write`` ended the transfer; None when it had all it wanted."""


class MemorySink:
    """Keeps the body in memory, at most ``max_bytes``; with ``first``, only that many bytes."""

    def __init__(
        self, url: str, max_bytes: int, *, first: int | None = None, span: str | None = None
    ) -> None:
        self._url = url
        self._max = max_bytes
        self._first = first
        self._span = span
        self._chunks: list[bytes] = []
        self._size = 0
        self._too_big = False

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Forget an earlier attempt's bytes."""
        self._chunks.clear()
        self._size = 0
        self._too_big = False

    def write(self, data: bytes) -> bool:
        """Keep the bytes, up to the limits."""
        self._chunks.append(data)
        self._size += len(data)
        if self._first is not None and self._size > self._first:
            return False
        self._too_big = self._size > self._max
        return not self._too_big

    def range(self) -> str | None:
        """The span asked for from the start; an interrupted body begins again."""
        return self._span

    def error(self) -> SourceError | None:
        """Too many bytes are an error: an answer without end must not fill the memory."""
        if self._too_big:
            return SourceError(
                f"the answer is larger than {self._max} bytes",
                where=without_credentials(self._url),
                remedy="check that the address is what it should be",
            )
        return None

    def body(self) -> bytes:
        """What was kept."""
        whole = b"".join(self._chunks)
        return whole if self._first is None else whole[: self._first]


class CountingSink:
    """Counts the body's bytes and keeps none; with ``stop``, ends at the first byte."""

    def __init__(self, *, stop: bool = False, span: str | None = None) -> None:
        self._stop = stop
        self._span = span
        self.count = 0

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Start counting again."""
        self.count = 0

    def write(self, data: bytes) -> bool:
        """Count."""
        self.count += len(data)
        return not self._stop

    def range(self) -> str | None:
        """The span asked for from the start."""
        return self._span

    def error(self) -> SourceError | None:
        """Stopping early is what was wanted."""
        return None


class FileSink:
    """Writes to a file and digests on the way; an interrupted body is continued by ``Range``.

    The digest makes continuing safe: whatever the server stitched together is verified. Where
    there is none to compare with, ``resume=False`` lets an interrupted body begin again. A body of
    more than ``limit`` bytes ends the transfer, and is ``overlong``.
    """

    def __init__(self, path: Path, *, resume: bool = True, limit: int | None = None) -> None:
        self._path = path
        self._resume = resume
        self._limit = float("inf") if limit is None else limit
        self._digest = hashlib.sha256()
        # Without a buffer: what does not fit on the disk shows at once, not when closing.
        self._file = path.open("wb", buffering=0)
        self._failure: OSError | None = None
        self._wanted = True
        self._unwanted = 0
        self.size = 0
        self.resumed = False
        self.overlong = False

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Continue when the server sends the rest (206 from our position), else start over.

        The text of an error page is no part of the file, and leaves what is there as it is.
        """
        self._wanted = status in (200, 206)
        self._unwanted = 0
        span = headers.get("content-range", "")
        if status == 206 and self.size and span.startswith(f"bytes {self.size}-"):
            self.resumed = True
        elif self._wanted:
            self._restart()
        length = headers.get("content-length", "")
        if self._wanted and length.isascii() and length.isdigit():
            # No need to wait for what would be too much.
            self.overlong = self.size + int(length) > self._limit

    def _restart(self) -> None:
        """Throw away what was written."""
        try:
            self._file.seek(0)
            self._file.truncate()
        except OSError as error:
            self._failure = error
        self._digest = hashlib.sha256()
        self.size = 0
        self.resumed = False
        self.overlong = False

    def write(self, data: bytes) -> bool:
        """Write and digest; a full disk and a body that is too long end the transfer."""
        if not self._wanted:
            self._unwanted += len(data)
            return self._unwanted <= _PAGE_BYTES
        self.overlong = self.overlong or self.size + len(data) > self._limit
        if self.overlong:
            return False
        left = memoryview(data)
        try:
            while left and self._failure is None:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._failure = error
        if self._failure is not None:
            return False
        self._digest.update(data)
        self.size += len(data)
        return True

    def range(self) -> str | None:
        """From what is already there on."""
        return f"{self.size}-" if self.size and self._resume else None

    def error(self) -> SourceError | None:
        """The disk's error, if any."""
        if self._failure is None:
            return None
        return SourceError(
            f"cannot write: {self._failure.strerror}",
            where=str(self._path.parent),
            remedy="check the free space and the permissions of the folder",
        )

    def finish(self) -> str:
        """Bring all to the disk and close; the sha256 of all bytes in hex."""
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close without judging."""
        self._file.close()
