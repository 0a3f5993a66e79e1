"""Small files that are written once, whole, by many processes at a time.

Nothing but ``os`` is imported: ``envlock run`` writes its first file before it starts a program.
"""

from __future__ import annotations

import errno
import os

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def write_once(path: str, content: bytes, *, durable: bool) -> None:
    """Give ``content`` the name ``path``: whoever looks sees nothing or the whole file.

    Folders are made. A killed process may leave a neighbour whose name starts with a dot.

    Args:
        path: where it goes; what is there already stays.
        content: the bytes.
        durable: come back only when it is on disk, the name included.

    Raises:
        FileExistsError: the name is taken.
        OSError: the disk does not take it.
    """
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{name}.{os.urandom(4).hex()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(handle, rest) :]
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
        _take_name(temporary, path)
    finally:
        os.unlink(temporary)
    if durable:
        sync(folder)


def sync(path: str) -> None:
    """Have a file or a folder's names on disk, where its file system does that."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        # Some network file systems refuse: it costs durability, never wholeness.
        return
    finally:
        os.close(handle)


def read(path: str) -> bytes:
    """The file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _take_name(temporary: str, path: str) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # FAT and its like have no links; a name with a random part is not taken by chance.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
        os.replace(temporary, path)
        os.close(os.open(temporary, os.O_CREAT, 0o600))  # what the caller takes away
