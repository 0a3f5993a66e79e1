"""What every command gets from the global options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The folder to work in, and how much to say."""

    directory: Path
    quiet: bool
    verbose: bool
