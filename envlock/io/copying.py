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

UNFINISHED = ".envlock-part."
"""How the names of copies begin that are not whole yet; who is killed leaves them behind."""

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
    target: Path,
    sha256: str,
    *,
    mode: int = 0o644,
    mtime_ns: int | None = None,
) -> None:
    """Copy a file (or bytes) that must have a digest to a path, which is taken in one step.

    Args:
        source: what is copied.
        target: the path; nothing is left there when something is wrong.
        sha256: the digest that it must have, in lower-case hex.
        mode: the file's permissions.
        mtime_ns: its modification time (nanoseconds since 1970), None: now.

    Raises:
        OSError: it cannot be read or written.
        VerificationError: it has other bytes.
    """
    handle, name = tempfile.mkstemp(prefix=UNFINISHED, dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            append(source, file, sha256)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if mtime_ns is not None:
                os.utime(file.fileno(), ns=(mtime_ns, mtime_ns))
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def append(source: Path | bytes, file: IO[bytes], sha256: str | None) -> None:
    """Copy a file (or bytes) to where a file is, which is open for writing and reading.

    Args:
        source: what is copied.
        file: where to.
        sha256: the digest that it must have; None: the caller looks, with ``digest_within``.

    Raises:
        OSError: it cannot be read or written.
        VerificationError: it has other bytes.
    """
    digest = None if sha256 is None else hashlib.sha256()
    if isinstance(source, bytes):
        file.write(source)
        if digest is not None:
            digest.update(source)
    else:
        with source.open("rb", 0) as content:
            if not _copy_in_kernel(content, file, digest):
                _copy(content, file, digest)
    if digest is not None and sha256 is not None:
        hold(digest.hexdigest(), sha256, str(file.name))


def digest_within(file: IO[bytes], place: int, size: int) -> str:
    """The SHA-256 (hex) of some bytes of a file that were written; any thread may ask.

    Raises:
        OSError: they cannot be read.
    """
    digest = hashlib.sha256()
    _digest(file, place, size, digest)
    return digest.hexdigest()


def _copy_in_kernel(content: IO[bytes], file: IO[bytes], digest: hashlib._Hash | None) -> bool:
    """Copy without the bytes passing through here, shared on disks that can; False: not possible.

    What was written is read again for its digest.
    """
    if not hasattr(os, "copy_file_range"):
        return False
    file.flush()
    left, place = os.fstat(content.fileno()).st_size, file.tell()
    begun = False
    while left > 0:
        try:
            copied = os.copy_file_range(content.fileno(), file.fileno(), min(left, _PORTION))
        except OSError as error:
            if begun or error.errno not in _IMPOSSIBLE:
                raise
            return False
        if not copied:
            break  # cut off meanwhile: the digest tells
        begun, left = True, left - copied
        if digest is not None:
            _digest(file, place, copied, digest)
        place += copied
    file.seek(place)
    return True


def _digest(file: IO[bytes], place: int, size: int, digest: hashlib._Hash) -> None:
    buffer, end = bytearray(_PIECE), place + size
    view = memoryview(buffer)
    while place < end:
        count = os.preadv(file.fileno(), [view[: end - place]], place)
        if not count:
            raise OSError(errno.EIO, "what was written is gone", file.name)
        digest.update(view[:count])
        place += count


def _copy(content: IO[bytes], file: IO[bytes], digest: hashlib._Hash | None) -> None:
    while piece := content.read(_PIECE):
        if digest is not None:
            digest.update(piece)
        file.write(piece)


def hold(found: str, sha256: str, where: str) -> None:
    """Raise ``VerificationError`` unless a digest is what it must be."""
    if found != sha256:
        raise VerificationError(
            f"sha256 is {found}, it must be {sha256}",
            where=where,
            remedy="throw the file away and run the command again",
        )
