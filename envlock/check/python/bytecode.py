"""Cached bytecode against its source: pure rules over the first bytes of ``.pyc`` files (PEP 552).

Python itself ignores a ``.pyc`` whose recorded time of modification is not its source's, so a
source that was merely touched is no difference. Another recorded size means that it was made from
another text.
"""

from __future__ import annotations

import re

_CACHED = re.compile(r"(?P<module>.+?)\.(?:cpython|pypy|graalpy)[^/]*\.pyc")
_BY_HASH, _CHECKED = 1, 2
HEADER = 16


def source_of(path: str) -> str | None:
    """The source of ``…/__pycache__/module.cpython-311.pyc``; None for what is called otherwise."""
    folder, _, name = path.rpartition("/")
    match = _CACHED.fullmatch(name)
    if match is None or not folder.endswith("/__pycache__"):
        return None
    return f"{folder.removesuffix('__pycache__')}{match['module']}.py"


def by_hash(header: bytes) -> bool:
    """Whether the file names its source's hash, not its time."""
    return len(header) == HEADER and bool(int.from_bytes(header[4:8], "little") & _BY_HASH)


def problem(header: bytes, source_size: int) -> str | None:
    """What is wrong with a file that names its source's time and size; None when nothing is."""
    if len(header) < HEADER:
        return f"cut short after {len(header)} bytes"
    if int.from_bytes(header[4:8], "little") & ~(_BY_HASH | _CHECKED):
        return "flags that no Python knows"
    size = int.from_bytes(header[12:16], "little")
    if size != source_size & 0xFFFFFFFF:
        return f"made from a source of {size} bytes"
    return None


def hash_problem(header: bytes, source: bytes, *, siphash13: bool) -> str | None:
    """What is wrong with a file that names its source's hash.

    ``siphash13`` says that the environment's Python hashes as this one does (3.11 and newer).
    """
    import importlib.util

    magic = header[:4]
    checked = bool(int.from_bytes(header[4:8], "little") & _CHECKED)
    if not siphash13:
        return None if checked else "used without a look at its source"
    if magic == importlib.util.MAGIC_NUMBER:
        found = importlib.util.source_hash(source)
    else:
        import _imp

        found = _imp.source_hash(int.from_bytes(magic, "little"), source)
    return None if found == header[8:16] else "made from another source"
