"""Copies whose bytes are held to a digest on the way."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO

from envlock.errors import VerificationError

_PIECE = 1 << 18
_PORTION = 1 << 23
# Another file system, none that can, or an old kernel.
_IMPOSSIBLE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)


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
    if isinstance(source, bytes):
        file.write(source)
        _hold(hashlib.sha256(source).hexdigest(), sha256, "what was made")
        return
    with source.open("rb", 0) as content:
        digest = _copy_in_kernel(content, file) or _copy(content, file)
    _hold(digest.hexdigest(), sha256, str(source))


def _copy_in_kernel(content: IO[bytes], file: IO[bytes]) -> hashlib._Hash | None:
    """Copy without the bytes passing through here, shared on disks that can; None: not possible.

    What was written is read again for its digest.
    """
    if not hasattr(os, "copy_file_range"):
        return None
    file.flush()
    left, place = os.fstat(content.fileno()).st_size, file.tell()
    digest, buffer, begun = hashlib.sha256(), bytearray(_PIECE), False
    view = memoryview(buffer)
    while left > 0:
        try:
            copied = os.copy_file_range(content.fileno(), file.fileno(), min(left, _PORTION))
        except OSError as error:
            if begun or error.errno not in _IMPOSSIBLE:
                raise
            return None
        if not copied:
            break  # cut off meanwhile: the digest tells
        begun, left, end = True, left - copied, place + copied
        while place < end:
            count = os.preadv(file.fileno(), [view[: end - place]], place)
            if not count:
                raise OSError(errno.EIO, "what was written is gone", file.name)
            digest.update(view[:count])
            place += count
    file.seek(place)
    return digest


def _copy(content: IO[bytes], file: IO[bytes]) -> hashlib._Hash:
    digest = hashlib.sha256()
    while piece := content.read(_PIECE):
        digest.update(piece)
        file.write(piece)
    return digest


def _hold(found: str, sha256: str, where: str) -> None:
    if found != sha256:
        raise VerificationError(
            f"sha256 is {found}, it must be {sha256}",
            where=where,
            remedy="throw the file away and run the command again",
        )
