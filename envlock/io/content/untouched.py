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
    from array import array

_NOWHERE = (0, 0, 0, 0, 0)
_POSITIVE = (1 << 63) - 1
_FEW = 4000
"""Fewer files than that are looked at sooner than a process starts."""


def untouched(paths: list[str], stamps: array[int]) -> bool:
    """Whether every path has its stamp.

    Args:
        paths: absolute, as in ``io.scan.Scan``: those of a folder together; with a slash at the end
            of what a link leads to.
        stamps: five numbers for each.
    """
    workers = min(cores(), len(paths) // _FEW)
    if workers < 2 or not may_fork():
        return _same(paths, stamps, 0, len(paths), inside=False)
    step = -(-len(paths) // workers)
    children = []
    for start in range(0, len(paths), step):
        child = os.fork()
        if child == 0:
            code = 2
            try:
                code = 0 if _same(paths, stamps, start, start + step, inside=True) else 1
            finally:
                os._exit(code)
        children.append(child)
    # All are waited for, also after one that says no.
    codes = [os.waitpid(child, 0)[1] for child in children]
    return not any(codes)


def _same(paths: list[str], stamps: array[int], start: int, end: int, *, inside: bool) -> bool:
    """Whether those from ``start`` to ``end`` have their stamps.

    ``inside``: this process may go into the folders.
    """
    lstat = os.lstat
    at = ""
    place = start * 5
    for path in paths[start:end]:
        expected = tuple(stamps[place : place + 5])
        place += 5
        name = path
        if inside:
            folder, _, name = path.rpartition("/")
            if not name:
                name = path  # what a link leads to
            elif folder != at:
                try:
                    os.chdir(folder or "/")
                    at = folder
                except OSError:
                    name = path
        try:
            found = lstat(name) if name[-1:] != "/" else os.stat(name[:-1])
        except (OSError, ValueError):
            if expected != _NOWHERE:
                return False
            continue
        if (
            found.st_mode | (found.st_dev & 0x7FFFFFFF) << 16,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
            found.st_ino & _POSITIVE,
        ) != expected:
            return False
    return True
