"""Copies whose bytes are held to a digest on the way."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from envlock.errors import VerificationError

UNFINISHED = ".envlock-part."
"""How the names of copies begin that are not whole yet; who is killed leaves them behind."""

_PIECE = 1 << 18
_PORTION = 1 << 23
_WORTH_SENDING = 1 << 20
_FICLONE = 0x40049409
"""Linux's number for "the same bytes as that file's" (ioctl_ficlone(2))."""
_BEGIN = 2
"""SYNC_FILE_RANGE_WRITE of sync_file_range(2)."""


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

    What was written is on its way to the disk then.

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
        _write(handle, memoryview(source), place)
        digest.update(source)
    else:
        with source.open("rb", 0) as content:
            there = os.fstat(content.fileno()).st_size
            left = there if size is None else min(there, size)
            if place == 0 and left == there and _shared(content.fileno(), handle, there):
                _digest(handle, there, digest)
            else:
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


def _shared(source: int, target: int, size: int) -> bool:
    """Have the target share the source's bytes on the disk, where the file system can."""
    try:
        from fcntl import ioctl

        ioctl(target, _FICLONE, source)
        return os.fstat(target).st_size == size
    except (ImportError, OSError):
        return False


def _digest(handle: int, size: int, digest: hashlib._Hash) -> None:
    buffer, place = memoryview(bytearray(_PIECE)), 0
    while place < size:
        count = os.preadv(handle, [buffer[: size - place]], place)
        if not count:
            raise OSError(errno.EIO, "what was written is gone")
        digest.update(buffer[:count])
        place += count


def _copy(source: int, target: int, place: int, left: int, digest: hashlib._Hash) -> None:
    # Each piece is still in the processor's cache when it is digested and written.
    buffer, sent = memoryview(bytearray(_PIECE)), place
    while left > 0:
        count = os.readv(source, [buffer[:left]])
        if not count:
            break  # cut off meanwhile: the digest tells
        digest.update(buffer[:count])
        _write(target, buffer[:count], place)
        place, left = place + count, left - count
        if place - sent >= _PORTION or not left:
            _send(target, sent, place - sent)
            sent = place


def _write(handle: int, content: memoryview, place: int) -> None:
    while content:
        count = os.pwrite(handle, content, place)
        place, content = place + count, content[count:]


def _send(handle: int, place: int, size: int) -> None:
    """Have the disk begin with what was written; it is not waited for."""
    if size >= _WORTH_SENDING and (begin := _sync_file_range()) is not None:
        begin(handle, place, size, _BEGIN)


@functools.cache
def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    """Linux's, which no module has; advice that a file is not needed any more waits for others."""
    import ctypes

    try:
        found = ctypes.CDLL(None).sync_file_range
    except (AttributeError, OSError, TypeError):
        return None
    found.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return found


def hold(found: str, sha256: str, where: str) -> None:
    """Raise ``VerificationError`` unless a digest is what it must be."""
    if found != sha256:
        raise VerificationError(
            f"sha256 is {found}, it must be {sha256}",
            where=where,
            remedy="throw the file away and run the command again",
        )
