"""Where single files are looked at: this machine, or an image's layers."""

from __future__ import annotations

import os
from typing import Protocol


class Disk(Protocol):
    """Small files by absolute path."""

    def content(self, path: str) -> bytes:
        """A regular file's bytes.

        Raises:
            OSError: there is none, or it cannot be read.
        """

    def target(self, path: str) -> str:
        """What a symbolic link says.

        Raises:
            OSError: it cannot be read.
        """


class LocalDisk:
    """This machine's."""

    def content(self, path: str) -> bytes:
        """As ``Disk``. What is no regular file is not opened: a pipe would never end."""
        if os.path.exists(path) and not os.path.isfile(path):
            raise OSError(None, "no regular file")
        with open(path, "rb") as file:
            return file.read()

    def target(self, path: str) -> str:
        """As ``Disk``."""
        return os.readlink(path)


LOCAL = LocalDisk()
