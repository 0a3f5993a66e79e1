"""The few facts of an ELF file that its loader goes by (System V ABI, "Dynamic Linking")."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from typing import IO

MACHINES = {"amd64": (64, 62), "arm64": (64, 183)}
"""Architecture → the class (bits) and ``e_machine`` of its files."""

_MAGIC = b"\x7fELF"
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_STRTAB, _DT_STRSZ = 0, 5, 10
_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 14, 15, 29
_TEXTS = (_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH)
_TABLE_LIMIT = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """``bits`` is 32 or 64, ``machine`` ``e_machine``; ``needed`` are sonames as they stand.

    ``search`` are the folders that its loader looks in first, with ``$ORIGIN`` as it stands.
    """

    bits: int
    machine: int
    soname: str | None
    needed: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


def read_elf(file: IO[bytes]) -> Elf | None:
    """What the file says of itself; None when no loader would take it for an ELF file.

    Args:
        file: seekable; read from its start, as far as its dynamic section.
    """
    try:
        return _read(file)
    except (struct.error, LookupError, OverflowError, ValueError):
        return None  # cut short, or garbage where a table should be


def _read(file: IO[bytes]) -> Elf | None:
    head = file.read(64)
    if head[:4] != _MAGIC or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    (machine,) = struct.unpack_from(f"{order}H", head, 18)
    (table,) = struct.unpack_from(f"{order}Q" if wide else f"{order}I", head, 32 if wide else 28)
    width, count = struct.unpack_from(f"{order}2H", head, 54 if wide else 42)
    segments = _segments(_at(file, table, width * count), width, order, wide=wide)
    bits = 64 if wide else 32
    dynamic = [(start, size) for kind, start, _, size in segments if kind == _PT_DYNAMIC]
    if not dynamic:
        return Elf(bits=bits, machine=machine, soname=None)
    pairs = struct.iter_unpack(f"{order}qQ" if wide else f"{order}iI", _at(file, *dynamic[0]))
    entries = list(itertools.takewhile(lambda entry: entry[0] != _DT_NULL, pairs))
    texts: dict[int, list[str]] = {tag: [] for tag in _TEXTS}
    if any(tag in texts for tag, _ in entries):
        strings = _strings(file, dict(reversed(entries)), segments)
        for tag, value in entries:
            if tag in texts:
                texts[tag].append(_text(strings, value))
    return Elf(
        bits=bits,
        machine=machine,
        soname=next(iter(texts[_DT_SONAME]), None),
        needed=tuple(texts[_DT_NEEDED]),
        # Where there is a RUNPATH, an RPATH does not count.
        search=tuple(
            folder
            for path in texts[_DT_RUNPATH] or texts[_DT_RPATH]
            for folder in path.split(":")
            if folder
        ),
    )


_Segment = tuple[int, int, int, int]
"""Type, offset in the file, address in memory, bytes in the file."""


def _segments(table: bytes, width: int, order: str, *, wide: bool) -> list[_Segment]:
    found = []
    for at in range(0, len(table), width):
        if wide:
            kind, _, start, address, _, size = struct.unpack_from(f"{order}2I4Q", table, at)
        else:
            kind, start, address, _, size = struct.unpack_from(f"{order}5I", table, at)
        found.append((kind, start, address, size))
    return found


def _strings(file: IO[bytes], entries: dict[int, int], segments: list[_Segment]) -> bytes:
    """The dynamic string table: its address in memory says where it is in the file."""
    address, size = entries[_DT_STRTAB], entries[_DT_STRSZ]
    for kind, start, memory, length in segments:
        if kind == _PT_LOAD and memory <= address < memory + length:
            return _at(file, start + address - memory, size)
    raise ValueError


def _at(file: IO[bytes], start: int, size: int) -> bytes:
    if size > _TABLE_LIMIT:
        raise ValueError
    file.seek(start)
    content = file.read(size)
    if len(content) != size:
        raise ValueError
    return content


def _text(strings: bytes, start: int) -> str:
    return strings[start : strings.index(b"\0", start)].decode()
