"""Whether files have the stamps they had: one ``lstat`` each, on every core, and nothing else.

For trees of 100,000 files. Processes share the work, not threads: what costs is Python's own part
of each call, which threads do one after the other. Each goes from folder to folder, so that the
system looks up names, not paths.
"""

from __future__ import annotations

import os

from envlock.io.content.beside import cores, may_fork

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FIELDS = 5
"""Numbers a stamp has: device and mode, size, mtime, ctime (nanoseconds), inode."""

_NOWHERE = (0, 0, 0, 0, 0)
_POSITIVE = (1 << 63) - 1
_FEW = 4000
"""Fewer files than that are looked at sooner than a process starts."""


def packed(paths: Iterable[str]) -> bytes:
    """Paths as ``untouched`` takes them: of those in a row that are in one folder, the folder and
    the names, none of them empty, with a NUL between; two NULs before the next folder.
    """
    groups: list[list[str]] = []
    last = None
    for path in paths:
        folder, _, name = path.rpartition("/")
        if not name:  # what a link leads to
            folder, _, name = path[:-1].rpartition("/")
            name += "/"
        if folder != last:
            groups.append([folder or "/"])
            last = folder
        groups[-1].append(name)
    return os.fsencode("\0\0".join("\0".join(group) for group in groups))


def unpacked(packed: bytes) -> list[list[str]]:
    """Folders, each with its names after it."""
    return [group.split("\0") for group in os.fsdecode(packed).split("\0\0")]


def untouched(packed: bytes, stamps: memoryview) -> bool:
    """Whether every path has its stamp.

    Args:
        packed: the paths (absolute; with a slash at the end of what a link leads to).
        stamps: ``FIELDS`` numbers (64 bits, signed) for each.
    """
    workers = min(cores(), len(stamps) // FIELDS // _FEW)
    if workers < 2 or not may_fork():
        return _same(packed, stamps, inside=False)
    children = []
    for part, of_part in _parts(packed, stamps, workers):
        child = os.fork()
        if child == 0:
            code = 2
            try:
                code = 0 if _same(part, of_part, inside=True) else 1
            finally:
                os._exit(code)
        children.append(child)
    # All are waited for, also after one that says no.
    codes = [os.waitpid(child, 0)[1] for child in children]
    return not any(codes)


def _parts(packed: bytes, stamps: memoryview, count: int) -> Iterator[tuple[bytes, memoryview]]:
    """The whole in about so many pieces, each of whole folders."""
    start = place = 0
    while place <= len(packed):
        end = packed.find(b"\0\0", place + len(packed) // count)
        part = packed[place : len(packed) if end < 0 else end]
        names = part.count(b"\0") - 2 * part.count(b"\0\0")
        yield part, stamps[start : start + names * FIELDS]
        start, place = start + names * FIELDS, place + len(part) + 2


def _same(packed: bytes, stamps: memoryview, *, inside: bool) -> bool:
    """Whether all have their stamps.

    ``inside``: this process may go into the folders.
    """
    lstat = os.lstat
    expected = zip(*(stamps[field::FIELDS].tolist() for field in range(FIELDS)), strict=True)
    for folder, *names in unpacked(packed):
        before = folder.rstrip("/") + "/"
        if inside:
            try:
                os.chdir(folder)
                before = ""
            except OSError:
                pass  # it is not there (as it was not), or has been closed to us
        # (Names first: where they end, no stamp of the next folder has been taken.)
        for name, (mode, size, mtime, ctime, inode) in zip(names, expected, strict=False):
            path = before + name
            try:
                found = lstat(path) if path[-1] != "/" else os.stat(path[:-1] or path)
            except (OSError, ValueError):
                if (mode, size, mtime, ctime, inode) != _NOWHERE:
                    return False
                continue
            if (
                found.st_ctime_ns != ctime
                or found.st_mtime_ns != mtime
                or found.st_size != size
                or found.st_ino & _POSITIVE != inode
                or found.st_mode | (found.st_dev & 0x7FFFFFFF) << 16 != mode
            ):
                return False
    return True
