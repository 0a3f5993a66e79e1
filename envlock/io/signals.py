"""Which signals are passed on to a program that runs in this one's place, and how.

What the terminal's keys send reaches every process of its foreground group: passed on, it would be
there twice. What another process sends to this one alone is for the program.
"""

from __future__ import annotations

import os
import signal

PASSED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGXCPU,
)
"""Signals that are held back here and given to the program; the rest do what they always do."""

ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
"""Those by which people, terminals and systems end programs."""

KEYS = (signal.SIGINT, signal.SIGQUIT)
_OF_TERMINAL = (*KEYS, signal.SIGHUP)


def has_it_already(number: int, code: int) -> bool:
    """Whether the program got the signal, too; ``code`` is ``si_code``: above 0, the kernel's."""
    return code > 0 and number in _OF_TERMINAL


def pass_on(pid: int, number: int) -> None:
    """Give a signal to the program; one that is gone, or has other rights by now, goes without."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def die_of(number: int) -> None:
    """End this process by the signal that ended the program, so that callers see the same.

    No core is written for this one. It comes back where the signal does not end a process.
    """
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
    os.kill(os.getpid(), number)
