"""Files that users may change: what an export owns in them stands between two marks."""

from __future__ import annotations

import re

_BLOCK = re.compile(rb"^[ \t]*(?:#|//) >>> envlock\n.*?^[ \t]*(?:#|//) <<< envlock$", re.M | re.S)


def renewed(there: bytes, made: bytes) -> bytes | None:
    """What a file becomes that is exported again.

    Args:
        there: the file as it is.
        made: as an export makes it.

    Returns:
        ``made``, where it has no marks; else ``there`` with what ``made`` has between them; None
        where ``there`` has lost its marks or has several pairs.
    """
    wanted = _BLOCK.findall(made)
    if len(wanted) != 1:
        return made
    if len(_BLOCK.findall(there)) != 1:
        return None
    return _BLOCK.sub(lambda _: wanted[0], there)
