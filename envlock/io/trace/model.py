"""What a supervised process did, as plain values.

Paths are absolute texts as ``os.fsdecode`` makes them: bytes that are no UTF-8 are lone surrogates
(PEP 383), and ``os.fsencode`` gives the very bytes back.
"""

from __future__ import annotations

import os
from resource import struct_rusage

from envlock.io.trace.kinds import SCANNED, Action, Contact, Method
from envlock.io.trace.paths import state
from envlock.io.value import value

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Report = dict[str, Any]
    """What ``supervise.report`` gives: plain values, which need no class to be loaded."""


@value
class FileState:
    """A regular file at one moment: ``size`` in bytes, ``modified`` in nanoseconds since 1970."""

    size: int
    modified: int
    inode: int
    device: int


@value
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


@value
class Connection:
    """A network address that was used: ``family`` is ``inet``, ``inet6`` or ``unix``.

    ``address`` is numeric, or a path (an abstract one starts with ``@``); ``port`` 0 for unix.
    """

    contact: Contact
    family: str
    address: str
    port: int


@value
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


@value
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


def unseen(why: str, read: Sequence[str]) -> Trace:
    """The trace of a program that nobody watched: what it changed is looked for afterwards.

    ``read`` are paths of files that it is known to have read.
    """
    events = tuple(
        Event(
            action=Action.READ, path=path, before=_state(state(os.fsencode(path), follow=True)[1])
        )
        for path in read
    )
    return Trace(method=Method.SCAN, complete=False, gaps=(why, SCANNED), events=events)


def supervised(report: Report) -> Supervised:
    """The values of a report."""
    seen = report["trace"]
    events = tuple(
        Event(action=Action(action), path=path, target=target, before=_state(before))
        for action, path, target, before in seen.get("events", ())
    )
    connections = tuple(
        Connection(contact=Contact(contact), family=family, address=address, port=port)
        for contact, family, address, port in sorted(seen.get("connections", ()))
    )
    code = os.waitstatus_to_exitcode(report["status"])
    return Supervised(
        pid=report["pid"],
        code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        usage=struct_rusage(report["usage"]),
        trace=Trace(
            method=Method(seen["method"]),
            complete=not seen["gaps"],
            gaps=tuple(seen["gaps"]),
            events=events,
            libraries=tuple(sorted(seen.get("libraries", ()))),
            connections=connections,
            notifications=seen.get("notifications", 0),
            processes=seen.get("processes", 0),
        ),
        left_running=report["left_running"],
    )


def _state(given: Sequence[int] | None) -> FileState | None:
    if given is None:
        return None
    size, modified, inode, device = given
    return FileState(size=size, modified=modified, inode=inode, device=device)
