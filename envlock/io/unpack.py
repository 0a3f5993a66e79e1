"""Unpacks sdists (tar of any compression, zip) that may be hostile: nothing lands outside."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

MAX_BYTES = 8 * 1024**3
"""Unpacked; a small file must not fill the disk."""


class OddArchiveError(ValueError):
    """It is no archive, is damaged, or holds what an archive of sources must not."""


def unpack(archive: Path, destination: Path) -> Path:
    """Unpack into ``destination``, an empty folder; gives the one folder at the archive's top.

    Files keep their content and whether they are executable, nothing else.

    Raises:
        OddArchiveError: not a readable archive, or one with a path that leads outside, a device,
            or more than ``MAX_BYTES``.
        OSError: the disk cannot take it.
    """
    inside = _Inside(destination)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, inside)
        else:
            _untar(archive, inside)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise OddArchiveError(f"it cannot be unpacked: {error}") from None
    except (NotImplementedError, RuntimeError, ValueError) as error:
        # Unknown compression, a password, a NUL in a name.
        raise OddArchiveError(str(error)) from None
    tops = list(destination.iterdir())
    return tops[0] if len(tops) == 1 and tops[0].is_dir() else destination


def unpack_root(content: IO[bytes], destination: Path, keep: Callable[[str], bool]) -> None:
    """Unpack a tar archive (uncompressed) of a root file system over what is in ``destination``.

    Links with an absolute target lead to that place below ``destination``.

    Args:
        content: the archive, at its start.
        destination: a folder of ours.
        keep: whether a path (``usr/bin/python3``) is wanted.

    Raises:
        OddArchiveError: as ``unpack``.
        OSError: the disk cannot take it.
    """
    inside = _Inside(destination)
    try:
        with tarfile.open(fileobj=content, mode="r:") as packed:
            _members(packed, inside, keep, rooted=True)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise OddArchiveError(f"it cannot be unpacked: {error}") from None


def _untar(archive: Path, inside: _Inside) -> None:
    with tarfile.open(archive, "r:*") as packed:
        _members(packed, inside, lambda name: True, rooted=False)


def _members(
    packed: tarfile.TarFile, inside: _Inside, keep: Callable[[str], bool], *, rooted: bool
) -> None:
    for member in packed:
        if keep(member.name.removeprefix("./")):
            path = inside.path(member.name)
            if member.isdir():
                inside.folder(path)
            elif member.issym():
                target = member.linkname
                if rooted and target.startswith("/"):
                    up = "../" * (len(PurePosixPath(member.name.removeprefix("./")).parts) - 1)
                    target = up + target.lstrip("/")
                inside.link(path, target)
            elif member.islnk():
                shutil.copyfile(
                    inside.existing(member.linkname), inside.fresh(path), follow_symlinks=False
                )
            elif member.isfile():
                content = packed.extractfile(member)
                assert content is not None  # noqa: S101 - of a regular file there is one
                inside.write(path, content, executable=bool(member.mode & 0o111))
            else:
                raise OddArchiveError(f"{member.name!r} is no file, folder or link")


def _unzip(archive: Path, inside: _Inside) -> None:
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            path = inside.path(entry.filename)
            if entry.is_dir():
                inside.folder(path)
                continue
            with packed.open(entry) as content:
                inside.write(path, content, executable=bool(entry.external_attr >> 16 & 0o111))


class _Inside:
    """A folder that nothing leaves."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        self._room = MAX_BYTES
        self._folders = {self._root}  # made here: no link is among them or above them

    def path(self, name: str) -> Path:
        """Where a member of that name lies."""
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts:
            raise OddArchiveError(f"the path {name!r} leads out of it")
        path = self._root / parts
        if path.parent not in self._folders:
            self._check(path.parent, name)
        return path

    def existing(self, name: str) -> Path:
        """A member that was unpacked before, to be read."""
        path = self.path(name)
        self._check(path, name)
        if not path.is_file():
            raise OddArchiveError(f"a link to {name!r}, which is no file")
        return path

    def folder(self, path: Path) -> None:
        """Make a folder, and those above it."""
        if path in self._folders:
            return
        path.mkdir(parents=True, exist_ok=True)
        if Path(os.path.realpath(path)) == path:
            self._folders.add(path)

    def link(self, path: Path, target: str) -> None:
        """A symbolic link; dangling ones are kept, too."""
        if os.path.isabs(target):  # noqa: PTH117 - a link's text, not a path of ours
            raise OddArchiveError(f"the link to {target!r} leads out of it")
        self._check(path.parent / target, target)
        self.fresh(path).symlink_to(target)

    def write(self, path: Path, content: IO[bytes], *, executable: bool) -> None:
        """A regular file."""
        with self._open(path) as file:
            while piece := content.read(1 << 20):
                self._room -= len(piece)
                if self._room < 0:
                    raise OddArchiveError(f"it unpacks to more than {MAX_BYTES} bytes")
                file.write(piece)
        if executable:
            path.chmod(0o755)

    def _open(self, path: Path) -> IO[bytes]:
        """A file that was not there: an earlier member of that name, link or file, goes."""
        self.folder(path.parent)
        try:
            return path.open("xb")
        except FileExistsError:
            return self.fresh(path).open("xb")

    def fresh(self, path: Path) -> Path:
        """``path``, with its folder, and without what an earlier member left there."""
        self.folder(path.parent)
        if path.is_symlink() or path.is_file():
            path.unlink()
        return path

    def _check(self, path: Path, name: str) -> None:
        # Links that were unpacked before count: texts alone do not tell where a path leads.
        real = Path(os.path.realpath(path))
        if real != self._root and self._root not in real.parents:
            raise OddArchiveError(f"the path {name!r} leads out of it")
