"""Which sections of two ELF files differ: whether code does, or only what names debug information.

A program's build id is a digest that debug information is part of, which is packed elsewhere: it
changes with a header's line numbers, while code and data stay as they are.
"""

from __future__ import annotations

import struct

_MAGIC = b"\x7fELF"
_NO_BITS = 8
_NAMES_OF_DEBUG = frozenset((".note.gnu.build-id", ".gnu_debuglink", ".gnu_debugaltlink"))


def differing_sections(one: bytes, two: bytes) -> tuple[str, ...]:
    """Names of sections (System V ABI, "Sections") that differ or only one has, in their order.

    Empty where they are no ELF files of one kind, or have the same sections.
    """
    try:
        ours, theirs = _sections(one), _sections(two)
    except (struct.error, ValueError):
        return ()
    return tuple(
        name for name in dict.fromkeys((*ours, *theirs)) if ours.get(name) != theirs.get(name)
    )


def in_words(one: bytes, two: bytes) -> str | None:
    """The same for people; None where there is nothing to say."""
    names = differing_sections(one, two)
    if not names:
        return None
    if _NAMES_OF_DEBUG.issuperset(names):
        return "only its build id: code and data are the same"
    return f"section{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _sections(content: bytes) -> dict[str, list[bytes | int]]:
    """Contents by name; of those that take no room in the file, the size."""
    if content[:4] != _MAGIC or content[4] not in (1, 2) or content[5] not in (1, 2):
        raise ValueError
    wide, order = content[4] == 2, "<" if content[5] == 1 else ">"
    (table,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", content, 40 if wide else 32)
    width, count, names = struct.unpack_from(f"{order}3H", content, 58 if wide else 46)
    form = f"{order}2I{'4Q' if wide else '4I'}"
    headers = [struct.unpack_from(form, content, table + width * n) for n in range(count)]
    if names >= len(headers):
        raise ValueError
    start = headers[names][4]
    found: dict[str, list[bytes | int]] = {}
    for at, kind, _, _, offset, size in headers:
        end = content.index(b"\0", start + at)
        name = content[start + at : end].decode("utf-8", "replace")
        own: bytes | int = size if kind == _NO_BITS else content[offset : offset + size]
        found.setdefault(name, []).append(own)
    return found
