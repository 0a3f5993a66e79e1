"""A remote file as a file object: its end first, then the parts that are asked for (RFC 9110 §14).

What is read so is covered by no digest.
"""

from __future__ import annotations

import io
from collections.abc import Iterable

from envlock.io.http.client import Http, Login, Response, expect_ok

TAIL_BYTES = 64 * 1024
_GAP = 64 * 1024
_AHEAD = 256 * 1024


class NoRangesError(Exception):
    """The server does not give parts of files, or other ones than it was asked for."""


class RangeFile(io.RawIOBase):
    """The file at ``url``, for reading.

    Raises:
        NoRangesError: also by each later call.
        SourceError: the server does not answer, or refuses.
    """

    def __init__(self, http: Http, url: str, *, login: Login | None = None) -> None:
        self._http = http
        self._url = url
        self._login = login
        self._at = 0
        self._parts: list[tuple[int, bytes]] = []
        response = http.get(url, credentials=login, span=f"-{TAIL_BYTES}", first=TAIL_BYTES)
        start, tail, self.size = self._part(response)
        if start + len(tail) != self.size:
            raise NoRangesError
        self._parts.append((start, tail))

    def prefetch(self, spans: Iterable[tuple[int, int]]) -> None:
        """Get these parts (first and before-last position) at once; near ones in one request."""
        wanted: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if wanted and start - wanted[-1][1] <= _GAP:
                wanted[-1] = (wanted[-1][0], max(end, wanted[-1][1]))
            else:
                wanted.append((start, end))
        pending = [
            (
                start,
                end,
                self._http.submit(
                    self._url,
                    credentials=self._login,
                    span=f"{start}-{end - 1}",
                    first=end - start,
                ),
            )
            for start, end in wanted
            if end > start and self._here(start, end) is None
        ]
        for start, end, future in pending:
            found, content, total = self._part(future.result())
            if (found, len(content), total) != (start, end - start, self.size):
                raise NoRangesError
            self._parts.append((start, content))

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set where the next read begins."""
        self._at = max(0, offset + (0, self._at, self.size)[whence])
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Bytes from here on; fewer than ``size`` only at the file's end."""
        end = self.size if size < 0 else min(self.size, self._at + size)
        if end <= self._at:
            return b""
        content = self._here(self._at, end)
        if content is None:
            self.prefetch([(self._at, min(self.size, max(end, self._at + _AHEAD)))])
            content = self._here(self._at, end)
        if content is None:
            raise NoRangesError
        self._at = end
        return content

    def _here(self, start: int, end: int) -> bytes | None:
        for first, content in self._parts:
            if first <= start and end <= first + len(content):
                return content[start - first : end - first]
        return None

    def _part(self, response: Response) -> tuple[int, bytes, int]:
        """Where the answer's bytes begin, they, and the whole file's size."""
        if response.status == 416:
            raise NoRangesError
        expect_ok(response, self._url)
        span, _, total = response.headers.get("content-range", "").partition("/")
        start = span.removeprefix("bytes ").partition("-")[0]
        if response.status != 206 or not (start.isdigit() and total.isdigit()):
            raise NoRangesError
        return int(start), response.body, int(total)
