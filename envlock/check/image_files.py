"""What of an image's files says what is installed: its layers applied in order, in memory.

Only metadata is kept: dpkg's status, os-release, the ``*.dist-info`` and ``*.egg-info`` of Python
packages, ``pyvenv.cfg``. Whiteouts are those of the OCI image specification. Symbolic links are
followed as from a root, and lead nowhere else: nothing is written to this machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from envlock.io.layers import Entry, clean
from envlock.io.oci_source import damaged

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_METADATA = re.compile(
    r"(.*/)?([^/]+\.dist-info/(METADATA|RECORD|WHEEL|direct_url\.json)"
    r"|[^/]+\.egg-info(/PKG-INFO)?|pyvenv\.cfg)"
)
_SYSTEM = ("var/lib/dpkg/status", "etc/os-release", "usr/lib/os-release")
_STATUS_D = "var/lib/dpkg/status.d/"
_STATUS_BYTES = 64 * 1024 * 1024
_HEAD_BYTES = 64 * 1024
_ALL_BYTES = 128 * 1024 * 1024
_MAX_LINKS = 500_000
_MAX_HOPS = 40
_MAX_REMEMBERED = 100_000


class Files:
    """The kept files of the layers so far, by path; ``links`` are symbolic links."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._kept: dict[str, bytes] = {}
        self._links: dict[str, str] = {}
        self._real: dict[str, str] = {}
        self._size = 0

    def content(self) -> dict[str, bytes]:
        """Path → content (its beginning), of what is there at the end."""
        return dict(self._kept)

    def apply(self, layer: Iterable[Entry]) -> None:
        """One more layer on top.

        Raises:
            VerificationError: it leads out, or holds more metadata than any system.
        """
        lower, added = self._kept, dict[str, bytes]()
        above = _folders([*lower, *self._links])
        for entry in layer:
            folder, _, last = entry.name.rpartition("/")
            path = self._within(folder, last)
            if last.startswith(_WHITEOUT):
                folder = path.rpartition("/")[0]
                hidden = "" if last == _OPAQUE else last.removeprefix(_WHITEOUT)
                gone = folder if not hidden else f"{folder}/{hidden}".lstrip("/")
                self._remove(gone, itself=bool(hidden))
                continue
            if entry.kind != "folder":
                if path in above:
                    self._remove(path, itself=True)
                added.pop(path, None)
                lower.pop(path, None)
            if entry.kind != "symlink" and self._links.pop(path, None) is not None:
                self._real.clear()
            if entry.kind == "symlink":
                self._link(path, entry.target)
            elif entry.kind == "file" and _kept(path):
                limit = _STATUS_BYTES if path == _SYSTEM[0] else _HEAD_BYTES
                if path == _SYSTEM[0] and entry.size > limit:
                    raise damaged(self._where, f"{path} has {entry.size} bytes")
                self._add(added, path, entry.read(limit))
            elif entry.kind == "hardlink" and _kept(path):
                self._add(added, path, self._linked(entry, added))
        lower.update(added)

    def _linked(self, entry: Entry, added: dict[str, bytes]) -> bytes:
        """What a hard link's target, of this layer or one below, holds."""
        folder, _, last = clean(entry.target, self._where).rpartition("/")
        target = self._within(folder, last)
        return added.get(target, self._kept.get(target, b""))

    def _add(self, added: dict[str, bytes], path: str, content: bytes) -> None:
        self._size += len(content) + len(path)
        if self._size > _ALL_BYTES:
            raise damaged(self._where, "it has more metadata of packages than any system")
        added[path] = content

    def _link(self, path: str, target: str) -> None:
        self._size += len(path) + len(target)
        if len(self._links) >= _MAX_LINKS or self._size > _ALL_BYTES:
            raise damaged(self._where, "it has more symbolic links than any system")
        self._links[path] = target
        self._real.clear()

    def _remove(self, path: str, *, itself: bool) -> None:
        """Take what lies below ``path`` out of the layers so far."""
        prefix = f"{path}/" if path else ""
        for table in (self._kept, self._links):
            for known in [k for k in table if k.startswith(prefix) or (itself and k == path)]:
                del table[known]
        self._real.clear()

    def _within(self, folder: str, last: str) -> str:
        real = self._real.get(folder)
        if real is None:
            if len(self._real) >= _MAX_REMEMBERED:
                self._real.clear()
            real = self._real[folder] = self._resolve(folder)
        return f"{real}/{last}" if real else last

    def _resolve(self, folder: str) -> str:
        """Where a folder really is, as a process with this root would find it."""
        left, done, hops = folder.split("/")[::-1], list[str](), 0
        while left:
            part = left.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done[-1:] = []
                continue
            target = self._links.get("/".join([*done, part]))
            if target is None:
                done.append(part)
                continue
            hops += 1
            if hops > _MAX_HOPS:
                raise damaged(self._where, f"the links of {folder[:200]!r} go round")
            if target.startswith("/"):
                done.clear()
            left.extend(target.split("/")[::-1])
        return "/".join(done)


def _kept(path: str) -> bool:
    if path in _SYSTEM or path.startswith(_STATUS_D):
        return not path.endswith(".md5sums")
    return _METADATA.fullmatch(path) is not None


def _folders(paths: Iterable[str]) -> set[str]:
    """Every folder that something lies in."""
    found: set[str] = set()
    for path in paths:
        while "/" in path:
            path = path.rpartition("/")[0]
            if path in found:
                break
            found.add(path)
    return found
