"""The content-addressed store: what was verified once, for builds, bundles and rebuilds.

``cache_dir()/sha256/xx/<digest>`` is taken only by bytes with that digest, whole, in one step; it
is read-only. What is on its way lies in ``cache_dir()/partial/<digest>`` until then, and is
continued by the next run when this one is cut off.

A file that was verified gets a modification time that follows from its digest. As long as it has
that, nobody has written to it since, and it is not read again to be trusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from io import FileIO
from pathlib import Path
from typing import Protocol

from envlock.errors import SourceError, VerificationError
from envlock.io.files import disk_error
from envlock.io.paths import cache_dir

FORGOTTEN = 3 * 24 * 3600.0
"""Seconds after which what is on its way and was not continued is thrown away."""

_PIECE = 1024 * 1024
_EPOCH = 315532800  # 1980, the first year that every file system can write down


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes; none at the end."""


def stored(sha256: str) -> Path:
    """The store's path for a digest (lower-case hex); it may not exist."""
    return cache_dir() / "sha256" / sha256[:2] / sha256


def has_stored(sha256: str, size: int | None = None) -> bool:
    """Whether the store has the bytes (``size`` of them, if given); damage is thrown away."""
    path = stored(sha256)
    try:
        found = path.stat()
        if found.st_mtime_ns != _stamp(sha256):
            if _digest(path) != sha256:
                path.unlink()
                return False
            with contextlib.suppress(OSError):
                os.utime(path, ns=(_stamp(sha256), _stamp(sha256)))
        return size is None or found.st_size == size
    except OSError:
        return False


def store_file(source: Path, sha256: str) -> Path:
    """Copy a file of this machine into the store; its path there.

    Raises:
        SourceError: it cannot be read, or the disk cannot take it.
        VerificationError: it has other bytes.
    """
    if has_stored(sha256):
        return stored(sha256)
    try:
        content = source.open("rb")
    except OSError as error:
        raise SourceError(
            f"cannot read: {error.strerror}", where=str(source), remedy="put the file back"
        ) from None
    with content:
        return store_content(content, sha256, str(source))


def store_content(content: Readable, sha256: str, where: str) -> Path:
    """Copy what is read into the store; its path there.

    Args:
        content: from where it is, to its end.
        sha256: the digest that it must have.
        where: for errors.

    Raises:
        SourceError: it cannot be read, or the disk cannot take it.
        VerificationError: it has other bytes.
    """
    path, digest = stored(sha256), hashlib.sha256()
    with Part(sha256) as part:
        try:
            part.file.truncate(0)
            while piece := content.read(_PIECE):
                digest.update(piece)
                part.write(piece)
        except OSError as error:
            part.discard()
            raise disk_error(error, path.parent) from None
        if digest.hexdigest() != sha256:
            part.discard()
            raise VerificationError(
                f"sha256 is {digest.hexdigest()}, the lock says {sha256}",
                where=where,
                remedy="put the locked file back, or run `envlock lock`",
            )
        part.settle()
    return path


class Part:
    """A file on its way into the store: open for reading and writing in ``file``, unbuffered.

    A context manager. What an earlier run left of it is there. At the end it is in the store
    (``settle``), thrown away (``discard``), or left to be continued. Two processes that fetch the
    same file do not meet: the second one has a part of its own, which it does not leave behind.

    Raises:
        SourceError: the cache cannot be written (on entering).
    """

    def __init__(self, sha256: str) -> None:
        self._sha256 = sha256
        self.path = _partial() / sha256
        self._kept = False

    def __enter__(self) -> Part:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            found = _open_alone(self.path)
            if found is not None:
                self.file, self._kept = found, True
                return self
            handle, name = tempfile.mkstemp(prefix=f"{self._sha256}.", dir=self.path.parent)
            self.file, self.path = FileIO(handle, "r+"), Path(name)
        except OSError as error:
            raise disk_error(error, self.path.parent) from None
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            if not self.file.closed and not (self._kept and os.fstat(self.file.fileno()).st_size):
                self.path.unlink()
        self.file.close()

    def write(self, piece: bytes) -> None:
        """All of ``piece``, which an unbuffered file may take in several steps."""
        left = memoryview(piece)
        while left:
            left = left[self.file.write(left) :]

    def discard(self) -> None:
        """Leave nothing behind."""
        self._kept = False

    def settle(self) -> Path:
        """Take the digest's name in the store. The caller has verified that the bytes have it.

        Raises:
            SourceError: the disk cannot take it; then nothing is left behind.
        """
        final = stored(self._sha256)
        handle = self.file.fileno()
        try:
            os.fsync(handle)
            final.parent.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o444)
            os.utime(self.path, ns=(_stamp(self._sha256), _stamp(self._sha256)))
            if os.name == "nt":
                self.file.close()  # what is open has no new name there
            self.path.replace(final)
        except OSError as error:
            self.discard()
            raise disk_error(error, final.parent) from None
        self.file.close()
        return final


