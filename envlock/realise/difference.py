"""Where two files that should be the same begin to differ, for people."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from envlock.io import process

_SHOWN = 60


def where_they_differ(one: bytes, two: bytes) -> str | None:
    """The first line (of text) or byte that differs; None where nothing does."""
    if one == two:
        return None
    at = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), None)
    offset = min(len(one), len(two)) if at is None else at
    if b"\0" in one[:8192] or b"\0" in two[:8192]:
        return f"byte {offset}"
    line = one.count(b"\n", 0, offset)
    lines = [content.splitlines()[line : line + 1] for content in (one, two)]
    shown = [_shown(some[0]) if some else "nothing" for some in lines]
    return f"line {line + 1}: {shown[0]}, then {shown[1]}"


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


# Of programs it would write their whole disassembly.
_LIMITS = ("--max-text-report-size", "65536", "--max-diff-block-lines", "32")


def diffoscope(
    first: Path, second: Path, name: str, sides: tuple[str, str] = ("first", "second")
) -> str | None:
    """diffoscope's report on two files called ``name``; None where it is not installed."""
    program = shutil.which("diffoscope")
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="envlock-differ-") as folder:
        paths = []
        for side, path in zip(sides, (first, second), strict=True):
            place = Path(folder, side)
            place.mkdir()
            paths.append(str(shutil.copyfile(path, place / name)))
        return process.run([program, "--text-color", "never", *_LIMITS, *paths]).stdout
