"""Copies whose bytes are held to a digest on the way."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from pathlib import Path

from envlock.errors import VerificationError

UNFINISHED = ".envlock-part."
"""How the names of copies begin that are not whole yet; who is killed leaves them behind."""

_PIECE = 1 << 18
_PORTION = 1 << 23
_WORTH_SENDING = 1 << 20
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
        try:
            copy_at(source, handle, 0, sha256, where=name)
            os.fchmod(handle, mode)
            if mtime_ns is not None:
                os.utime(handle, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(handle)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def copy_at(
    source: Path | bytes,
    handle: int,
    place: int,
    sha256: str,
    *,
    size: int | None = None,
    where: str,
) -> None:
    """Copy a file (or bytes) that must have a digest to a place in an open file; any thread may.

    What was written is on its way to the disk then, and nobody needs to keep it in memory.

    Args:
        source: what is copied.
        handle: of the file, open for writing and reading.
        place: where in it, in bytes.
        sha256: the digest that it must have, in lower-case hex.
        size: how many bytes it must have at the most; None: all that there are.
        where: what an error names.

    Raises:
        OSError: it cannot be read or written.
        VerificationError: it has other bytes.
    """
    digest = hashlib.sha256()
    if isinstance(source, bytes):
        _write(handle, source, place)
        digest.update(source)
    else:
        with source.open("rb", 0) as content:
            there = os.fstat(content.fileno()).st_size
            left = there if size is None else min(there, size)
            if not _copy_in_kernel(content.fileno(), handle, place, left, digest):
                _copy(content.fileno(), handle, place, left, digest)
    hold(digest.hexdigest(), sha256, where)


def flush(folder: Path) -> None:
    """Wait until all that was written to the folder's file system is on its disk.

    Raises:
        OSError: it cannot be written.
    """
    import ctypes

    try:
        sync = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError, TypeError):  # not Linux
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        if sync(handle):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(handle)


def _copy_in_kernel(source: int, target: int, place: int, left: int, digest: hashlib._Hash) -> bool:
    """Copy without the bytes passing through here, shared on disks that can; False: not possible.

    What was written is read again for its digest.
    """
    if not hasattr(os, "copy_file_range"):
        return False
    start = 0
    while left > 0:
        try:
            copied = os.copy_file_range(source, target, min(left, _PORTION), start, place + start)
        except OSError as error:
            if start or error.errno not in _IMPOSSIBLE:
                raise
            return False
        if not copied:
            break  # cut off meanwhile: the digest tells
        _digest(target, place + start, copied, digest)
        _send(target, place + start, copied)
        start, left = start + copied, left - copied
    return True


def _digest(handle: int, place: int, size: int, digest: hashlib._Hash) -> None:
    buffer, end = bytearray(_PIECE), place + size
    view = memoryview(buffer)
    while place < end:
        count = os.preadv(handle, [view[: end - place]], place)
        if not count:
            raise OSError(errno.EIO, "what was written is gone")
        digest.update(view[:count])
        place += count


def _copy(source: int, target: int, place: int, left: int, digest: hashlib._Hash) -> None:
    while piece := os.read(source, min(left, _PIECE)):
        digest.update(piece)
        _write(target, piece, place)
        place, left = place + len(piece), left - len(piece)


def _write(handle: int, content: bytes, place: int) -> None:
    left = memoryview(content)
    while left:
        count = os.pwrite(handle, left, place)
        place, left = place + count, left[count:]


def _send(handle: int, place: int, size: int) -> None:
    """Have the disk begin with what was written; it is not waited for."""
    if size >= _WORTH_SENDING and hasattr(os, "posix_fadvise"):
        os.posix_fadvise(handle, place, size, os.POSIX_FADV_DONTNEED)


def hold(found: str, sha256: str, where: str) -> None:
    """Raise ``VerificationError`` unless a digest is what it must be."""
    if found != sha256:
        raise VerificationError(
            f"sha256 is {found}, it must be {sha256}",
            where=where,
            remedy="throw the file away and run the command again",
        )
