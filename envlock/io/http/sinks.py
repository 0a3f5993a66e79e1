"""Where the body of an HTTP answer goes: memory, a counter, a file."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from io import FileIO
from pathlib import Path
from typing import Protocol

from envlock.errors import DiskError, SourceError, VerificationError
from envlock.io.files import disk_error
from envlock.io.http.urls import without_credentials

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

    def kept(self) -> int:
        """How many bytes the next attempt need not bring again."""

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

    def kept(self) -> int:
        """None."""
        return 0

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

    def kept(self) -> int:
        """None."""
        return 0

    def error(self) -> SourceError | None:
        """Stopping early is what was wanted."""
        return None


class FileSink:
    """Writes to a file and digests on the way; an interrupted body is continued by ``Range``.

    The digest makes continuing safe: whatever the server stitched together is verified. Where
    there is none to compare with, ``resume=False`` lets an interrupted body begin again.

    Args:
        path: the file to write, and for messages.
        file: the same one, open for reading and writing without a buffer, and not closed here:
            what it has already is continued.
        resume: continue an interrupted body.
        limit: a body of more bytes ends the transfer, and is ``overlong``.
        on_size: called with the number of bytes there, each time that it changes.
    """

    def __init__(
        self,
        path: Path,
        *,
        file: FileIO | None = None,
        resume: bool = True,
        limit: int | None = None,
        on_size: Callable[[int], None] | None = None,
    ) -> None:
        self._path = path
        self._resume = resume
        self._limit = float("inf") if limit is None else limit
        self._on_size = on_size
        self._digest = hashlib.sha256()
        # Who waited may give up while the loop's thread still writes.
        self._guard = threading.Lock()
        self._closed = False
        self._own = file is None
        # Without a buffer: what does not fit on the disk shows at once, not when closing.
        self._file = FileIO(path, "w+") if file is None else file
        self._failure: OSError | None = None
        self._wanted = True
        self._unwanted = 0
        self.size = 0
        self.resumed = False
        self.overlong = False
        if file is not None:
            self._take_over()

    def _take_over(self) -> None:
        self._file.seek(0)
        while piece := self._file.read(1024 * 1024):
            self._digest.update(piece)
            self.size += len(piece)
        self._tell()

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
            self.restart()
        length = headers.get("content-length", "")
        if self._wanted and length.isascii() and length.isdigit():
            # No need to wait for what would be too much.
            self.overlong = self.size + int(length) > self._limit

    def restart(self) -> None:
        """Throw away what was written."""
        with self._guard:
            if self._closed:
                return
            try:
                self._file.seek(0)
                self._file.truncate()
            except OSError as error:
                self._failure = error
        self._digest = hashlib.sha256()
        self.size = 0
        self.resumed = False
        self.overlong = False
        self._tell()

    def write(self, data: bytes) -> bool:
        """Write and digest; a full disk and a body that is too long end the transfer."""
        if not self._wanted:
            self._unwanted += len(data)
            return self._unwanted <= _PAGE_BYTES
        self.overlong = self.overlong or self.size + len(data) > self._limit
        if self.overlong:
            return False
        with self._guard:
            if self._closed:
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
        self._tell()
        return True

    def _tell(self) -> None:
        if self._on_size is not None:
            self._on_size(self.size)

    def range(self) -> str | None:
        """From what is already there on."""
        return f"{self.size}-" if self.size and self._resume else None

    def kept(self) -> int:
        """All, where an interrupted body is continued."""
        return self.size if self._resume else 0

    def error(self) -> DiskError | None:
        """The disk's error, if any."""
        return None if self._failure is None else disk_error(self._failure, self._path.parent)

    def digest(self) -> str:
        """The sha256 of all bytes in hex."""
        return self._digest.hexdigest()

    def verify(self, sha256: str | None, size: int | None, url: str) -> None:
        """Hold what is there against the digest and the size that it must have, where stated.

        Raises:
            VerificationError: it differs.
            SourceError: it has no end, and no size was stated.
        """
        where = without_credentials(url)
        elsewhere = "do not use this file; try another index or mirror"
        if self.overlong and size is None:
            raise SourceError(
                f"the file is larger than {self._limit} bytes, or has no end",
                where=where,
                remedy="check that the address is what it should be",
            )
        if self.overlong:
            raise VerificationError(
                f"more than the stated {size} bytes", where=where, remedy=elsewhere
            )
        if sha256 is not None and self.digest() != sha256:
            raise VerificationError(
                f"sha256 is {self.digest()}, the lock says {sha256}", where=where, remedy=elsewhere
            )
        if size is not None and self.size != size:
            raise VerificationError(
                f"{self.size} bytes, the lock says {size}",
                where=where,
                remedy="correct the size in the lock; the digest is right",
            )

    def flush(self) -> None:
        """Bring all to the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Take no more; close the file, unless it was given."""
        with self._guard:
            self._closed = True
            if self._own:
                self._file.close()
