"""Files that users may change: what an export owns in them stands between two marks."""

from __future__ import annotations

import re

from envlock.export.marks import resaid

_BLOCK = re.compile(rb"^[ \t]*(?:#|//) >>> envlock\n.*?^[ \t]*(?:#|//) <<< envlock$", re.M | re.S)


def renewed(there: bytes, made: bytes) -> bytes | None:
    """What a file becomes that is exported again.

    Args:
        there: the file as it is.
        made: as an export makes it.

    Returns:
        ``made``, where it has no marks; else ``there`` with what ``made`` has between them, and its
        command; None where ``there`` has lost its marks or has several pairs.
    """
    wanted = block(made)
    if wanted is None:
        return made
    if block(there) is None:
        return None
    return resaid(_BLOCK.sub(lambda _: wanted, there), made)


def block(content: bytes) -> bytes | None:
    """What stands between the two marks, with them; None where there is not exactly one pair."""
    found = _BLOCK.findall(content)
    return found[0] if len(found) == 1 else None
