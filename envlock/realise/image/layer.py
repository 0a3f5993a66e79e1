"""Writes a layer: a tar archive of fixed form, its compression and its digests, as a stream.

Every header is a USTAR one, with a PAX header before it where a name or number does not fit
(POSIX.1-2001, as ``tarfile`` writes it). Owners are numbers, names of owners are empty.
"""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from envlock.errors import UsageError
from envlock.io.files import disk_error
from envlock.io.store import Fresh

EARLIEST = 315532800
"""1980-01-01: the time (seconds since the epoch) of what has none of its own."""

MEDIA_TYPES = {
    "none": "application/vnd.oci.image.layer.v1.tar",
    "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}
"""How layers are compressed, and what OCI calls that."""

_PIECE = 1 << 20
_ZSTD_LEVEL = 3
_GZIP_LEVEL = 6
# No name, no time, and "unknown" for the system that wrote it (RFC 1952).
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer in the store.

    ``digest`` (64 hex digits) and ``size`` are of the file as it is stored, ``diff_id`` is the
    digest of the tar archive. ``title`` says what is in it.
    """

    title: str
    digest: str
    size: int
    diff_id: str
    compression: str

    @property
    def media_type(self) -> str:
        """OCI's name of what the file is."""
        return MEDIA_TYPES[self.compression]


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Plain:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class _Gzip:
    """RFC 1952 by hand: zlib's own header would name the system that runs."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = 0
        self._size = 0
        self._head = _GZIP_HEADER

    def compress(self, data: bytes, /) -> bytes:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        head, self._head = self._head, b""
        return head + self._deflate.compress(data)

    def flush(self) -> bytes:
        tail = self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")
        return self._head + self._deflate.flush() + tail


def compressor(compression: str) -> _Compressor:
    """What turns a tar archive into the file of a layer."""
    if compression == "none":
        return _Plain()
    if compression == "gzip":
        return _Gzip()
    import zstandard

    zstd: _Compressor = zstandard.ZstdCompressor(
        level=_ZSTD_LEVEL, write_checksum=True, write_content_size=False
    ).compressobj()
    return zstd


def compression_identity(compression: str) -> str:
    """What decides the bytes of a compressed layer beside its content."""
    if compression == "none":
        return "none"
    if compression == "gzip":
        return f"gzip-{_GZIP_LEVEL} zlib {zlib.ZLIB_RUNTIME_VERSION}"
    import zstandard

    version = ".".join(str(part) for part in zstandard.ZSTD_VERSION)
    return f"zstd-{_ZSTD_LEVEL} libzstd {version}"


class LayerWriter:
    """A layer that is being written into the store; a context manager.

    Args:
        title: what is in it, for the image's history.
        compression: a key of ``MEDIA_TYPES``.

    Raises:
        SourceError: the disk cannot take it.
    """

    def __init__(self, title: str, compression: str) -> None:
        self._title = title
        self._compression = compression
        self._fresh = Fresh()
        self._compress = compressor(compression)
        self._diff = hashlib.sha256()
        self._digest = self._diff if compression == "none" else hashlib.sha256()
        self._size = 0
        self._length = 0

    def __enter__(self) -> LayerWriter:
        self._fresh.__enter__()
        return self

    def __exit__(self, *cause: object) -> None:
        self._fresh.__exit__(*cause)

    def folder(
        self, path: str, *, mode: int = 0o755, mtime: int = EARLIEST, uid: int = 0, gid: int = 0
    ) -> None:
        """A folder; ``path`` is relative to the image's root, as everywhere here."""
        info = self._info(path + "/", tarfile.DIRTYPE, mode, mtime)
        info.uid, info.gid = uid, gid
        self._header(info)

    def symlink(self, path: str, target: str, *, mtime: int = EARLIEST) -> None:
        """A symbolic link."""
        info = self._info(path, tarfile.SYMTYPE, 0o777, mtime)
        info.linkname = target
        self._header(info)

    def hard_link(self, path: str, target: str, *, like: tarfile.TarInfo) -> None:
        """Another name of a file that is in this layer already."""
        info = self._info(path, tarfile.LNKTYPE, like.mode & 0o7777, int(like.mtime))
        info.linkname = target
        info.uid, info.gid = like.uid, like.gid
        self._header(info)

    def file(
        self,
        path: str,
        content: bytes | IO[bytes],
        *,
        size: int | None = None,
        mode: int = 0o644,
        mtime: int = EARLIEST,
        uid: int = 0,
        gid: int = 0,
    ) -> None:
        """A regular file; of a stream, ``size`` bytes are read."""
        info = self._info(path, tarfile.REGTYPE, mode, mtime)
        info.uid, info.gid = uid, gid
        if isinstance(content, bytes):
            info.size = len(content)
            self._header(info)
            self._write(content)
        else:
            info.size = size or 0
            self._header(info)
            self._stream(path, content, info.size)
        self._write(bytes(-info.size % tarfile.BLOCKSIZE))

    def member(self, info: tarfile.TarInfo, content: IO[bytes] | None, size: int) -> None:
        """Any member as ``info`` says, which the caller has made; ``content`` of a regular file."""
        info.size = size if content is not None else 0
        self._header(info)
        if content is not None:
            self._stream(info.name, content, size)
            self._write(bytes(-size % tarfile.BLOCKSIZE))

    def settle(self) -> Layer:
        """End the archive and put it into the store."""
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        self._write(bytes(-self._length % tarfile.RECORDSIZE))
        self._put(self._compress.flush())
        digest = self._digest.hexdigest()
        self._fresh.settle(digest)
        return Layer(
            title=self._title,
            digest=digest,
            size=self._size,
            diff_id=self._diff.hexdigest(),
            compression=self._compression,
        )

    def _info(self, path: str, kind: bytes, mode: int, mtime: int) -> tarfile.TarInfo:
        info = tarfile.TarInfo(path)
        info.type, info.mode = kind, mode
        info.mtime = max(0, int(mtime))
        return info

    def _header(self, info: tarfile.TarInfo) -> None:
        self._write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def _stream(self, path: str, content: IO[bytes], size: int) -> None:
        left = size
        while left:
            piece = content.read(min(left, _PIECE))
            if not piece:
                raise UsageError("it ends before its own size says", where=path)
            self._write(piece)
            left -= len(piece)

    def _write(self, data: bytes) -> None:
        self._length += len(data)
        self._diff.update(data)
        self._put(self._compress.compress(data))

    def _put(self, data: bytes) -> None:
        if not data:
            return
        if self._digest is not self._diff:
            self._digest.update(data)
        self._size += len(data)
        try:
            self._fresh.file.write(data)
        except OSError as error:
            raise disk_error(error, Path(self._fresh.path).parent) from None
