"""Reading ``Packages`` files: stanzas of fields (Debian Policy §5.1)."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import NamedTuple

from envlock.errors import UsageError

# What no resolver asks for, half of the text.
_DESCRIPTIVE = re.compile(
    rb"\n(?:Maintainer|Description|Description-md5|Homepage|Tag|Section|Installed-Size|MD5sum"
    rb"|Suggests|Enhances|Replaces):[^\n]*(?:\n[ \t][^\n]*)*"
)

_NAMING = re.compile(
    rb"\n(?:Package|Pre-Depends|Depends|Recommends|Suggests|Enhances|Conflicts|Breaks|Replaces"
    rb"|Provides):( [^\n]+)"
)
_NAME = re.compile(rb"[,|] ([A-Za-z0-9][A-Za-z0-9+.-]*)")


class Stanza(NamedTuple):
    """One package's paragraph, not taken apart yet (a tuple: tens of thousands are made).

    Args:
        name: what ``Package`` says.
        number: which paragraph of the file it is, from 1.
        start: its first byte in the file.
        body: the paragraph.
    """

    name: str
    number: int
    start: int
    body: bytes

    @property
    def provides(self) -> str:
        """The raw value of ``Provides``; empty when there is none."""
        return _provides(self.body) if b"\nProvides:" in self.body else ""

    @property
    def essential(self) -> bool:
        """``Essential: yes``."""
        return b"\nEssential: yes" in self.body


def split_packages(data: bytes, where: str) -> list[Stanza]:
    """The paragraphs of a ``Packages`` file, in its order.

    Only what an index is keyed by is looked at here: a whole distribution has tens of thousands
    of paragraphs, of which a closure needs some hundred; `read_fields` takes those apart. Field
    names are expected as archives write them (``Provides``, not ``provides``).

    Raises:
        UsageError: a paragraph without ``Package``, or a strange name; the message says which.
    """
    stanzas = []
    number = following = 0
    for text in data.split(b"\n\n"):
        start = following
        following += len(text) + 2
        if text[:9] == b"Package: ":
            end = text.find(b"\n", 9)
            name = text[9:end] if end > 0 else text[9:]
        elif not text or text.isspace():
            continue
        else:
            name = _unusual(text, where, number + 1)
        number += 1
        if not name.isascii():
            raise UsageError("a package's name is not ASCII", where=f"{where}, paragraph {number}")
        stanzas.append(Stanza(name.decode(), number, start, text))
    return stanzas


def _unusual(text: bytes, where: str, number: int) -> bytes:
    # Blank lines before the paragraph, or Package not its first field.
    for line in text.split(b"\n"):
        if line[:8] == b"Package:" and line[8:].strip():
            return line[8:].strip()
    shown = text.strip()[:40].decode("utf-8", "replace")
    raise UsageError(
        f"a paragraph without Package: {shown!r}", where=f"{where}, paragraph {number}"
    )


def _provides(text: bytes) -> str:
    at = text.find(b"\nProvides:") + 10
    end = text.find(b"\n", at)
    while 0 <= end < len(text) - 1 and text[end + 1] in b" \t":  # a folded field
        end = text.find(b"\n", end + 1)
    return (
        text[at : end if end >= 0 else None].decode("utf-8", "replace").replace("\n", " ").strip()
    )


def first_mentions(data: bytes, names: Container[str]) -> tuple[str, ...]:
    """Which of ``names`` a ``Packages`` file names, in the order in which it first does.

    A package is named by its own paragraph and by any relationship field.
    """
    text = b",".join(_NAMING.findall(b"\n" + data))
    every = dict.fromkeys(_NAME.findall(b"," + text))
    return tuple(name for name in map(bytes.decode, every) if name in names)


def read_fields(text: bytes, where: str) -> dict[str, str]:
    """The fields of one paragraph, names in lower case, folded values joined by spaces.

    Descriptive ones (``Description``, ``Maintainer``…) are left out.

    Raises:
        UsageError: a line without a colon, a field said twice, or not UTF-8.
    """
    text = _DESCRIPTIVE.sub(b"", text)
    fields: dict[str, str] = {}
    name = ""
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"not UTF-8 (byte {error.start})", where=where) from None
    for number, line in enumerate(lines, 1):
        if line[:1] in (" ", "\t"):
            if not name:
                raise UsageError("a paragraph begins with a continued line", where=where)
            fields[name] += " " + line.strip()
            continue
        if not line or line[0] == "#":
            continue
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name.strip():
            raise UsageError(f"no field in line {number} of the paragraph: {line!r}", where=where)
        if name in fields:
            raise UsageError(f"{name} is said twice in one paragraph", where=where)
        fields[name] = value.strip()
    return fields
