"""Every file of an image, by path: its kind, size and digests, as its layers are read."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from envlock.check.python import bytecode
from envlock.io.content.reading import HEAD, Unread, Wanted
from envlock.io.content.scan import Scan
from envlock.io.images.layers import Entry
from envlock.io.images.source import damaged

MOST_FILES = 1_000_000
"""Files and folders of an image; the largest have a third of it."""
_MOST_BYTES = 256 * 1024 * 1024
# dpkg has MD5 digests of what lies here, RECORDs mostly SHA-256 of what lies elsewhere.
_OF_DPKG = re.compile(r"(?!usr/local/)(usr|bin|sbin|lib\w*|etc|var|opt|boot)/")
_OF_DPKG_ALONE = re.compile(
    r"(?!usr/(local|bin)/|.*/(site|dist)-packages/)(usr|bin|sbin|lib\w*|etc|boot)/"
)
_KINDS = {
    "file": stat.S_IFREG | 0o644,
    "folder": stat.S_IFDIR | 0o755,
    "symlink": stat.S_IFLNK | 0o777,
    "other": stat.S_IFBLK,
}


class Row(NamedTuple):
    """One entry; digests only where somebody may ask for them. ``head`` is that of bytecode."""

    mode: int
    size: int
    sha256: bytes | None = None
    md5: bytes | None = None
    head: bytes | None = None


class Listing:
    """The rows of the layers so far. ``where`` names the image, for errors."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._lower: dict[str, Row] = {}
        self._added: dict[str, Row] = {}
        self._gone: set[str] = set()
        self._bytes = 0

    def add(self, path: str, entry: Entry) -> None:
        """A member of the layer that is being read.

        Raises:
            VerificationError: there are more than any system has.
        """
        if entry.kind == "hardlink":
            return
        self._bytes += len(path)
        if len(self._lower) + len(self._added) >= MOST_FILES or self._bytes > _MOST_BYTES:
            raise damaged(self._where, "it has more files than any system")
        row = _digested(path, entry) if entry.kind == "file" else Row(_KINDS[entry.kind], 0)
        below = self._lower.get(path)
        if below is not None and stat.S_ISDIR(below.mode) and not stat.S_ISDIR(row.mode):
            self._gone.add(f"{path}/")
        self._added[path] = row

    def link(self, path: str, target: str) -> None:
        """A further name for a file of this layer or one below."""
        row = self._added.get(target, self._lower.get(target))
        if row is not None:
            self._added[path] = row

    def remove(self, path: str, *, itself: bool) -> None:
        """Take what lies below ``path`` out of the layers below; at the layer's end."""
        self._gone.add(f"{path}/" if path else "")
        if itself:
            self._lower.pop(path, None)

    def end(self) -> None:
        """The layer has no more members."""
        if self._gone:
            for path in [path for path in self._lower if self._hidden(path)]:
                del self._lower[path]
            self._gone.clear()
        self._lower.update(self._added)
        self._added.clear()

    def _hidden(self, path: str) -> bool:
        if "" in self._gone:
            return True
        at = path.find("/")
        while at != -1:
            if path[: at + 1] in self._gone:
                return True
            at = path.find("/", at + 1)
        return False

    def names(self, folder: str) -> list[str]:
        """What lies in a folder, sorted."""
        start = f"{folder}/"
        rest = (path[len(start) :] for path in self._lower if path.startswith(start))
        return sorted({path.partition("/")[0] for path in rest})

    def __contains__(self, path: str) -> bool:
        return path in self._lower

    def scan(self, links: Mapping[str, str], follow: Callable[[str], str]) -> Scan:
        """All of it as a ``Scan``: absolute paths; what links lead to, too.

        Args:
            links: path → target of symbolic links.
            follow: gives the path, without links, that a link leads to.
        """
        found = Scan()
        for path in sorted(self._lower):
            found.put(f"/{path}", _stamp(self._lower[path]))
            if path in links:
                there = self._lower.get(follow(path))
                found.put(f"/{path}/", (0, 0, 0, 0, 0) if there is None else _stamp(there))
        return found

    def read(
        self, wanted: Iterable[Wanted], follow: Callable[[str], str]
    ) -> dict[tuple[str, str], bytes | Unread]:
        """As ``io.reading.read_all``: what was digested while the layers were read."""
        found: dict[tuple[str, str], bytes | Unread] = {}
        for one in wanted:
            row = self._lower.get(one.path[1:])
            if row is not None and stat.S_ISLNK(row.mode):
                row = self._lower.get(follow(one.path[1:]))
            found[one.path, one.kind] = _answer(row, one.kind)
        return found


def _answer(row: Row | None, kind: str) -> bytes | Unread:
    if row is None:
        return Unread("vanished while it was read")
    known = {"sha256": row.sha256, "md5": row.md5, HEAD: row.head}.get(kind)
    if known is None:
        return Unread(f"its {kind} was not computed" if kind != HEAD else "no bytecode")
    return known


def _digested(path: str, entry: Entry) -> Row:
    of_dpkg = _OF_DPKG.match(path) is not None
    sha256 = None if _OF_DPKG_ALONE.match(path) else hashlib.sha256()
    md5 = hashlib.md5(usedforsecurity=False) if of_dpkg else None
    head = None
    for piece in entry.pieces():
        if head is None and path.endswith(".pyc"):
            head = piece[: bytecode.HEADER]
        if sha256 is not None:
            sha256.update(piece)
        if md5 is not None:
            md5.update(piece)
    return Row(
        _KINDS["file"],
        entry.size,
        None if sha256 is None else sha256.digest(),
        None if md5 is None else md5.digest(),
        head,
    )


def _stamp(row: Row) -> tuple[int, ...]:
    return (row.mode, row.size, 0, 0, 0)
