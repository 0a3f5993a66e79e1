"""From what a process calls a file to one absolute name for it, and to its state."""

from __future__ import annotations

import os
import stat

from envlock.io.trace.abi import AT_FDCWD

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    State = tuple[int, int, int, int]
    """Size, last change, inode and device of a regular file."""

_OWN_DESCRIPTORS = {b"/dev/stdin": b"0", b"/dev/stdout": b"1", b"/dev/stderr": b"2"}
_KERNEL = (b"/proc/", b"/sys/", b"/dev/")
_MEMORY = b"/dev/shm/"
_SELF = (b"/proc/self/", b"/proc/thread-self/")


class Unnamed(Exception):  # noqa: N818 - not an error: this path has no name that can be told
    """The file has no absolute name; the text says why."""


class Paths:
    """Names files for processes; remembers folders' real names until ``forget``."""

    def __init__(self) -> None:
        self._folders: dict[bytes, bytes] = {}
        self.rooted = False
        """Set once a process may have a root of its own, which every name then begins with."""

    def forget(self) -> None:
        """A link or a folder changed: what was remembered may be wrong now."""
        self._folders.clear()

    def absolute(self, pid: int, folder: int, name: bytes) -> bytes | None:
        """``name`` as ``pid`` means it, links not followed; None for the kernel's own files.

        Args:
            pid: the thread that asks.
            folder: the descriptor that a relative name starts from, or ``AT_FDCWD``.
            name: the text it gave.

        Raises:
            Unnamed: the folder it starts from has no name.
        """
        if name[:1] != b"/":
            name = self._start(pid, folder) + b"/" + name if name else self._start(pid, folder)
        elif name.startswith(_KERNEL) and not name.startswith(_MEMORY):
            return self._descriptor(pid, name)
        elif self.rooted:
            name = _link(f"/proc/{pid}/root").rstrip(b"/") + name
        return name

    def real(self, name: bytes) -> bytes:
        """``name`` with the links of its folders followed, not one at its end."""
        head, _, last = name.rpartition(b"/")
        if last in (b"", b".", b".."):
            return os.path.realpath(name)
        folder = self._folders.get(head)
        if folder is None:
            folder = self._folders[head] = os.path.realpath(head or b"/").rstrip(b"/")
        return folder + b"/" + last

    def _start(self, pid: int, folder: int) -> bytes:
        where = "cwd" if folder == AT_FDCWD else f"fd/{folder}"
        start = _link(f"/proc/{pid}/{where}")
        if start[:1] != b"/":
            raise Unnamed(f"a descriptor that is no file was used as a folder: {start!r}")
        return start

    def _descriptor(self, pid: int, name: bytes) -> bytes | None:
        """The file behind ``/dev/fd/3`` and its like."""
        number = _OWN_DESCRIPTORS.get(name)
        if number is None:
            own = name.startswith(_SELF) or name.startswith(b"/proc/%d/" % pid)
            folder, _, number = name.rpartition(b"/")
            if folder != b"/dev/fd" and not (own and folder.endswith(b"/fd")):
                return None
        if not number.isdigit():
            return None
        target = _link(f"/proc/{pid}/fd/{int(number)}")
        plain = target[:1] == b"/" and not target.startswith((b"/proc/", b"/sys/", b"/dev/"))
        return target if plain else None


def state(name: bytes, *, follow: bool) -> tuple[os.stat_result | None, State | None]:
    """What is at ``name`` now, and the state of it where it is a regular file."""
    try:
        found = os.stat(name, follow_symlinks=follow)
    except (OSError, ValueError):
        return None, None
    if not stat.S_ISREG(found.st_mode):
        return found, None
    return found, (found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)


def _link(path: str) -> bytes:
    """Where one of the kernel's links leads.

    Raises:
        Unnamed: nowhere that has a name.
    """
    try:
        return os.fsencode(os.readlink(path))
    except (FileNotFoundError, ProcessLookupError):
        raise Unnamed("") from None
    except OSError as error:
        raise Unnamed(f"the folder of a process cannot be named: {error.strerror}") from None
