"""A merge that git could not finish: both sides stand in the file, between marks."""

from __future__ import annotations

import re

_MARKS = re.compile(r"^<{7}(?: .*)?$.*?^={7}$.*?^>{7}(?: .*)?$", re.MULTILINE | re.DOTALL)


def conflict_line(text: str) -> int | None:
    """The line (from 1) on which an unfinished merge begins, or None where there is none."""
    text = text.replace("\r\n", "\n")
    match = _MARKS.search(text)
    return None if match is None else text.count("\n", 0, match.start()) + 1
