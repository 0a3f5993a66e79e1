"""Receives the system calls that ask, and always answers that they go on as they were.

When nobody holds the listener any more, every such call of the whole tree fails (ENOSYS).
So a second process, the keeper, holds it as well: when the supervisor has ended, by itself or by a
kill, the keeper answers for it until the last process of the tree is gone.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import select
import signal
import struct

from envlock.io.trace.descriptors import Socket, receive, send, socketpair

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    See = Callable[[int, int, int, tuple[int, ...]], None]

_RECEIVE, _SEND, _SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082104
_SYNCHRONOUS = 1  # the woken process runs on this CPU, at once (Linux 6.6)
_CONTINUE = 1
_CALL = struct.Struct("=QIIiIQ6Q")  # struct seccomp_notif
_ANSWER = struct.Struct("=QqiI")  # struct seccomp_notif_resp
_AGAIN = (errno.EINTR, errno.ENOENT)


class Mailbox:
    """Where calls are received: memory shared with the keeper, so that it knows the open one."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _CALL.size)
        self._call = (ctypes.c_char * _CALL.size).from_buffer(self._shared)
        self._answer = ctypes.create_string_buffer(_ANSWER.size)
        self._ioctl = ctypes.CDLL(None, use_errno=True).ioctl
        self._ioctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)

    def hasten(self, fd: int) -> None:
        """Ask for quick hand-overs, where the kernel knows them."""
        self._ioctl(fd, _SET_FLAGS, _SYNCHRONOUS)

    def one(self, fd: int, see: See | None) -> bool:
        """Receive one call, show it to ``see``, let it go on; False when there will be no more."""
        ctypes.memset(self._call, 0, _CALL.size)
        if self._ioctl(fd, _RECEIVE, self._call) < 0:
            return ctypes.get_errno() in _AGAIN
        cookie, pid, _, number, arch, _, *arguments = _CALL.unpack_from(self._shared)
        try:
            if see is not None:
                see(pid, arch, number, tuple(arguments))
        finally:
            self._let(fd, cookie)
        return True

    def finish(self, fd: int) -> None:
        """Let go on what another process received and did not answer."""
        self._let(fd, _CALL.unpack_from(self._shared)[0])

    def _let(self, fd: int, cookie: int) -> None:
        # What ended meanwhile needs no answer: then this fails, which is right.
        _ANSWER.pack_into(self._answer, 0, cookie, 0, 0, _CONTINUE)
        self._ioctl(fd, _SEND, self._answer)


class Keeper:
    """The process that answers when the supervisor has ended."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._line, theirs = socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                _keep(mailbox, theirs)
            finally:
                os._exit(0)
        theirs.close()

    def give(self, listener: int) -> None:
        """Hand it the listener."""
        send(self._line, b"l", listener)

    def dismiss(self) -> None:
        """The tree is gone, or was never traced: end it."""
        try:
            self._line.send(b"q")
        except OSError:
            return  # it is gone
        finally:
            self._line.close()
            os.waitpid(self._pid, 0)

    def leave(self) -> None:
        """Let it take over now."""
        self._line.close()


def _keep(mailbox: Mailbox, line: Socket) -> NoReturn:
    """Wait for the supervisor's end, then answer until nobody can ask."""
    # Not a part of the terminal's work, nor one that keeps pipes, folders or mounts busy.
    os.setsid()
    os.chdir("/")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    line_fd = line.detach()
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)
    os.dup2(line_fd, 3)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    line = Socket(fileno=3)
    _, listener = receive(line)
    if listener is None or line.recv(1):
        os._exit(0)
    mailbox.finish(listener)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        _, what = poll.poll()[0]
        if not what & select.POLLIN or not mailbox.one(listener, None):
            os._exit(0)
