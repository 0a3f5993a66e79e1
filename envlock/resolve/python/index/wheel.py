"""A wheel's own description, read from as few of its bytes as possible (zip, APPNOTE 6.3)."""

from __future__ import annotations

import functools
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MAX_METADATA = 32 * 1024 * 1024
TAIL_BYTES = 32 * 1024
_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")


class OddZipError(ValueError):
    """The archive needs a complete zip reader (ZIP64, odd layout), or is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Bytes of a file of ``total`` bytes, from ``start`` on."""

    start: int
    data: bytes
    total: int

    def span(self, start: int, end: int) -> bytes | None:
        """The bytes from ``start`` to ``end`` of the whole file, when they are all here."""
        if start < self.start or end > self.start + len(self.data):
            return None
        return self.data[start - self.start : end - self.start]


def info_from_tail(tail: Part, read: Callable[[int, int], Part], name: str = "METADATA") -> bytes:
    """The file ``name`` in the .dist-info of the wheel whose last bytes are ``tail``.

    Args:
        tail: the wheel's end (all of it, for a small wheel).
        read: fetches more: bytes from the first to before the second position.
        name: ``METADATA`` or ``WHEEL``.

    Raises:
        OddZipError: this reader does not manage; a complete one may.
    """
    directory_start, directory_size = _directory(tail)
    directory = tail.span(directory_start, directory_start + directory_size)
    if directory is None:
        # METADATA usually stands among the last entries, before the directory, with RECORD behind
        # it, which is about as long as the directory: one request for both.
        lead = max(64 * 1024, 2 * directory_size)
        start = max(0, directory_start - lead)
        more = read(start, tail.start)
        tail = Part(start=start, data=more.data + tail.data, total=tail.total)
        directory = tail.span(directory_start, directory_start + directory_size)
        if directory is None:
            raise OddZipError("the central directory is not where it should be")
    entry = _find(directory, name)
    # The local header repeats the name and may have its own extra field.
    end = min(entry.offset + _LOCAL.size + len(entry.name) + 512 + entry.packed, directory_start)
    local = tail.span(entry.offset, end)
    if local is None:
        local = read(entry.offset, end).data
    return _unpack(local, entry)


def info_from_file(path: Path, name: str = "METADATA") -> bytes:
    """The file ``name`` in the .dist-info of a whole wheel.

    Raises:
        OddZipError: not a wheel.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if _names(name).match(n.encode())]
            if len(names) != 1:
                raise OddZipError(f"{len(names)} {name} files")
            if archive.getinfo(names[0]).file_size > MAX_METADATA:
                raise OddZipError(f"its {name} is too large")
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError) as error:
        raise OddZipError(str(error)) from None


@functools.cache
def _names(name: str) -> re.Pattern[bytes]:
    """A path of a file called ``name`` in a .dist-info at the archive's top."""
    return re.compile(rb"[^/]+\.dist-info/" + name.encode() + rb"\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    offset: int
    method: int
    packed: int
    size: int
    crc: int
    name: bytes


def _directory(tail: Part) -> tuple[int, int]:
    """Where the central directory starts, and its length."""
    position = tail.data.rfind(b"PK\x05\x06")
    if position < 0 or position + _END.size > len(tail.data):
        raise OddZipError("no end of central directory")
    fields = _END.unpack_from(tail.data, position)
    size, start = fields[5], fields[6]
    if 0xFFFFFFFF in (size, start):
        raise OddZipError("ZIP64")
    if start + size > tail.start + position:
        raise OddZipError("the central directory is not where it should be")
    return start, size


def _find(directory: bytes, wanted: str) -> _Entry:
    """The one ``*.dist-info/NAME`` at the archive's top."""
    pattern, ending = _names(wanted), f".dist-info/{wanted}".encode()
    found: list[_Entry] = []
    position = 0
    while position + _ENTRY.size <= len(directory):
        fields = _ENTRY.unpack_from(directory, position)
        if fields[0] != b"PK\x01\x02":
            raise OddZipError("a damaged central directory")
        name_size, extra_size, comment_size = fields[12], fields[13], fields[14]
        name_start = position + _ENTRY.size
        name = directory[name_start : name_start + name_size]
        if name.endswith(ending) and pattern.match(name):
            found.append(
                _Entry(
                    offset=fields[18],
                    method=fields[6],
                    packed=fields[10],
                    size=fields[11],
                    crc=fields[9],
                    name=name,
                )
            )
        position = name_start + name_size + extra_size + comment_size
    if position != len(directory):
        raise OddZipError("a damaged central directory")
    if len(found) != 1 or 0xFFFFFFFF in (found[0].offset, found[0].packed, found[0].size):
        raise OddZipError(f"{len(found)} plain {wanted} files")
    return found[0]


def _unpack(local: bytes, entry: _Entry) -> bytes:
    if len(local) < _LOCAL.size or local[:4] != b"PK\x03\x04":
        raise OddZipError("no local header")
    fields = _LOCAL.unpack_from(local)
    start = _LOCAL.size + fields[9] + fields[10]
    if local[_LOCAL.size : _LOCAL.size + fields[9]] != entry.name:
        raise OddZipError("the local header is another file's")
    packed = local[start : start + entry.packed]
    if len(packed) != entry.packed or entry.size > MAX_METADATA:
        raise OddZipError("the file is not where it should be")
    try:
        if entry.method == zipfile.ZIP_STORED:
            content = packed
        elif entry.method == zipfile.ZIP_DEFLATED:
            content = zlib.decompressobj(-15).decompress(packed, entry.size + 1)
        else:
            raise OddZipError(f"compression method {entry.method}")
    except zlib.error as error:
        raise OddZipError(str(error)) from None
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise OddZipError("the file does not match its checksum")
    return content
