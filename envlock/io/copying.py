"""Copies whose bytes are held to a digest on the way."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
from pathlib import Path
from typing import IO

from envlock.errors import VerificationError

_PIECE = 1 << 20


def digest_of(path: Path) -> str:
    """The SHA-256 (hex) of a file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_digested(
    source: Path | bytes,
    target: Path | IO[bytes],
    sha256: str,
    *,
    mode: int = 0o644,
    mtime_ns: int | None = None,
) -> None:
    """Copy a file (or bytes) that must have a digest.

    Args:
        source: what is copied.
        target: a path, which is taken in one step once all is right; or a file that is open for
            writing.
        sha256: the digest that it must have, in lower-case hex.
        mode: the permissions of the file at a path.
        mtime_ns: its modification time (nanoseconds since 1970), None: now.

    Raises:
        OSError: it cannot be read or written.
        VerificationError: it has other bytes; nothing is left at a path then.
    """
    if not isinstance(target, Path):
        _pour(source, target, sha256)
        return
    handle, name = tempfile.mkstemp(prefix=".", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            _pour(source, file, sha256)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if mtime_ns is not None:
                os.utime(file.fileno(), ns=(mtime_ns, mtime_ns))
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _pour(source: Path | bytes, file: IO[bytes], sha256: str) -> None:
    digest = hashlib.sha256()
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb", 0) as content:
        buffer = bytearray(_PIECE)
        view = memoryview(buffer)
        while count := content.readinto(buffer):
            digest.update(view[:count])
            file.write(view[:count])
    if digest.hexdigest() != sha256:
        where = "what was made" if isinstance(source, bytes) else str(source)
        raise VerificationError(
            f"sha256 is {digest.hexdigest()}, it must be {sha256}",
            where=where,
            remedy="throw the file away and run the command again",
        )
