"""Whether tables are a valid pylock.toml, by ``packaging.pylock`` (PEP 751); for ``codec``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong: path in the file first. ``newer``: the file is of a later standard."""

    text: str
    newer: bool = False


def problem(table: dict[str, Any]) -> Problem | None:
    """The first thing that PEP 751 does not allow; None when there is none."""
    try:
        Pylock.from_dict(table)
    except PylockUnsupportedVersionError as error:
        return Problem(text=str(error), newer=True)
    except PylockValidationError as error:
        # Of a drawn message (markers) only the sentence.
        sentence = error.message.partition("\n")[0]
        return Problem(text=f"{error.context}: {sentence}" if error.context else sentence)
    return None
