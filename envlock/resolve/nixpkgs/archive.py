"""One tarball of ``git archive`` → what a ``flake.lock`` says of it, without Nix.

The commit stands in the tarball's global pax header (``comment``, see git-archive(1)), its date is
the entries' time of modification, and the narHash is that of the folder inside. The tarball is
read twice, each time from front to back, and never unpacked: git sorts entries nearly as Nix does
(a folder as if its name ended in ``/``), so that little has to be kept.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from envlock.errors import SourceError, VerificationError
from envlock.resolve.nixpkgs.nar import File, Folder, NarDigest, Node, Symlink

_CHUNK = 1024 * 1024
_KEEP_LIMIT = 256 * 1024 * 1024
_ODD = frozenset({b"", b".", b".."})


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """Commit (40 hex digits), newest time of modification (Unix seconds), SRI digest of the NAR."""

    rev: str
    last_modified: int
    nar_hash: str


def read_git_archive(path: Path, *, where: str) -> SourceFacts:
    """What the (compressed) tarball at ``path`` holds; ``where`` names its origin in errors.

    Raises:
        SourceError: it is cut, damaged, or no tarball.
        VerificationError: it is no ``git archive`` of one folder, or names something twice.
    """
    try:
        root, rev, newest = _outline(path, where)
        return SourceFacts(rev=rev, last_modified=newest, nar_hash=_digest(path, root, where))
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise SourceError(
            f"not a whole tarball: {error}", where=where, remedy="check the address, and try again"
        ) from None


def _members(path: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    with tarfile.open(path, "r:*", encoding="utf-8", errors="surrogateescape") as archive:
        while (member := archive.next()) is not None:
            yield archive, member
            # tarfile remembers every member, and asks for none of them again here.
            archive.members.clear()  # type: ignore[attr-defined]
        # tarfile takes a damaged header, and nothing at all, for the end. The real end is two empty
        # blocks, of which it has read one; nothing but zeros comes after them, and only who reads
        # that far has compared the checksum of the compressed bytes.
        empty = 0
        while rest := archive.fileobj.read(_CHUNK):
            if any(rest):
                raise tarfile.ReadError("a header is damaged")
            empty += len(rest)
        if empty < tarfile.BLOCKSIZE:
            raise tarfile.ReadError("it has no end")


def _outline(path: Path, where: str) -> tuple[Folder, str, int]:
    """The tree without contents, the commit and the newest time."""
    tree = _Tree(where)
    rev, newest = "", 0
    for archive, member in _members(path):
        rev = rev or archive.pax_headers.get("comment", "")
        newest = max(newest, int(member.mtime))
        tree.add(member)
    if len(rev) != 40 or not tree.top:
        raise VerificationError(
            "the tarball does not say which commit it is of",
            where=where,
            remedy="use an address that serves what `git archive` makes",
        )
    return tree.root, rev, newest


def _digest(path: Path, root: Folder, where: str) -> str:
    digest = NarDigest(root)
    tree = _Tree(where, root)
    for archive, member in _members(path):
        contents = archive.extractfile(member) if member.isreg() else None
        if contents is None:
            continue
        file = tree.find(member)
        if digest.is_next(file):
            _feed(digest, contents)
        else:
            digest.keep(file, contents.read())
            if digest.kept > _KEEP_LIMIT:
                raise VerificationError(
                    "the tarball's entries are not in git's order",
                    where=where,
                    remedy="use an address that serves what `git archive` makes",
                )
    return digest.sri()


def _feed(digest: NarDigest, contents: IO[bytes]) -> None:
    while piece := contents.read(_CHUNK):
        digest.feed(piece)
    digest.fed()


class _Tree:
    """Puts members in their places below the one folder that they all have in common."""

    def __init__(self, where: str, root: Folder | None = None) -> None:
        self.root = root or Folder()
        self.top = b""
        self._where = where

    def add(self, member: tarfile.TarInfo) -> None:
        """Note what the member is.

        Raises:
            VerificationError: it does not fit.
        """
        parts = self._parts(member)
        node: Node
        if member.isdir():
            node = Folder()
        elif member.issym():
            node = Symlink(target=_bytes(member.linkname))
        elif member.isreg():
            node = File(size=member.size, executable=bool(member.mode & 0o100))
        else:
            raise self._odd(member, "is neither file, folder nor symbolic link")
        if not parts:
            if not isinstance(node, Folder):
                raise self._odd(member, "lies outside the folder")
            return
        folder = self._folder(parts[:-1], member)
        before = folder.entries.setdefault(parts[-1], node)
        if before is not node and not (isinstance(before, Folder) and isinstance(node, Folder)):
            raise self._odd(member, "is there twice")

    def find(self, member: tarfile.TarInfo) -> File:
        """The file that ``add`` noted for the member."""
        parts = self._parts(member)
        node = self._folder(parts[:-1], member).entries.get(parts[-1])
        if not isinstance(node, File):
            raise self._odd(member, "was not there a moment ago")
        return node

    def _folder(self, parts: list[bytes], member: tarfile.TarInfo) -> Folder:
        folder = self.root
        for part in parts:
            inner = folder.entries.setdefault(part, Folder())
            if not isinstance(inner, Folder):
                raise self._odd(member, "lies in what is no folder")
            folder = inner
        return folder

    def _parts(self, member: tarfile.TarInfo) -> list[bytes]:
        top, *parts = _bytes(member.name).rstrip(b"/").split(b"/")
        self.top = self.top or top
        if top != self.top:
            raise self._odd(member, "lies outside the folder")
        if not _ODD.isdisjoint({top, *parts}) or any(b"\0" in part for part in parts):
            raise self._odd(member, "has a name that no file can have")
        return parts

    def _odd(self, member: tarfile.TarInfo, what: str) -> VerificationError:
        return VerificationError(
            f"{member.name!r} in the tarball {what}",
            where=self._where,
            remedy="use an address that serves what `git archive` makes",
        )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
