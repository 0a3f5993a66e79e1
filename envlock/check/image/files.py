"""What of an image's files says what is installed: its layers applied in order, in memory.

Only metadata is kept: dpkg's status and digests, os-release, the ``*.dist-info`` and ``*.egg-info``
of Python packages, ``pyvenv.cfg``; of other files, their digests. Whiteouts are those of the OCI
image specification. Symbolic links are followed as from a root, and lead nowhere else: nothing is
written to this machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from envlock.check.image.listing import Listing
from envlock.errors import VerificationError
from envlock.io.content.reading import Unread, Wanted
from envlock.io.content.scan import Scan
from envlock.io.images.layers import Entry, clean
from envlock.io.images.source import damaged

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_METADATA = re.compile(
    r"(.*/)?([^/]+\.dist-info/(METADATA|RECORD|WHEEL|direct_url\.json|envlock\.json|top_level\.txt)"
    r"|[^/]+\.egg-info(/(PKG-INFO|top_level\.txt))?|pyvenv\.cfg|_virtualenv\.(pth|py)|project\.pth)"
)
_WHOLE = re.compile(
    r".*\.dist-info/RECORD|var/lib/dpkg/(info/[^/]+\.md5sums|diversions)"
    r"|etc/dpkg/dpkg\.cfg(\.d/[^/]+)?"
)
"""What is of no use without its end."""
_SYSTEM = ("var/lib/dpkg/status", "etc/os-release", "usr/lib/os-release")
_STATUS_D = "var/lib/dpkg/status.d/"
_STATUS_BYTES = 64 * 1024 * 1024
_WHOLE_BYTES = 32 * 1024 * 1024
_HEAD_BYTES = 64 * 1024
_ALL_BYTES = 128 * 1024 * 1024
_MAX_LINKS = 500_000
_MAX_HOPS = 40
_MAX_REMEMBERED = 100_000


class Files:
    """The kept files of the layers so far, by path; symbolic links; ``listing`` has all files."""

    def __init__(self, where: str) -> None:
        self.listing = Listing(where)
        self._scan: Scan | None = None
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
                entry, content = self._content(path, entry)
                self._add(added, path, content)
            elif entry.kind == "hardlink":
                target = self._target(entry)
                self.listing.link(path, target)
                if _kept(path):
                    self._add(added, path, added.get(target, self._kept.get(target, b"")))
            self.listing.add(path, entry)
        lower.update(added)
        self.listing.end()

    def _content(self, path: str, entry: Entry) -> tuple[Entry, bytes]:
        """What is kept of a file, and the entry with its content to be read once more."""
        whole = path == _SYSTEM[0] or _WHOLE.fullmatch(path) is not None
        limit = _STATUS_BYTES if path == _SYSTEM[0] else _WHOLE_BYTES
        if whole and entry.size > limit:
            raise damaged(self._where, f"{path} has {entry.size} bytes")
        if entry.size > limit:  # larger than any text of a package
            return entry, b""
        content = b"".join(entry.pieces())
        return replace(entry, pieces=lambda: iter([content])), (
            content if whole else content[:_HEAD_BYTES]
        )

    def _target(self, entry: Entry) -> str:
        folder, _, last = clean(entry.target, self._where).rpartition("/")
        return self._within(folder, last)

    def follow(self, path: str) -> str:
        """The path without links that a path leads to; one that is nowhere for a loop."""
        try:
            return self._resolve(path)
        except VerificationError:
            return "\0"

    def scan(self) -> Scan:
        """Everything that is there at the end."""
        if self._scan is None:
            self._scan = self.listing.scan(self._links, self.follow)
        return self._scan

    def read(self, wanted: Iterable[Wanted]) -> Mapping[tuple[str, str], bytes | Unread]:
        """As ``io.reading.read_all``, at the end."""
        return self.listing.read(wanted, self.follow)

    @property
    def links(self) -> dict[str, str]:
        """Path → target of every symbolic link at the end."""
        return dict(self._links)

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
        self.listing.remove(path, itself=itself)
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
    if _WHOLE.fullmatch(path):
        return True
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
