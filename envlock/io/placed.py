"""A new file put in its place, in a folder that is held meanwhile: ``files``, without its loading.

Nothing but ``os`` is imported. What does not go smoothly is not done, and is for ``files`` to do,
or to say why it cannot be done.
"""

from __future__ import annotations

import os


def hold(folder: str) -> int | None:
    """``files.project_lock`` of a folder that nobody else holds; closing the handle lets go."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return None
    handle = None
    try:
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if handle is not None:
            os.close(handle)
        return None
    return handle


def put(path: str, content: bytes) -> bool:
    """``files.write_atomic`` of a file that is not there: whole and on disk, or not at all."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.urandom(6).hex()}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            while content:
                content = content[os.write(handle, content) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, path)
    except OSError:
        _discard(temporary)
        return False
    except BaseException:  # interrupted
        _discard(temporary)
        raise
    _sync(folder)
    return True


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _sync(folder: str) -> None:
    """Have the new name on disk, too; some file systems refuse, which costs durability alone."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        return
