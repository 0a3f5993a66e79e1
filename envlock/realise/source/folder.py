"""The folder of a build: the same path for the same inputs, for one build at a time.

Its path is shared by all users of a machine, as wheels may depend on it. A file beside it is locked
while it is used, and goes with it. What a killed envlock left there goes first: its processes, then
its files.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from envlock.errors import SourceError
from envlock.io.confined import end_left
from envlock.io.files import disk_error

_POLL = 0.05


@contextmanager
def build_folder(path: Path, stop: threading.Event) -> Iterator[Path]:
    """Make the folder, empty; it goes at the end. Waits for other builds at that path.

    Args:
        path: where, in a folder that all builders can write.
        stop: when set, it is not waited for any longer.

    Raises:
        SourceError: it cannot be made, or somebody else's is there and nobody builds in it.
    """
    try:
        with alone(path.with_name(f"{path.name}.lock"), stop):
            if path.is_symlink() or (path.exists() and path.stat().st_uid != os.geteuid()):
                raise SourceError(
                    "is in the way: wheels are built there, and it belongs to somebody else, who"
                    " does not build now",
                    where=str(path),
                    remedy="have it removed",
                )
            if path.exists():
                end_left("HOME", str(path / "home"))
                remove(path)
            path.mkdir(mode=0o700)
            try:
                yield path
            finally:
                remove(path)
    except OSError as error:
        raise disk_error(error, path) from None


@contextmanager
def alone(
    lock: Path, stop: threading.Event, on_wait: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold a lock that any user can wait for; the file goes with it.

    Args:
        lock: the file.
        stop: when set, it is not waited for any longer.
        on_wait: called once when somebody else holds it.

    Raises:
        OSError: the file cannot be made there.
        SourceError: it was stopped.
    """
    waited = False
    while True:
        handle = _opened(lock)
        try:
            while not _locked(handle):
                if not waited:
                    on_wait()
                waited = True
                if stop.wait(_POLL):
                    raise SourceError("was stopped while another build was there", where=str(lock))
            if _still(lock, handle):
                try:
                    yield
                finally:
                    with contextlib.suppress(OSError):
                        lock.unlink()
                return
        finally:
            os.close(handle)


def _opened(lock: Path) -> int:
    """The file, made where it is not there: readable for all, as locking needs no more."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        # Systems refuse to make what another user's file in such a folder is already.
        with contextlib.suppress(FileNotFoundError):
            return os.open(lock, flags)
        with contextlib.suppress(FileExistsError):
            handle = os.open(lock, flags | os.O_CREAT | os.O_EXCL, 0o444)
            os.fchmod(handle, 0o444)
            return handle


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still(lock: Path, handle: int) -> bool:
    """Whether the file has its name still: who had it before removed it at the end."""
    with contextlib.suppress(FileNotFoundError):
        return lock.lstat().st_ino == os.fstat(handle).st_ino
    return False


def remove(path: Path) -> None:
    """Remove a folder, whatever permissions a build gave what is in it."""

    def again(function: Callable[[str], object], name: str, error: object) -> None:
        parent = Path(name).parent
        parent.chmod(0o700)
        Path(name).chmod(0o700)
        function(name)

    if path.exists():
        shutil.rmtree(path, onerror=again)
