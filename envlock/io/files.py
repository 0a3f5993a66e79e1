"""Files: clear errors, atomic writes, and an advisory lock that keeps two commands apart."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from contextvars import ContextVar
from pathlib import Path

from envlock.errors import DiskError, UsageError

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

_REMEDIES = {
    errno.ENOSPC: "free some space (`envlock cache prune`?) and run the command again; nothing that"
    " is half made passes for whole",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), and run the command again",
    errno.EDQUOT: "free some space and run the command again; nothing that is half made passes for"
    " whole",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "check the permissions of the file and its folder",
    errno.EPERM: "check the permissions of the file and its folder",
}


_seen: ContextVar[set[str] | None] = ContextVar("_seen", default=None)


@contextlib.contextmanager
def noting_reads() -> Iterator[set[str]]:
    """The absolute paths of all files that are read here meanwhile, or could not be."""
    seen: set[str] = set()
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)


def read_bytes(path: Path) -> bytes:
    """``path.read_bytes()``, noted for ``noting_reads``."""
    note_read(path)
    return path.read_bytes()


def note_read(path: Path | str) -> None:
    """Note for ``noting_reads`` that a file was read, or will have been."""
    seen = _seen.get()
    if seen is not None:
        seen.add(os.path.abspath(path))  # noqa: PTH100 - links stay as they are


OTHERS = ""
"""Stands among what was read for what is no file: the programs of this machine, say."""


def note_others() -> None:
    """Note that more than files was looked at, for ``noting_reads``: ``OTHERS``."""
    seen = _seen.get()
    if seen is not None:
        seen.add(OTHERS)


def read_text(path: Path) -> str:
    """The file's text (UTF-8, a byte-order mark skipped, newlines as they are).

    Raises:
        UsageError: the file is missing, unreadable or not UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError("no such file", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"not UTF-8 (byte {error.start})", where=str(path), remedy="save the file as UTF-8"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", where=str(path)) from None
    except ValueError:
        # A NUL, or what the file system's encoding cannot carry.
        raise UsageError("not a file name", where=ascii(str(path))) from None


def write_atomic(path: Path, content: bytes | str, *, durable: bool = True) -> None:
    """Replace ``path`` by ``content``: whoever looks, at any moment, sees the old or the new file.

    The bytes go to a neighbour file, are flushed to disk, and take the name in one rename. An
    existing file's permissions are kept; a symbolic link is written through. Among files that
    others wrote without flushing them (an environment's), ``durable`` may be False: no process
    that ends, however, leaves half a file; the machine may, as it may of those.

    Raises:
        SourceError: the disk is full, or the folder cannot be written. The old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    with _renamed(target, said=path, keeps_mode=True, durable=durable) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file for ``path``; it takes the name in one step when all went well.

    Where the system can (Linux), it has no name until then: even a killed process leaves nothing.

    Raises:
        SourceError: the disk cannot take it. What was there is untouched, as after any failure.
    """
    with _renamed(path, said=path, keeps_mode=False, hidden=True) as file:
        yield file


@contextlib.contextmanager
def _renamed(
    target: Path, *, said: Path, keeps_mode: bool, durable: bool = True, hidden: bool = False
) -> Iterator[IO[bytes]]:
    """A neighbour of ``target``, flushed to disk, which then takes its name in one rename.

    ``hidden``: it has no name before that, where the system can.
    """
    import tempfile

    temporary: str | None = None
    try:
        kept = keeps_mode and target.exists()
        mode = stat.S_IMODE(target.stat().st_mode) if kept else _default_mode()
        prefix = f".{target.name}."
        handle = _nameless(target.parent) if hidden else None
        if handle is None:
            handle, temporary = tempfile.mkstemp(prefix=prefix, dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
            if temporary is None:
                temporary = _named(file.fileno(), target.parent, prefix)
        Path(temporary).replace(target)
        temporary = None
        if durable:
            _sync_folder(target.parent)
    except OSError as error:
        raise disk_error(error, said) from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _nameless(folder: Path) -> int | None:
    """A new file in no folder, on the disk of ``folder``; None where there is no such thing."""
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - by which it gets its name
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except (AttributeError, OSError):
        return None


def _named(handle: int, folder: Path, prefix: str) -> str:
    """Give a file of ``_nameless`` a name that nobody has; its path."""
    name = f"{prefix}{os.urandom(8).hex()}"
    place = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Only with a folder's descriptor does Python have the link in /proc followed.
        os.link(f"/proc/self/fd/{handle}", name, dst_dir_fd=place, follow_symlinks=True)
    finally:
        os.close(place)
    return f"{folder}/{name}"


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises:
        SourceError: that is not possible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, path) from None


def _default_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    # The rename is durable only once the folder is on disk; some file systems refuse, which only
    # costs durability, never wholeness.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def disk_error(error: OSError, path: Path) -> DiskError:
    """The error for what the system says of writing ``path``, with what helps."""
    return DiskError(
        f"cannot write: {error.strerror or error}",
        where=str(path),
        remedy=_REMEDIES.get(error.errno or 0),
    )


@contextlib.contextmanager
def project_lock(folder: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the project's advisory lock: a second envlock that writes here waits for the first.

    ``on_wait`` is called once when another one holds it.

    The lock is on the folder itself, so that nothing is left behind; a killed process lets go.
    Where locking is not supported (some network file systems) it does nothing: writes are atomic
    either way.
    """
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise disk_error(error, folder) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            pass  # not supported here
        yield
    finally:
        os.close(handle)


def append_lines(path: Path, lines: list[str]) -> None:
    """Add whole lines to a cache file, creating it; several processes may do so at once.

    One write to a file opened for appending lands in one piece. A cache that cannot be written
    costs time later, nothing else, so that is no error.
    """
    if not lines:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            # A line that an earlier full disk tore must not swallow ours.
            os.write(handle, ("\n" + "\n".join(lines) + "\n").encode())
        finally:
            os.close(handle)
