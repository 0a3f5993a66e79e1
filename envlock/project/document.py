"""TOML files with places: parse once, then say in which line a key or a list item stands."""

from __future__ import annotations

import bisect
import difflib
import functools
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from envlock.errors import UsageError
from envlock.io.files import read_text
from envlock.lock.conflict import conflict_line

# A string on one line, the start of a longer one, a bracket or a comment, whichever comes first.
_TOKEN = re.compile(r"""\"{3}|'{3}|"(?:\\.|[^"\\])*"|'[^']*'|[][{}#]""")
_CLOSING = {'"""': re.compile(r'(?<!\\)(?:\\\\)*"{3}'), "'''": re.compile("'{3}")}
_QUOTED = r""" "(?:\\.|[^"\\])*"|'[^']*' """.strip()
_HEADER = re.compile(rf"""\s*\[\[?(?P<key>(?:[^][#"']|{_QUOTED})+)\]\]?\s*(#.*)?$""")
_ASSIGNMENT = re.compile(rf"\s*(?P<key>(?:[A-Za-z0-9_-]+|{_QUOTED}|\s*\.\s*)+?)\s*=")

KeyPath = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed TOML text.

    ``shown`` names the file in messages; ``before`` counts the lines of the file that precede the
    text (a script's metadata block starts somewhere inside).
    """

    shown: str
    text: str
    table: dict[str, Any]
    before: int = 0

    def get(self, *path: str) -> Any:
        """The value at ``path``, or None.

        Raises:
            UsageError: something on the way is not a table.
        """
        value: Any = self.table
        for depth, key in enumerate(path):
            if not isinstance(value, dict):
                raise self.wrong(path[:depth], "a table")
            value = value.get(key)
            if value is None:
                return None
        return value

    def place(self, path: KeyPath, item: str | None = None) -> str:
        """``pyproject.toml:12`` for the key, or for a list's item below it; the file if unsure."""
        line = _line_of(self.text, path)
        if line is None:
            return self.shown
        if item is not None:
            line = _item_line(self.text, item, line)
        return f"{self.shown}:{line + self.before}"

    def wrong(self, path: KeyPath, expected: str, remedy: str | None = None) -> UsageError:
        """The error for a value of another type or form than ``expected``."""
        return UsageError(
            f"{dotted(path)}: expected {expected}", where=self.place(path), remedy=remedy
        )

    def texts(self, *path: str) -> tuple[str, ...]:
        """The list of strings at ``path``; empty when absent.

        Raises:
            UsageError: it is something else.
        """
        value = self.get(*path)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(path, "a list of texts")
        return tuple(value)


def read_toml(path: Path, shown: str) -> Document:
    """Parse the file at ``path``.

    Raises:
        UsageError: missing, unreadable, not UTF-8 or not TOML (with line and column).
    """
    return parse_toml(read_text(path), shown)


def parse_toml(text: str, shown: str, *, before: int = 0) -> Document:
    """Parse ``text``; see ``Document`` for the arguments.

    Raises:
        UsageError: not TOML, with line and column.
    """
    try:
        table = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        line = conflict_line(text)
        if line is not None:
            raise UsageError(
                "git's marks of an unfinished merge are in it",
                where=f"{shown}:{line + before}",
                remedy="finish the merge: keep what is meant, and remove the marks",
            ) from None
        message = error.msg[:1].lower() + error.msg[1:]
        raise UsageError(
            f"not TOML: {message} (line {error.lineno + before}, column {error.colno})",
            where=f"{shown}:{error.lineno + before}",
            remedy="mend the file's syntax; https://toml.io has the rules on one page",
        ) from None
    return Document(shown=shown, text=text, table=table, before=before)


def dotted(path: KeyPath) -> str:
    """``tool.envlock.targets``, with quotes where TOML needs them."""
    return ".".join(p if re.fullmatch(r"[A-Za-z0-9_-]+", p) else f'"{p}"' for p in path)


def shown_path(path: Path, root: Path) -> str:
    """How messages name ``path``: from ``root`` where it lies inside, else in full."""
    full = absolute(path)
    try:
        return full.relative_to(absolute(root)).as_posix()
    except ValueError:
        return str(full)


def absolute(path: Path) -> Path:
    """``path`` in full, without ``..``; symbolic links stay, since users know paths by them."""
    return Path(os.path.normpath(Path.cwd() / path))


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """``did you mean "targets"?`` or, when nothing is near, the list of known names.

    ``cutoff`` is difflib's: how alike counts as near, from 0 to 1.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=cutoff)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"known: {', '.join(names)}" if names else "there are none here"


def _item_line(text: str, item: str, start: int) -> int:
    """The first line from ``start`` on with ``item`` in quotes, or at all; else ``start``."""
    lines = _line_starts(text)
    for wanted in (f'"{item}"', f"'{item}'", item):
        found = text.find(wanted, lines[start - 1])
        if found >= 0:
            return bisect.bisect_right(lines, found)
    return start


@functools.lru_cache(maxsize=8)
def _line_starts(text: str) -> tuple[int, ...]:
    return (0, *(match.end() for match in re.finditer("\n", text)))


def _line_of(text: str, path: KeyPath) -> int | None:
    """The line of the deepest part of ``path`` that stands in ``text``; None when none does."""
    best: tuple[int, int] | None = None
    for number, key in _keys(text):
        # [a.b.c] is also the place of a.b, where that has no line of its own.
        depth = len(path) if key[: len(path)] == path else len(key)
        if key[:depth] == path[:depth] and (best is None or depth > best[0]):
            best = (depth, number)
    return best[1] if best else None


@functools.lru_cache(maxsize=8)
def _keys(text: str) -> tuple[tuple[int, KeyPath], ...]:
    """Every header and assignment with its line, outside of strings and arrays."""
    return tuple(_scan(text))


def _scan(text: str) -> Iterator[tuple[int, KeyPath]]:
    table: KeyPath = ()
    state: tuple[str | None, int] = (None, 0)
    for number, line in enumerate(text.split("\n"), 1):
        inside = state != (None, 0)
        state = _after(line, *state)
        if inside:
            continue
        if header := _HEADER.match(line):
            table = _key_path(header["key"])
            yield number, table
        elif assignment := _ASSIGNMENT.match(line):
            yield number, table + _key_path(assignment["key"])


def _after(line: str, closing: str | None, depth: int) -> tuple[str | None, int]:
    """The open multi-line string's quotes and the depth of brackets, behind ``line``."""
    position = 0
    while True:
        match = (_TOKEN if closing is None else _CLOSING[closing]).search(line, position)
        if match is None or match[0] == "#":
            return closing, depth
        position = match.end()
        if closing is not None:
            closing = None
        elif match[0] in _CLOSING:
            closing = match[0]
        elif match[0] in "[{":
            depth += 1
        elif match[0] in "]}":
            depth -= 1


def _key_path(key: str) -> KeyPath:
    try:
        value: Any = tomli.loads(f"{key} = 0")
    except tomli.TOMLDecodeError:
        return (key,)
    path: list[str] = []
    while isinstance(value, dict):
        name, value = next(iter(value.items()))
        path.append(name)
    return tuple(path)
