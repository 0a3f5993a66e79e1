"""Wheels and sdists on this machine's disk (find-links that ``allow-undated`` names)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from envlock.errors import SourceError
from envlock.lock.package import Artifact

_CHUNK = 1 << 20


def local_artifact(path: Path, root: Path) -> Artifact:
    """The file by its digest, and by its path from the lockfile's folder ``root``.

    Raises:
        SourceError: it cannot be read.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise SourceError(f"cannot read: {error.strerror}", where=str(path)) from None
    return Artifact(
        name=path.name,
        path=Path(os.path.relpath(path, root.resolve())).as_posix(),
        sha256=digest.hexdigest(),
        size=size,
    )