class Fresh:
    """A file that is made here, on its way into the store: its digest is known at its end.

    A context manager; ``file`` is open for writing. Without ``settle`` nothing is left of it.

    Raises:
        SourceError: the cache cannot be written (on entering).
    """

    def __enter__(self) -> Fresh:
        folder = _partial()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix="made.", dir=folder)
        except OSError as error:
            raise disk_error(error, folder) from None
        self.file, self.path = os.fdopen(handle, "wb"), Path(name)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.file.close()
        self.path.unlink(missing_ok=True)

    def settle(self, sha256: str) -> Path:
        """Take the digest's name in the store. The caller has hashed what it wrote.

        Raises:
            SourceError: the disk cannot take it.
        """
        final = stored(sha256)
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            final.parent.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o444)
            os.utime(self.path, ns=(_stamp(sha256), _stamp(sha256)))
            self.path.replace(final)
        except OSError as error:
            raise disk_error(error, final.parent) from None
        return final


def store_made(source: Path) -> str:
    """Copy a file that was made here into the store; its SHA-256.

    Raises:
        SourceError: it cannot be read, or the disk cannot take it.
    """
    digest = hashlib.sha256()
    with Fresh() as fresh:
        try:
            with source.open("rb") as content:
                while piece := content.read(_PIECE):
                    digest.update(piece)
                    fresh.file.write(piece)
        except OSError as error:
            raise disk_error(error, source) from None
        fresh.settle(digest.hexdigest())
    return digest.hexdigest()


def named(sha256: str, name: str) -> Path:
    """A path at which a file of the store has a name of its own, the same path each time.

    It is a link. Installers go by the name, and know a file again by its path and times.

    Raises:
        SourceError: the cache cannot be written.
    """
    path = cache_dir() / "named" / sha256[:32] / name
    target = os.path.relpath(stored(sha256), path.parent)
    with contextlib.suppress(OSError):
        if path.readlink() == Path(target):
            return path
    temporary = path.with_name(f".{os.getpid()}.{name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(path)
    except OSError as error:
        raise disk_error(error, path.parent) from None
    return path


def copy_stored(sha256: str, target: Path) -> None:
    """Copy a file of the store to where nothing of that name is, or the same file is.

    Like the store's own files the copy has a modification time that follows from its digest. One
    that has it and the size is left as it is; anything else is replaced, in one step.

    Raises:
        SourceError: the disk cannot take it, or the store has lost it.
    """
    source, stamp = stored(sha256), _stamp(sha256)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with contextlib.suppress(FileNotFoundError):
            found = target.stat()
            if (found.st_mtime_ns, found.st_size) == (stamp, source.stat().st_size):
                return
        shutil.copyfile(source, temporary)
        os.utime(temporary, ns=(stamp, stamp))
        temporary.replace(target)
    except OSError as error:
        raise disk_error(error, target.parent) from None
    finally:
        temporary.unlink(missing_ok=True)


def sweep() -> None:
    """Throw away what has been on its way for long; nobody will continue it."""
    with contextlib.suppress(OSError):
        for path in _partial().iterdir():
            if path.stat().st_mtime < time.time() - FORGOTTEN:
                path.unlink()


def _partial() -> Path:
    return cache_dir() / "partial"


def _open_alone(path: Path) -> FileIO | None:
    """The file, created if need be, locked for this process; None when another one has it."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return None
    while True:
        file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+")
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held by another, or the file system cannot lock
            file.close()
            return None
        with contextlib.suppress(FileNotFoundError):
            # The one who had it before may have moved it into the store since it was opened.
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
        file.close()


def _stamp(sha256: str) -> int:
    """The modification time (ns) of the file with that digest: whole, even seconds."""
    return (_EPOCH + 2 * int(sha256[:6], 16)) * 1_000_000_000


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
