"""Digests of files and folders as they are, remembered for files that have not changed."""

from __future__ import annotations

import os
import stat
import time

from envlock.io.cache import DiskCache
from envlock.io.sha256 import Sha256

_KIND = "file-digests-1"
_PIECE = 1024 * 1024
_REMEMBERED = 4 * _PIECE
"""Bytes from which on remembering costs less than reading again."""
_SETTLED = 2_000_000_000
"""Nanoseconds after its last change from which on a file's stamps tell the next one (FAT)."""


def state(path: str) -> tuple[int, int, int, int] | None:
    """Size, last changes and inode of a file; None where there is no regular file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def digest(path: str) -> str:
    """The SHA-256 (hex) of a file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    before = state(path)
    large = before is not None and before[0] >= _REMEMBERED
    key = f"{os.path.abspath(path)!a} {before}"
    if large:
        known = DiskCache(_KIND).get(key)
        if known is not None:
            return known.decode("ascii")
    found = Sha256()
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    settled = before is not None and max(before[1:3]) + _SETTLED < time.time_ns()
    if large and settled and before == state(path):
        DiskCache(_KIND).put(key, found.hexdigest().encode())
    return found.hexdigest()


def files_below(folder: str) -> list[str]:
    """Every regular file in a folder, sorted, as paths relative to it; links are not followed."""
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                found.append(os.path.relpath(path, folder))
    return sorted(found)
