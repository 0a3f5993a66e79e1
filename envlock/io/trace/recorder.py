"""From system calls that are about to be made to events."""

from __future__ import annotations

import ctypes
import os
import stat
import struct

from envlock.io.trace.abi import AT_FDCWD, INTERFACES, O_CREAT, O_EXCL, O_TRUNC
from envlock.io.trace.kinds import Action, Contact
from envlock.io.trace.maps import read_maps
from envlock.io.trace.memory import Memory
from envlock.io.trace.network import LONGEST_ADDRESS, address
from envlock.io.trace.paths import Paths, Unnamed, state

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable

    from envlock.io.trace.network import Address
    from envlock.io.trace.paths import State

    Event = tuple[Action, str, str | None, State | None]

_ACCESS, _READ_ONLY, _READ_WRITE = 3, 0, 2
_CREAT = 1 | O_CREAT | O_TRUNC  # what creat(2) stands for
_EXCHANGE = 2
_SOCKETCALL = {2: "bind", 3: "connect", 11: "sendto"}
_SETUID = stat.S_ISUID | stat.S_ISGID
_EXECUTABLE = 0o111

_ELSEWHERE = "names of files after that may not be this system's"
_UNSEEN = {
    "io_uring_setup": "a program used io_uring, through which files can be opened unseen",
    "open_by_handle_at": "a program opened a file by its handle, which has no name",
    "chroot": f"a program changed its root folder; {_ELSEWHERE}",
    "mount": f"a program mounted something; {_ELSEWHERE}",
    "pivot_root": f"a program changed its root folder; {_ELSEWHERE}",
    "setns": f"a program entered another namespace; {_ELSEWHERE}",
    "unshare": f"a program got mounts of its own; {_ELSEWHERE}",
}


class Call:
    """A system call of thread ``pid``: its name and six arguments."""

    __slots__ = ("arguments", "name", "pid")

    def __init__(self, pid: int, name: str, arguments: tuple[int, ...]) -> None:
        self.pid = pid
        self.name = name
        self.arguments = arguments


