"""What a supervised process did, as plain values.

Paths are absolute texts as ``os.fsdecode`` makes them: bytes that are no UTF-8 are lone surrogates
(PEP 383), and ``os.fsencode`` gives the very bytes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from resource import struct_rusage


class Method(StrEnum):
    """How a run was watched.

    ``SECCOMP``: every file, program and connection was seen in the kernel (Linux).
    ``PARENT``: a supervised process started it, and that one's supervisor sees it, not this one.
    ``NONE``: it was not watched.
    """

    SECCOMP = "seccomp"
    PARENT = "parent"
    NONE = "none"


class Action(StrEnum):
    """What was about to be done to a path.

    ``READ`` and ``WRITE`` are opens for reading and writing (both: two events), ``UPDATE`` is an
    open for writing that keeps what is there without reading it (append, write in place).
    ``RENAME``, ``EXCHANGE``, ``LINK`` and ``SYMLINK`` have a second path, where it gets to.
    """

    READ = "read"
    WRITE = "write"
    UPDATE = "update"
    REMOVE = "remove"
    RENAME = "rename"
    EXCHANGE = "exchange"
    LINK = "link"
    SYMLINK = "symlink"
    EXECUTE = "execute"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """A regular file at one moment: ``size`` in bytes, ``modified`` in nanoseconds since 1970."""

    size: int
    modified: int
    inode: int
    device: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A thing done for the first time; events stand in the order in which they were seen.

    ``before`` is the file just before it was done; None where there was none. ``target`` is the
    second path of the actions that have one. What was asked for and then refused (a missing file
    opened for reading, say) is no event where the file shows it, and stands here where it does not.
    """

    action: Action
    path: str
    target: str | None = None
    before: FileState | None = None


class Contact(StrEnum):
    """What was done with a network address."""

    CONNECT = "connect"
    SEND = "send"
    BIND = "bind"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Connection:
    """A network address that was used: ``family`` is ``inet``, ``inet6`` or ``unix``.

    ``address`` is numeric, or a path (an abstract one starts with ``@``); ``port`` 0 for unix.
    """

    contact: Contact
    family: str
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All that was seen of a process and its descendants.

    ``complete`` says that nothing is known to be missing; otherwise ``gaps`` says, sentence by
    sentence, what is. ``libraries`` are the files mapped as code when processes ended, sorted.
    ``notifications`` counts system calls that were looked at, ``processes`` ends of processes.
    """

    method: Method
    complete: bool
    gaps: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    libraries: tuple[str, ...] = ()
    connections: tuple[Connection, ...] = ()
    notifications: int = 0
    processes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervised:
    """A process that ended: ``code`` is its exit code, or None where ``signal`` ended it.

    ``usage`` is of the process and the descendants that it waited for.
    ``left_running``: descendants live on (None: unknown, as it was not traced). They run
    undisturbed, and what they do from now on is not in ``trace``.
    """

    pid: int
    code: int | None
    signal: int | None
    usage: struct_rusage
    trace: Trace
    left_running: bool | None
