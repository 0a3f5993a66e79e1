"""A root in a folder, as this user: what ``LayerWriter`` is for an archive.

Owners, and the privileges that go with them, are not kept: whoever made the folder owns it all.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path
from typing import IO

from envlock.errors import UsageError
from envlock.realise.image.layer import EARLIEST

_PIECE = 1 << 20


class FolderWriter:
    """Writes below a folder that is empty at first; paths and links were judged before (``Tree``).

    Methods raise OSError where the disk cannot take it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(
        self, path: str, *, mode: int = 0o755, mtime: int = EARLIEST, uid: int = 0, gid: int = 0
    ) -> None:
        """A folder, which this user can always change."""
        place = self._place(path)
        place.mkdir(exist_ok=True, parents=True)
        place.chmod(mode & 0o777 | 0o700)

    def symlink(self, path: str, target: str, *, mtime: int = EARLIEST) -> None:
        """A symbolic link."""
        self._free(path).symlink_to(target)

    def hard_link(self, path: str, target: str, *, like: tarfile.TarInfo) -> None:
        """Another name of a file that is there already."""
        self._free(path).hardlink_to(self._place(target))

    def file(
        self,
        path: str,
        content: bytes | IO[bytes],
        *,
        size: int | None = None,
        mode: int = 0o644,
        mtime: int = EARLIEST,
        uid: int = 0,
        gid: int = 0,
    ) -> None:
        """A regular file, read by all; of a stream, ``size`` bytes are read.

        Raises:
            UsageError: the stream ends before.
        """
        place = self._free(path)
        with place.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                shutil.copyfileobj(content, file, _PIECE)
                if file.tell() != size:
                    raise UsageError("it ends before its own size says", where=path)
            os.fchmod(file.fileno(), mode & 0o777 | 0o400)
        os.utime(place, (mtime, mtime))

    def _place(self, path: str) -> Path:
        return self._root / path

    def _free(self, path: str) -> Path:
        """The place, without what was there."""
        place = self._place(path)
        if os.path.lexists(place):
            place.unlink()
        return place
