"""Compressed files of an archive, unpacked with a bound on what comes out."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Protocol

from envlock.errors import VerificationError


class _Decompressor(Protocol):
    """What lzma's and bz2's decompressors have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


_MEMORY = 256 * 1024 * 1024
SUFFIXES = (".xz", ".gz", ".bz2", "")
"""How a file may be compressed, best first."""


def unpack(content: bytes, suffix: str, *, limit: int, where: str) -> bytes:
    """The content of a compressed file; several streams in a row are one.

    Args:
        suffix: one of ``SUFFIXES``.
        limit: more bytes than that are an error: a small file must not fill the memory.

    Raises:
        VerificationError: it is damaged, or larger.
    """
    if suffix == "":
        return content
    pieces: list[bytes] = []
    left, room = content, limit
    try:
        while left:
            piece, left = _stream(left, suffix, room + 1)
            pieces.append(piece)
            room -= len(piece)
            if room < 0:
                raise VerificationError(
                    f"unpacks to more than the {limit} bytes its Release says",
                    where=where,
                    remedy="do not use this mirror",
                )
    except (lzma.LZMAError, zlib.error, OSError, EOFError) as error:
        raise VerificationError(
            f"cannot be unpacked: {error}", where=where, remedy="use another mirror"
        ) from None
    return b"".join(pieces)


def _stream(content: bytes, suffix: str, limit: int) -> tuple[bytes, bytes]:
    """One stream's bytes (at most ``limit``), and what follows it."""
    if suffix == ".gz":
        inflate = zlib.decompressobj(31)
        piece = inflate.decompress(content, limit)
        if not inflate.eof and len(piece) < limit:
            raise EOFError("it is cut short")
        return piece, inflate.unused_data
    tool: _Decompressor = (
        lzma.LZMADecompressor(memlimit=_MEMORY) if suffix == ".xz" else bz2.BZ2Decompressor()
    )
    piece = tool.decompress(content, limit)
    if not tool.eof and len(piece) < limit:
        raise EOFError("it is cut short")
    return piece, tool.unused_data
