"""Runs side by side as text, Markdown and CSV, whatever stands in their records."""

from __future__ import annotations

import csv
import io
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from envlock.cli.style import style
from envlock.runs.facts import fact_value, one_line

if TYPE_CHECKING:
    from envlock.runs.compare import Column

_WIDEST = 28
"""Characters of a cell for people."""
_MOST = 12
"""Columns of one part for people, unless they ask for it alone."""
_DIGEST = re.compile(r"((?:env1-)?[0-9a-f]{12})[0-9a-f]{28,52}")
_RECORD = re.compile(r" \(RECORD [0-9a-f]{12}\)$")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#!|~&$@:])")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def most_telling(columns: Sequence[Column]) -> tuple[list[Column], dict[str, int]]:
    """The first columns of each part, and how many of a part are left out."""
    counted: dict[str, int] = {}
    shown = []
    for column in columns:
        counted[column.part] = counted.get(column.part, 0) + 1
        if counted[column.part] <= _MOST:
            shown.append(column)
    return shown, {part: n - _MOST for part, n in counted.items() if n > _MOST}


def plain(ids: Sequence[str], columns: Sequence[Column], *, width: int | None) -> Iterator[str]:
    """A table with a row for each run; what does not fit stands below, with the runs again."""
    first = _padded(["", "run", *(run[-12:] for run in ids)])
    rest = [(column.part.value, [column.part.value, *_cells(column)]) for column in columns]
    while True:
        block, room, part = [first], (width or 0) - len(first[0]), ""
        while rest and (width is None or len(block) == 1 or room >= _wide(rest[0][1]) + 2):
            name, cells = rest.pop(0)
            room -= _wide(cells) + 2
            block.append(_padded(["" if name == part else name, *cells[1:]], _wide(cells)))
            part = name
        yield from _rows(block)
        if not rest:
            return
        yield ""


def _rows(block: list[list[str]]) -> Iterator[str]:
    for n, row in enumerate(zip(*block, strict=True)):
        text = "  ".join(row).rstrip()
        if n or text:
            yield style(text, "bold", stream=sys.stdout) if n < 2 else text


def _wide(cells: Sequence[str]) -> int:
    return max(map(len, cells))


def _padded(cells: Sequence[str], at_least: int = 0) -> list[str]:
    wide = max(at_least, _wide(cells))
    return [f"{cell:<{wide}}" for cell in cells]


def _cells(column: Column) -> list[str]:
    """The name, then the values, short but never alike where they differ."""
    whole = [_told(value) for value in column.values]
    texts = [_DIGEST.sub(r"\1", text) for text in whole]
    bare = [_RECORD.sub("", text) for text in texts]
    if len(set(bare)) == len(set(whole)):
        texts = bare
    texts = _rounded(column.values, texts)
    if max(map(len, texts)) > _WIDEST:
        texts = _shortened(texts)
    if len(set(texts)) < len(set(whole)):
        number = {text: n for n, text in enumerate(dict.fromkeys(whole), 1)}
        texts = [f"{t[: _WIDEST - 3]}~{number[w]}" for t, w in zip(texts, whole, strict=True)]
    name = one_line(column.name)
    return [name if len(name) <= _WIDEST else f"…{name[1 - _WIDEST :]}", *texts]


def _rounded(values: Sequence[Any], texts: list[str]) -> list[str]:
    """Numbers with six digits, and with more those that then are the same as another one."""
    brief = [f"{v:.6g}" if isinstance(v, float) else t for v, t in zip(values, texts, strict=True)]
    whole: dict[str, set[str]] = {}
    for short, text in zip(brief, texts, strict=True):
        whole.setdefault(short, set()).add(text)
    return [s if len(whole[s]) == 1 else t for s, t in zip(brief, texts, strict=True)]


def _shortened(texts: list[str]) -> list[str]:
    """Without what they all begin with, and cut."""
    there = [text for text in texts if text]
    common = next((n for n, c in enumerate(zip(*there, strict=False)) if len(set(c)) > 1), 0)
    if common > 8:
        texts = [f"…{text[common - 4 :]}" if text else text for text in texts]
    return [text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…" for text in texts]


def _told(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return one_line(shlex.join(value))
    return "" if value is None else one_line(fact_value(value))


def markdown(ids: Sequence[str], columns: Sequence[Column]) -> str:
    """A table of GitHub's Markdown, nothing shortened."""
    heads = ["run", *(f"{column.part.value} {column.name}" for column in columns)]
    rows = [[run, *(_told(c.values[n]) for c in columns)] for n, run in enumerate(ids)]
    lines = [_row(heads), "|---" * len(heads) + "|", *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    escaped = (_MARKDOWN.sub(r"\\\1", one_line(cell)) for cell in cells)
    return f"| {' | '.join(escaped)} |"


def csv_text(ids: Sequence[str], columns: Sequence[Column]) -> str:
    """RFC 4180. A text that a spreadsheet would take for a formula has an apostrophe before it."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(["run", *(_cell(f"{c.part.value} {c.name}") for c in columns)])
    for n, run in enumerate(ids):
        writer.writerow([run, *(_cell(c.values[n]) for c in columns)])
    return target.getvalue()


def _cell(value: Any) -> str:
    text = _told(value)
    if isinstance(value, str) and text.startswith(_FORMULA):
        return f"'{text}"
    return text
