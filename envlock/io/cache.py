"""Small answers kept on disk: each entry carries its own digest, so that damage is a miss."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from pathlib import Path

from envlock.io.paths import cache_dir


class DiskCache:
    """Entries of one kind under ``cache_dir()/<kind>``; a key may be any text.

    A cache that cannot be read or written is an empty one: it costs time, never an answer.
    """

    def __init__(self, kind: str) -> None:
        self._folder = cache_dir() / kind

    def get(self, key: str, *, max_age: float | None = None) -> bytes | None:
        """The entry, or None when absent, damaged or older than ``max_age`` seconds."""
        path = self._path(key)
        try:
            if max_age is not None and not 0 <= time.time() - path.stat().st_mtime <= max_age:
                return None
            content = path.read_bytes()
        except OSError:
            return None
        digest, _, body = content.partition(b"\n")
        return body if digest == _digest(key, body) else None

    def put(self, key: str, body: bytes) -> None:
        """Keep ``body`` under ``key``; a reader sees the old or the new entry."""
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_digest(key, body) + b"\n" + body)
                Path(name).replace(path)
            except OSError:
                Path(name).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._folder / name[:2] / name[2:]


def _digest(key: str, body: bytes) -> bytes:
    digest = hashlib.sha256(key.encode() + b"\0")
    digest.update(body)
    return digest.hexdigest().encode()