class Recorder:
    """Collects events. ``see`` is called while the process is stopped, and must be quick.

    What was done before with the same path is not looked at again: only first times count, but for
    folders that are renamed, which take their files along.
    """

    def __init__(self, machine: str, *, bare: bool) -> None:
        self.events: list[Event] = []
        self.libraries: set[str] = set()
        self.connections: set[tuple[Contact, *Address]] = set()
        self.gaps: dict[str, None] = {}
        self.processes = 0
        self.notifications = 0
        self._bare = bare
        self._calls = {
            (interface.arch, number | interface.bits): name
            for interface in INTERFACES[machine]
            for name, number in interface.numbers.items()
        }
        self._memory = Memory()
        self._paths = Paths()
        self._asked: set[tuple[int, bytes]] = set()
        self._done: set[tuple[Action, bytes, bytes]] = set()
        self._fresh: set[int] = set()
        self._handlers: dict[str, Callable[[Call], None]] = {
            "open": lambda c: self._open(c, AT_FDCWD, c.arguments[0], c.arguments[1]),
            "openat": lambda c: self._open(c, _fd(c, 0), c.arguments[1], c.arguments[2]),
            "openat2": self._openat2,
            "creat": lambda c: self._open(c, AT_FDCWD, c.arguments[0], _CREAT),
            "mknod": lambda c: self._made(c, Action.WRITE, AT_FDCWD, 0),
            "mknodat": lambda c: self._made(c, Action.WRITE, _fd(c, 0), 1),
            "mkdir": lambda c: self._made(c, Action.FOLDER, AT_FDCWD, 0),
            "mkdirat": lambda c: self._made(c, Action.FOLDER, _fd(c, 0), 1),
            "symlink": lambda c: self._made(c, Action.SYMLINK, AT_FDCWD, 1),
            "symlinkat": lambda c: self._made(c, Action.SYMLINK, _fd(c, 1), 2),
            "truncate": lambda c: self._truncate(c),
            "truncate64": lambda c: self._truncate(c),
            "unlink": lambda c: self._removed(c, AT_FDCWD, 0),
            "unlinkat": lambda c: self._removed(c, _fd(c, 0), 1),
            "rename": lambda c: self._moved(c, Action.RENAME, (AT_FDCWD, 0), (AT_FDCWD, 1)),
            "renameat": lambda c: self._moved(c, Action.RENAME, (_fd(c, 0), 1), (_fd(c, 2), 3)),
            "renameat2": self._renameat2,
            "link": lambda c: self._moved(c, Action.LINK, (AT_FDCWD, 0), (AT_FDCWD, 1)),
            "linkat": lambda c: self._moved(c, Action.LINK, (_fd(c, 0), 1), (_fd(c, 2), 3)),
            "execve": lambda c: self._execute(c, AT_FDCWD, 0),
            "execveat": lambda c: self._execute(c, _fd(c, 0), 1),
            "connect": lambda c: self._contact(c, Contact.CONNECT, c.arguments[1], c.arguments[2]),
            "bind": lambda c: self._contact(c, Contact.BIND, c.arguments[1], c.arguments[2]),
            "sendto": lambda c: self._contact(c, Contact.SEND, c.arguments[4], c.arguments[5]),
            "socketcall": self._socketcall,
            "exit_group": self._exit,
        }

    def see(self, pid: int, arch: int, number: int, arguments: tuple[int, ...]) -> None:
        """One call that is about to be made; never raises for what a process can do."""
        self.notifications += 1
        name = self._calls[arch, number & 0xFFFFFFFF]
        call = Call(pid, name, arguments)
        try:
            if self._fresh and pid in self._fresh and not name.startswith("execve"):
                self._running(pid)
            handler = self._handlers.get(name)
            if handler is None:
                self._unseen(name)
            else:
                handler(call)
        except Unnamed as why:
            if str(why):
                self.gap(str(why))
        except PermissionError:
            self.gap("a process could not be looked into: it has other rights, or hides itself")
        except OSError:
            # It is gone, or gave an address that is not there: then the call fails, too.
            pass

    def gap(self, what: str) -> None:
        """Note what is missing."""
        self.gaps[what] = None

    def _unseen(self, name: str) -> None:
        self.gap(_UNSEEN[name])
        if name not in ("io_uring_setup", "open_by_handle_at"):
            self._paths.rooted = True
            self._paths.forget()

    # Files

    def _openat2(self, call: Call) -> None:
        flags = self._memory.read(call.pid, call.arguments[2], 8)
        self._open(call, _fd(call, 0), call.arguments[1], struct.unpack("<Q", flags)[0])

    def _open(self, call: Call, folder: int, address: int, flags: int) -> None:
        kind = flags & (_ACCESS | O_CREAT | O_TRUNC | O_EXCL)
        name = self._name(call, folder, address)
        if name is None or (kind, name) in self._asked:
            return
        path, found, before = self._follow(name)
        creates = bool(flags & O_CREAT)
        if before is None and (found is not None or not creates):
            return
        if before is not None and creates and flags & O_EXCL:
            return
        self._asked.add((kind, name))
        access = flags & _ACCESS
        fresh = before is None or bool(flags & O_TRUNC)
        if fresh:
            self._add(Action.WRITE, path, before)
        if access == _READ_ONLY or (access == _READ_WRITE and not fresh):
            self._add(Action.READ, path, before)
        if access != _READ_ONLY and not fresh:
            self._add(Action.UPDATE, path, before)

    def _truncate(self, call: Call) -> None:
        name = self._name(call, AT_FDCWD, call.arguments[0])
        if name is not None:
            path, _, before = self._follow(name)
            if before is not None:
                self._add(Action.UPDATE, path, before)

    def _made(self, call: Call, action: Action, folder: int, index: int) -> None:
        path = self._name(call, folder, call.arguments[index])
        if path is None:
            return
        path = self._paths.real(path)
        found, _ = state(path, follow=False)
        if found is None:
            self._add(action, path, None)
            if action is Action.SYMLINK:
                self._changed()

    def _removed(self, call: Call, folder: int, index: int) -> None:
        path = self._name(call, folder, call.arguments[index])
        if path is None:
            return
        path = self._paths.real(path)
        found, before = state(path, follow=False)
        if found is not None:
            self._add(Action.REMOVE, path, before)
            if before is None:
                self._changed()

    def _renameat2(self, call: Call) -> None:
        exchange = call.arguments[4] & _EXCHANGE
        action = Action.EXCHANGE if exchange else Action.RENAME
        self._moved(call, action, (_fd(call, 0), 1), (_fd(call, 2), 3))

    def _moved(
        self, call: Call, action: Action, source: tuple[int, int], target: tuple[int, int]
    ) -> None:
        second = self._name(call, target[0], call.arguments[target[1]])
        if second is None:
            return
        # A file without a name gets its first one: it is linked from /proc/self/fd.
        first = self._name(call, source[0], call.arguments[source[1]]) or second
        first, second = self._paths.real(first), self._paths.real(second)
        found, before = state(first, follow=False)
        if found is None and action is not Action.LINK:
            return
        if found is not None and before is None:
            self._changed()
            # It takes along what is in it now.
            self._done.discard((action, first, second))
        self._add(action, first, before, second)

    def _execute(self, call: Call, folder: int, index: int) -> None:
        path = self._name(call, folder, call.arguments[index])
        if path is None:
            return
        path = self._paths.real(path)
        found, before = state(path, follow=True)
        if found is None or before is None or not found.st_mode & _EXECUTABLE:
            return
        self._fresh.add(call.pid)
        self._add(Action.EXECUTE, path, before)
        if self._bare and found.st_mode & _SETUID:
            name = os.fsdecode(path)
            self.gap(f"{name} ran without its owner's rights: a traced program gets none (setuid)")

    def _running(self, pid: int) -> None:
        """The program that the kernel chose: an interpreter, for a script."""
        self._fresh.discard(pid)
        path = os.fsencode(os.readlink(f"/proc/{pid}/exe"))
        _, before = state(path, follow=False)
        if before is not None:
            self._add(Action.EXECUTE, path, before)

    def _exit(self, call: Call) -> None:
        self.processes += 1
        self.libraries |= read_maps(call.pid)

    # Names

    def _name(self, call: Call, folder: int, address: int) -> bytes | None:
        """The absolute name that a call has at ``address``; None where it is the kernel's own."""
        name = self._memory.path(call.pid, address)
        return self._paths.absolute(call.pid, folder, name)

    def _follow(self, name: bytes) -> tuple[bytes, os.stat_result | None, State | None]:
        """A name with all links followed, and what is there."""
        path = self._paths.real(name)
        found, before = state(path, follow=False)
        if found is not None and stat.S_ISLNK(found.st_mode):
            path = os.path.realpath(path)
            found, before = state(path, follow=False)
        return path, found, before

    def _changed(self) -> None:
        self._asked.clear()
        self._paths.forget()

    def _add(self, action: Action, path: bytes, before: State | None, target: bytes = b"") -> None:
        key = (action, path, target)
        if key not in self._done:
            self._done.add(key)
            second = os.fsdecode(target) if target else None
            self.events.append((action, os.fsdecode(path), second, before))

    # Addresses

    def _socketcall(self, call: Call) -> None:
        data = self._memory.read(call.pid, call.arguments[1], 24).ljust(24, b"\0")
        name, given = _SOCKETCALL[call.arguments[0]], struct.unpack("<6I", data)
        if name != "sendto" or given[4]:
            self._handlers[name](Call(call.pid, name, given))

    def _contact(self, call: Call, contact: Contact, where: int, size: int) -> None:
        data = self._memory.read(call.pid, where, min(size & 0xFFFFFFFF, LONGEST_ADDRESS))
        found = address(data)
        if found is not None:
            self.connections.add((contact, *found))


def _fd(call: Call, index: int) -> int:
    return ctypes.c_int(call.arguments[index] & 0xFFFFFFFF).value
