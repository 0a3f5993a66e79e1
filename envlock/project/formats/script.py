"""Inline script metadata (PEP 723): the ``# /// script`` block of one Python file."""

from __future__ import annotations

import re
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.files import read_text
from envlock.lock.request import Wish
from envlock.project.document import Document, parse_toml
from envlock.project.formats.pyproject import requires_python
from envlock.project.formats.uv_sources import with_source
from envlock.project.part import Part
from envlock.project.wishes import parse_requirement, wish_of

# The reference implementation's pattern: https://peps.python.org/pep-0723/
BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
_KEYS = {"dependencies", "requires-python", "tool"}


def find_block(text: str, *, shown: str) -> re.Match[str] | None:
    """The one ``script`` block of a Python file's text (newlines as ``\\n``), or None.

    Raises:
        UsageError: there are several.
    """
    blocks = [match for match in BLOCK.finditer(text) if match["type"] == "script"]
    if len(blocks) > 1:
        second = text.count("\n", 0, blocks[1].start()) + 1
        raise UsageError(
            "a second `# /// script` block; PEP 723 allows one",
            where=f"{shown}:{second}",
            remedy="join the two",
        )
    return blocks[0] if blocks else None


def read_script(path: Path, *, shown: str) -> Document:
    """The script's metadata as a TOML document whose places are lines of the script.

    Raises:
        UsageError: no such file, no block, or a block that is not TOML.
    """
    return parse_script(read_text(path).replace("\r\n", "\n"), shown=shown)


def parse_script(text: str, *, shown: str) -> Document:
    """The same for a script's text (newlines as ``\\n``).

    Raises:
        UsageError: no block, several, or one that is not TOML or has unknown keys.
    """
    match = find_block(text, shown=shown)
    if match is None:
        raise UsageError(
            "no inline metadata (a `# /// script` block)",
            where=shown,
            remedy=f"`envlock init --script {shown}` writes one",
        )
    content = "".join(
        line[2:] if line.startswith("# ") else line[1:]
        for line in re.findall(r"[^\n]*\n", match["content"])
    )
    document = parse_toml(content, shown, before=text.count("\n", 0, match.start("content")))
    for key in document.table:
        if key not in _KEYS:
            raise UsageError(
                f"unknown key {key!r} in the script's metadata",
                where=document.place((key,)),
                remedy="PEP 723 knows dependencies, requires-python and [tool]",
            )
    return document


def read_script_part(document: Document, *, root: Path) -> Part:
    """What the metadata asks for.

    Raises:
        UsageError: a malformed requirement or specifier.
    """
    wishes: list[Wish] = []
    for text in document.texts("dependencies"):
        where = document.place(("dependencies",), text)
        requirement, editable = with_source(parse_requirement(text, where=where), document)
        wishes.append(wish_of(requirement, where=where, root=root, editable=editable))
    return Part(
        wishes=tuple(dict.fromkeys(wishes)),
        requires_python=requires_python(document, "requires-python"),
    )
