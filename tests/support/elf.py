"""Tiny shared objects, byte by byte (System V ABI): a dynamic section and the names in it.

No compiler makes them, so that tests need none; `tests/integration/test_os_libraries.py` holds them
against readelf.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

AMD64, ARM64, I386, PPC64 = 62, 183, 3, 21
_BASE = 0x400000


def shared_object(
    *needed: str,
    soname: str | None = None,
    runpath: str | None = None,
    rpath: str | None = None,
    machine: int = AMD64,
    bits: int = 64,
    big: bool = False,
    padding: int = 0,
) -> bytes:
    """A file whose dynamic section names these libraries; ``padding`` bytes lie in front of it."""
    order, wide = ">" if big else "<", bits == 64
    strings = b"\0"
    entries: list[tuple[int, int]] = []
    texts: Iterable[tuple[int, str | None]] = (
        *((1, name) for name in needed),
        (14, soname),
        (29, runpath),
        (15, rpath),
    )
    for tag, text in texts:
        if text is not None:
            entries.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    head_size, segment_size = (64, 56) if wide else (52, 32)
    strings_at = head_size + 2 * segment_size
    dynamic_at = -(-(strings_at + len(strings) + padding) // 16) * 16
    entries += [(5, _BASE + strings_at), (10, len(strings)), (0, 0)]
    dynamic = b"".join(struct.pack(f"{order}{'qQ' if wide else 'iI'}", *e) for e in entries)
    total = dynamic_at + len(dynamic)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    counts = (head_size, segment_size, 2, 64 if wide else 40, 0, 0)
    form = f"{order}2HI3QI6H" if wide else f"{order}2HI3II6H"
    head = struct.pack(form, 3, machine, 1, 0, head_size, 0, 0, *counts)
    segments = b""
    for kind, start, size in ((1, 0, total), (2, dynamic_at, len(dynamic))):
        if wide:
            segments += struct.pack(
                f"{order}2I6Q", kind, 4, start, _BASE + start, _BASE + start, size, size, 16
            )
        else:
            segments += struct.pack(
                f"{order}8I", kind, start, _BASE + start, _BASE + start, size, size, 4, 16
            )
    body = (ident + head + segments + strings).ljust(dynamic_at, b"\0")
    return body + dynamic
