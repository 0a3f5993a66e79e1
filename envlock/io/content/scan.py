"""Every file below some folders, with what tells whether it was touched; nothing is opened.

For trees of 100,000 files and more: plain lists and arrays, one ``lstat`` a file. Links to folders
are not followed, so that no loop is entered.
"""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Iterable

from envlock.io.content.untouched import FIELDS

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from typing import Any

_NOWHERE = (0, 0, 0, 0, 0)
_POSITIVE = (1 << 63) - 1


class Scan:
    """What was found: ``paths`` (absolute), and ``FIELDS`` numbers of ``stamps`` for each.

    A symbolic link has two entries: its own, and, with a slash at the end of the path, the stamp
    of what it leads to (zeros where it leads nowhere). ``problems`` are folders that could not be
    listed, with the reason. A path that is not there has zeros.
    """

    __slots__ = ("_places", "paths", "problems", "stamps")

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.stamps = array("q")
        self.problems: list[tuple[str, str]] = []
        self._places: dict[str, int] | None = None

    @property
    def places(self) -> dict[str, int]:
        """Where in ``paths`` each path stands."""
        if self._places is None:
            self._places = {found: place for place, found in enumerate(self.paths)}
        return self._places

    def place(self, path: str) -> int | None:
        """Where in ``paths`` a path stands."""
        return self.places.get(path)

    def stamp(self, place: int) -> tuple[int, ...]:
        """The stamp at a place of ``paths``."""
        return tuple(self.stamps[place * FIELDS : (place + 1) * FIELDS])

    def mode(self, place: int) -> int:
        """The ``st_mode`` at a place; 0 where nothing is."""
        return self.stamps[place * FIELDS] & 0xFFFF

    def size(self, place: int) -> int:
        """The size in bytes at a place."""
        return self.stamps[place * FIELDS + 1]

    def add(self, path: str) -> None:
        """One more path, whatever it is, as it stands (a link: as what it leads to, too)."""
        try:
            found = os.lstat(path)
        except (OSError, ValueError):
            self.put(path, _NOWHERE)
            return
        self.put(path, stamp_of(found))
        if stat.S_ISLNK(found.st_mode):
            self._follow(path)

    def put(self, path: str, stamp: tuple[int, ...]) -> None:
        """One more entry, as somebody else found it."""
        if self._places is not None:
            self._places[path] = len(self.paths)
        self.paths.append(path)
        self.stamps.extend(stamp)

    def packed(self) -> list[object]:
        """Everything of it, as ``io.content.beside`` carries it over."""
        return [self.paths, self.stamps.tobytes(), self.problems]

    @classmethod
    def unpacked(cls, found: Any) -> Scan:
        """The scan of what ``packed`` gave."""
        made = cls()
        made.paths, stamps, made.problems = found
        made.stamps.frombytes(stamps)
        return made

    def _follow(self, path: str) -> None:
        try:
            self.put(path + "/", stamp_of(os.stat(path)))
        except OSError:
            self.put(path + "/", _NOWHERE)

    def walk(self, root: str) -> None:
        """Everything below a folder. The order is the file system's: the same while nothing moves.

        What vanishes meanwhile is not there.
        """
        self._places = None
        paths, extend = self.paths.append, self.stamps.extend
        self.add(root)
        folders = [root]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        try:
                            found = entry.stat(follow_symlinks=False)
                        except FileNotFoundError:
                            continue
                        paths(entry.path)
                        mode = found.st_mode
                        extend(
                            (
                                mode | (found.st_dev & 0x7FFFFFFF) << 16,
                                found.st_size,
                                found.st_mtime_ns,
                                found.st_ctime_ns,
                                found.st_ino & _POSITIVE,
                            )
                        )
                        kind = mode & 0o170000
                        if kind == stat.S_IFDIR:
                            folders.append(entry.path)
                        elif kind == stat.S_IFLNK:
                            self._follow(entry.path)
            except OSError as error:
                self.problems.append((folder, error.strerror or str(error)))


def scan(roots: Iterable[str], others: Iterable[str] = ()) -> Scan:
    """Everything below ``roots`` (folders, none within another), and single paths."""
    found = Scan()
    for root in roots:
        found.walk(root)
    for path in others:
        found.add(path)
    return found


def stamp_of(found: os.stat_result) -> tuple[int, ...]:
    """The ``FIELDS`` numbers that change when a file is touched."""
    return (
        found.st_mode | (found.st_dev & 0x7FFFFFFF) << 16,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino & _POSITIVE,
    )
