"""Signals that reach a supervisor are passed on to the process it started, while it polls."""

from __future__ import annotations

import os
import signal
import struct
import sys

from envlock.io.signals import KEYS, PASSED, has_it_already, pass_on

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from types import FrameType

_SIGNALFD_CLOEXEC_NONBLOCK = os.O_CLOEXEC | os.O_NONBLOCK if hasattr(os, "O_CLOEXEC") else 0
_INFO_SIZE = 128  # struct signalfd_siginfo


class Signals:
    """Holds back the signals in ``PASSED`` while it is open; a child calls ``release``.

    ``fd`` becomes readable when one arrived (Linux); elsewhere it is None and handlers do the work.
    It belongs into the main thread, to which Python delivers signals.

    Args:
        mask: the signals that the program shall find blocked; None: those that are blocked now.
        only_from: the process whose signals are passed on; None: whoever sends them.
    """

    def __init__(self, *, mask: set[int] | None = None, only_from: int | None = None) -> None:
        self.fd: int | None = None
        self._mask: set[int] | None = None
        self._only_from = only_from
        self._handlers: dict[int, object] = {}
        self._pid: int | None = None
        if sys.platform == "linux":
            now = {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, PASSED)}
            self._mask = now if mask is None else mask
            self.fd = _signalfd(set(PASSED) - self._mask)
            if self.fd is None:
                self.release()
        else:
            for number in PASSED:
                self._handlers[number] = signal.signal(number, self._handle)

    def started(self, pid: int) -> None:
        """From now on ``pid`` gets what arrives."""
        self._pid = pid

    def release(self) -> None:
        """Undo, in a forked child, what the constructor did."""
        if self._mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def close(self) -> None:
        """Pass on what is still waiting, then let signals reach this process again."""
        if self.fd is not None:
            self.deliver()
            os.close(self.fd)
        self.release()

    def deliver(self) -> None:
        """Pass on every signal that ``fd`` holds."""
        while self.fd is not None:
            try:
                info = os.read(self.fd, _INFO_SIZE)
            except BlockingIOError:
                return
            number, _, code, sender = struct.unpack_from("=IiiI", info)
            if not has_it_already(number, code) and self._only_from in (None, sender):
                self._send(number)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number not in KEYS:
            self._send(number)

    def _send(self, number: int) -> None:
        if self._pid is not None:
            pass_on(self._pid, number)


def _signalfd(numbers: set[signal.Signals]) -> int | None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    mask = ctypes.create_string_buffer(128)  # sigset_t
    libc.sigemptyset(mask)
    for number in numbers:
        libc.sigaddset(mask, int(number))
    fd = int(libc.signalfd(-1, mask, _SIGNALFD_CLOEXEC_NONBLOCK))
    return None if fd < 0 else fd
