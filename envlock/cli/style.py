"""Colours, without a library: most commands colour a word or two."""

from __future__ import annotations

import os
import sys
from typing import Any

_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


def wants_colour(stream: Any = None) -> bool:
    """Whether to colour ``stream`` (stderr by default): a terminal, and no ``NO_COLOR``."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream or sys.stderr).isatty()


def style(text: str, look: str, *, stream: Any = None) -> str:
    """``text`` with ANSI codes for ``look`` (``bold red``), where colours are wanted."""
    if not wants_colour(stream):
        return text
    codes = ";".join(_CODES[word] for word in look.split())
    return f"\x1b[{codes}m{text}\x1b[0m"
