"""Small answers kept on disk: each entry carries its own digest, so that damage is a miss.

``envlock run`` asks it before it starts a program: nothing heavy is imported to look something up.
"""

from __future__ import annotations

import os
import time

from envlock.io.paths import cache_folder
from envlock.io.sha256 import LITTLE, Sha256, hex_of


class DiskCache:
    """Entries of one kind under ``cache_dir()/<kind>``; a key may be any text.

    A cache that cannot be read or written is an empty one: it costs time, never an answer.
    """

    def __init__(self, kind: str) -> None:
        self._folder = os.path.join(cache_folder(), kind)

    def get(self, key: str, *, max_age: float | None = None) -> bytes | None:
        """The entry, or None when absent, damaged or older than ``max_age`` seconds."""
        path = self.place(key)
        try:
            if max_age is not None and not 0 <= time.time() - os.stat(path).st_mtime <= max_age:
                return None
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            return None
        digest, _, body = content.partition(b"\n")
        return body if digest == _digest(key, body) else None

    def put(self, key: str, body: bytes) -> None:
        """Keep ``body`` under ``key``; a reader sees the old or the new entry."""
        import contextlib
        import tempfile

        path = self.place(key)
        with contextlib.suppress(OSError):
            folder = os.path.dirname(path)
            os.makedirs(folder, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".", dir=folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_digest(key, body) + b"\n" + body)
                os.replace(name, path)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(name)

    def place(self, key: str) -> str:
        """The entry's file, whether it is there or not."""
        name = hex_of(key.encode())
        return os.path.join(self._folder, name[:2], name[2:])


def _digest(key: str, body: bytes) -> bytes:
    if len(body) < LITTLE:
        return hex_of(key.encode() + b"\0" + body).encode()
    digest = Sha256()  # spares a copy
    digest.update(key.encode() + b"\0")
    digest.update(body)
    return digest.hexdigest().encode()
