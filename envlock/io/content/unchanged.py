"""A verdict that holds as long as nothing that it was made from has changed.

Files are compared by content, byte for byte; folders by their time of modification, which every
file that comes, goes or is renamed in them moves. Nothing but ``os`` and ``binascii`` is imported:
the point is to answer before anything else is loaded.
"""

from __future__ import annotations

import os
from binascii import crc32

from envlock.io.paths import cache_folder

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable

_KIND = "unchanged-1"
_END = b"."
_TICK = 20_000_000
"""Nanoseconds: file systems stamp with a clock that lags by some milliseconds."""
COARSE = 2_000_000_000
"""Nanoseconds: where stamps are whole seconds, they may be two seconds apart (FAT)."""


def keep(key: str, *, files: Iterable[str], folders: Iterable[str], since: int) -> None:
    """Remember that ``key`` holds for these files and folders as they are.

    Nothing is remembered where something changed after ``since`` (nanoseconds since the epoch, when
    the verdict's making began), or so shortly before that its stamp does not tell: what was read
    may not be what is there. A cache that cannot be written costs time later, nothing else.
    """
    files, folders = sorted(set(files)), sorted(set(folders))
    parts = [os.fsencode(key), str(len(folders)).encode()]
    try:
        if not all(settled_file(path, since) for path in (*folders, *files)):
            return
        for folder in folders:
            parts += [_stamp(folder), os.fsencode(folder)]
        for file in files:
            parts += [content(file), os.fsencode(file)]
        path = _path(key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "wb") as kept:
            kept.write(joined(parts))
        os.replace(temporary, path)
    except OSError:
        return


def holds(key: str) -> bool:
    """Whether ``key`` was kept and everything is as it was then."""
    try:
        named, count, *rest = split(content(_path(key)))
        if named != os.fsencode(key):
            return False
        pairs = list(zip(rest[::2], rest[1::2], strict=True))
        folders, files = pairs[: int(count)], pairs[int(count) :]
        return all(_stamp(os.fsdecode(path)) == stamp for stamp, path in folders) and all(
            content(os.fsdecode(path)) == text for text, path in files
        )
    except (OSError, ValueError):
        return False


def settled_file(path: str, since: int) -> bool:
    """Whether the last change lies safely before ``since``.

    Raises:
        OSError: there is no such file.
    """
    found = os.stat(path)
    return settled(found.st_mtime_ns, found.st_ctime_ns, since)


def settled(mtime: int, ctime: int, since: int) -> bool:
    """Whether a file with these times (nanoseconds) was changed safely before ``since``.

    Otherwise another change, made after ``since``, could leave the same times.
    """
    changed = max(mtime, ctime)
    lag = _TICK if changed % 1_000_000_000 else COARSE
    return changed + lag < since


def _stamp(folder: str) -> bytes:
    return str(os.stat(folder).st_mtime_ns).encode()


def content(path: str) -> bytes:
    """The file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return file.read()


def joined(parts: list[bytes]) -> bytes:
    """Each part with its length before it; a mark at the end tells a file cut short."""
    return b"".join(b"%d:%b" % (len(part), part) for part in parts) + _END


def split(data: bytes) -> list[bytes]:
    """The parts that were joined.

    Raises:
        ValueError: some of it is missing.
    """
    parts = []
    start = 0
    while start < len(data) - len(_END):
        colon = data.index(b":", start)
        end = colon + 1 + int(data[start:colon])
        parts.append(data[colon + 1 : end])
        start = end
    if data[start:] != _END:
        raise ValueError("cut short")
    return parts


def _path(key: str) -> str:
    # Keys that share a checksum only displace one another: the key itself is in the file.
    return os.path.join(cache_folder(), _KIND, f"{crc32(os.fsencode(key)):08x}")
