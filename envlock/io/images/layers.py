"""Reads an image's layers as streams: unpacked on the way, held to both digests, never kept.

A layer is a tar (OCI image specification, "Image Layer Filesystem Changeset"), plain or compressed
with gzip or zstd. It may be hostile: memory stays bounded, whatever its headers say.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from envlock.errors import VerificationError
from envlock.io.images.source import Span, damaged

MAX_LAYER_BYTES = 256 * 1024**3
"""Unpacked; no layer comes near."""
_MAX_HEADER_BYTES = 4 * 1024 * 1024
_MAX_NAME = 64 * 1024
_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A member of a layer. ``name`` is its path from the root, normal, without a leading slash.

    ``kind`` is ``file``, ``folder``, ``symlink``, ``hardlink`` or ``other``; ``target`` that of a
    link. ``pieces`` gives a file's content, once, before the next entry is asked for.
    """

    name: str
    kind: str
    target: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


def entries(span: Span, *, digest: str, diff_id: str, where: str) -> Iterator[Entry]:
    """Every member of a layer, in order; at the end both digests are right.

    Args:
        span: where the layer lies.
        digest: ``sha256:…`` of the bytes there.
        diff_id: ``sha256:…`` of the unpacked tar.
        where: the image, for errors.

    Raises:
        VerificationError: cut, damaged, other bytes than a digest says, or a path that leads out.
    """
    try:
        with _unpacked(span, digest, where) as (packed, unpacked):
            stream = _Forward(unpacked)
            with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
                yield from _members(archive, stream, where)
            stream.to_end()
            packed.to_end()
            for found, wanted in ((stream.digest(), diff_id), (packed.digest(), digest)):
                if found != wanted:
                    raise damaged(where, f"a layer's digest is {found}, it must be {wanted}")
    except VerificationError:
        raise
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, OverflowError) as error:
        raise damaged(where, f"the layer {digest} cannot be read to its end: {error}") from None
    except RecursionError:
        raise damaged(where, f"the layer {digest} has headers without end") from None


def _members(archive: tarfile.TarFile, stream: _Forward, where: str) -> Iterator[Entry]:
    while True:
        stream.room = _MAX_HEADER_BYTES
        member = archive.next()
        if member is None:
            return
        archive.members.clear()  # type: ignore[attr-defined]
        name = clean(member.name, where)
        stream.room = member.size + 2 * tarfile.BLOCKSIZE

        def pieces(member: tarfile.TarInfo = member) -> Iterator[bytes]:
            content = archive.extractfile(member)
            left = member.size
            while content is not None and left and (piece := content.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece

        yield Entry(
            name=name,
            kind=_kind(member),
            target=member.linkname[:_MAX_NAME],
            size=member.size,
            pieces=pieces,
        )


def _kind(member: tarfile.TarInfo) -> str:
    if member.issparse():
        return "other"
    kinds = (
        (member.isreg(), "file"),
        (member.isdir(), "folder"),
        (member.issym(), "symlink"),
        (member.islnk(), "hardlink"),
    )
    return next((kind for fits, kind in kinds if fits), "other")


def clean(name: str, where: str) -> str:
    """A member's path in normal form; the root is the empty text.

    Raises:
        VerificationError: it is absolute, leads out with ``..``, or has no end.
    """
    path = PurePosixPath(name)
    if len(name) > _MAX_NAME or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise damaged(where, f"a layer has the path {name[:200]!r}, which leads out of it")
    text = str(path)
    return "" if text == "." else text


class _Digesting(io.RawIOBase):
    """Reads a span of a file, and digests what was read."""

    def __init__(self, file: IO[bytes], span: Span) -> None:
        self._file = file
        self._left = span.size
        self._sha256 = hashlib.sha256()
        file.seek(span.start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._file.read(min(len(view), self._left))
        self._left -= len(data)
        self._sha256.update(data)
        view[: len(data)] = data
        return len(data)

    def to_end(self) -> None:
        """Read what is left."""
        while self.read(_PIECE):
            pass

    def digest(self) -> str:
        """Of all that was read."""
        return "sha256:" + self._sha256.hexdigest()


class _Forward:
    """A file for ``tarfile`` over a stream: it moves forward, digests, and reads no more at once
    than it has room for, so that a header cannot ask for gigabytes.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._at = 0
        self._last = b""
        self._back = False
        self._sha256 = hashlib.sha256()
        self.room = _MAX_HEADER_BYTES

    def tell(self) -> int:
        return self._at - self._back

    def seek(self, position: int, whence: int = 0) -> int:
        # tarfile looks at the byte before a header, to see that all came before it.
        self._back = whence == 0 and position == self._at - 1 and bool(self._last)
        if not self._back and (whence or position < self._at):
            raise OSError("it leads back")
        while self._at < position:
            if not self._take(min(position - self._at, _PIECE)):
                break
        return self.tell()

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self.room:
            raise OSError("a header asks for more than any needs")
        self.room -= size
        head = self._last if self._back and size else b""
        self._back = self._back and not head
        pieces = [head]
        left = size - len(head)
        while left and (piece := self._take(left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def to_end(self) -> None:
        """Read what is left."""
        while self._take(_PIECE):
            pass

    def digest(self) -> str:
        """Of all that was read."""
        return "sha256:" + self._sha256.hexdigest()

    def _take(self, size: int) -> bytes:
        piece = self._stream.read(min(size, _PIECE))
        self._at += len(piece)
        if self._at > MAX_LAYER_BYTES:
            raise OSError(f"it unpacks to more than {MAX_LAYER_BYTES} bytes")
        self._sha256.update(piece)
        self._last = piece[-1:] or self._last
        return piece


@contextmanager
def _unpacked(span: Span, digest: str, where: str) -> Iterator[tuple[_Digesting, IO[bytes]]]:
    """The bytes as they lie there, and unpacked."""
    with span.path.open("rb") as file:
        file.seek(span.start)
        magic = file.read(min(4, span.size))
        packed = _Digesting(file, span)
        if magic[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BufferedReader(packed, _PIECE)) as unpacked:
                yield packed, unpacked  # type: ignore[misc]
        elif magic == b"\x28\xb5\x2f\xfd":
            import zstandard

            reader = io.BufferedReader(packed, _PIECE)
            decompressor = zstandard.ZstdDecompressor(max_window_size=128 * 1024 * 1024)
            try:
                with decompressor.stream_reader(reader, read_across_frames=True) as unpacked:
                    yield packed, unpacked
            except zstandard.ZstdError as error:
                raise damaged(where, f"the layer {digest} cannot be unpacked: {error}") from None
        else:
            yield packed, io.BufferedReader(packed, _PIECE)
