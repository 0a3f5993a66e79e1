"""Traces one process and all that it starts, where the system lets it."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import sys
import time

from envlock.io.trace.abi import SYS_SECCOMP
from envlock.io.trace.descriptors import receive, send, socketpair
from envlock.io.trace.filter import Filter
from envlock.io.trace.kinds import Method
from envlock.io.trace.listener import Keeper, Mailbox
from envlock.io.trace.memory import Memory
from envlock.io.trace.recorder import Recorder

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from typing import Any

_OLDEST = (5, 9)  # the first Linux whose listener says that nobody is left
# Seconds for helpers that end on their own when the command has ended (multiprocessing's tracker).
_GRACE = 0.25
_YAMA = "/proc/sys/kernel/yama/ptrace_scope"
_PR_SET_CHILD_SUBREAPER = 36


class Tracer:
    """``attach`` in the child, then ``attached`` here; ``serve`` when ``fd`` can be read."""

    def __init__(self) -> None:
        """Get ready.

        Raises:
            OSError: it cannot be done here; the text says why.
        """
        self._machine = os.uname().machine
        _check(self._machine)
        self._filter = Filter(self._machine)
        self._mailbox = Mailbox()
        self._keeper = Keeper(self._mailbox)
        self._ours, self._theirs = socketpair()
        self._recorder: Recorder | None = None
        self._why = ""
        self._method = Method.NONE
        self.fd: int | None = None

    def attach(self) -> None:
        """In the child: from here on every watched call waits for an answer."""
        try:
            listener, bare = self._filter.install()
        except OSError as error:
            self._theirs.send(b"%d" % (error.errno or errno.EINVAL))
            return
        send(self._theirs, b"bare" if bare else b"full", listener)
        os.close(listener)

    def attached(self) -> None:
        """In the parent, after the fork: know what came of it."""
        self._theirs.close()
        said, self.fd = receive(self._ours)
        self._ours.close()
        if self.fd is not None:
            self._keeper.give(self.fd)
            self._mailbox.hasten(self.fd)
            self._recorder = Recorder(self._machine, bare=said == b"bare")
            return
        self._keeper.dismiss()
        number = int(said or errno.ECANCELED)
        if number == errno.EBUSY:
            self._method = Method.PARENT
            self._why = "it was started by a traced process, whose trace has what this one did"
        else:
            self._why = f"the system refuses to trace: {os.strerror(number)}"

    def serve(self) -> bool:
        """Answer one call; False when no process is left."""
        assert self.fd is not None  # noqa: S101 - narrows the type
        assert self._recorder is not None  # noqa: S101 - the same
        return self._mailbox.one(self.fd, self._recorder.see)

    def finish(self) -> tuple[dict[str, Any], bool | None]:
        """The main process has ended: what was seen (``model.Report``), and whether others run."""
        if self.fd is None or self._recorder is None:
            return {"method": self._method, "gaps": [self._why]}, None
        running = not self._gone()
        seen = self._recorder
        if running:
            seen.gap("processes ran on when the command had ended; what they did then is not here")
            self._keeper.leave()
        else:
            self._keeper.dismiss()
        os.close(self.fd)
        trace = {
            "method": Method.SECCOMP,
            "gaps": list(seen.gaps),
            "events": seen.events,
            "libraries": list(seen.libraries),
            "connections": list(seen.connections),
            "notifications": seen.notifications,
            "processes": seen.processes,
        }
        return trace, running

    def _gone(self) -> bool:
        """Whether all processes are; those that are about to end get the time for it."""
        assert self.fd is not None  # noqa: S101 - narrows the type
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        end = time.monotonic() + _GRACE
        while ready := poll.poll(max(0, int((end - time.monotonic()) * 1000))):
            if not ready[0][1] & select.POLLIN or not self.serve():
                return True
            if time.monotonic() > end:
                break
        return False


def _check(machine: str) -> None:
    if sys.platform != "linux":
        raise OSError(f"no tracing on {sys.platform} yet")
    if machine not in SYS_SECCOMP or sys.maxsize < 2**32:
        raise OSError(f"no tracing on {machine} yet")
    major, minor = os.uname().release.split(".")[:2]
    if (int(major), int(minor.partition("-")[0])) < _OLDEST:
        raise OSError(f"Linux {os.uname().release} cannot: it takes 5.9")
    here = ctypes.create_string_buffer(b"x")
    try:
        Memory().read(os.getpid(), ctypes.addressof(here), 1)
        os.stat("/proc/self/maps")
    except OSError as error:
        raise OSError(f"processes cannot be looked into here: {error.strerror}") from None
    try:
        with open(_YAMA) as file:
            restricted = bool(int(file.read()))
    except (OSError, ValueError):
        return
    if restricted and os.geteuid():
        # Only descendants may be looked into: those that lose their parent become this one's.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
