"""The next best way: the open files of a process and its descendants, looked at now and then.

For systems that refuse to have system calls watched. What is open for a moment between two looks is
missed, so this never says that it saw all.
"""

from __future__ import annotations

import os
import stat
import time

from envlock.io.trace.kinds import Action
from envlock.io.trace.maps import read_maps
from envlock.io.trace.paths import state

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envlock.io.trace.paths import State

    Event = tuple[Action, str, str | None, State | None]

_FIRST, _SLOWER, _LAST = 2.0, 1.2, 50.0
"""Milliseconds between two looks: at the beginning, by what factor they grow, at most."""
_LAG = 4_000_000
"""Nanoseconds by which a file system's clock may lag behind."""
_KERNEL = ("/dev/", "/proc/", "/sys/")
_GONE = " (deleted)"


class Sampler:
    """Collects events as ``recorder.Recorder`` does, of what it happens to see.

    Args:
        pid: the process that was just started.
        argv: its command line: files that it names count as read, where they were there before.
    """

    def __init__(self, pid: int, argv: Sequence[str]) -> None:
        self.events: list[Event] = []
        self.libraries: set[str] = set()
        self.processes: set[int] = set()
        self._pid = pid
        self._since = time.time_ns() - _LAG
        self._done: set[tuple[Action, str]] = set()
        self._wait = _FIRST
        for path in named_files(argv):
            self._add(Action.READ, path)

    def look(self) -> int:
        """Look once; milliseconds until the next time."""
        for pid in _tree(self._pid):
            self.processes.add(pid)
            try:
                self._look_at(pid)
            except OSError:
                continue  # it is gone, or is nobody's business
        self._wait = min(self._wait * _SLOWER, _LAST)
        return int(self._wait)

    def _look_at(self, pid: int) -> None:
        self._add(Action.EXECUTE, os.readlink(f"/proc/{pid}/exe"))
        self.libraries |= read_maps(pid)
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                path = os.readlink(f"/proc/{pid}/fd/{number}")
                if path[:1] != "/" or path.startswith(_KERNEL) or path.endswith(_GONE):
                    continue
                access = _access(pid, number)
            except OSError:
                continue
            if access != os.O_WRONLY:
                self._add(Action.READ, path)
            if access != os.O_RDONLY:
                self._add(Action.UPDATE, path)

    def _add(self, action: Action, path: str) -> None:
        if (action, path) in self._done:
            return
        found, before = state(os.fsencode(path), follow=False)
        if found is None or not stat.S_ISREG(found.st_mode):
            return
        self._done.add((action, path))
        if action is Action.READ and found.st_ctime_ns >= self._since:
            return  # the run made it
        self.events.append((action, path, None, before))


def named_files(argv: Sequence[str]) -> list[str]:
    """The files that a command line names, as words or behind ``=``; the program is none."""
    words = [name for word in argv[1:] for name in (word, word.partition("=")[2]) if name]
    return [os.path.realpath(name) for name in words if "\0" not in name and os.path.isfile(name)]


def _tree(pid: int) -> Iterator[int]:
    """A process and all that it started, as far as they still belong to it."""
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        yield one
        try:
            for thread in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{thread}/children") as file:
                    waiting += map(int, file.read().split())
        except OSError:
            continue


def _access(pid: int, number: str) -> int:
    with open(f"/proc/{pid}/fdinfo/{number}") as file:
        for line in file:
            if line.startswith("flags:"):
                return int(line.split()[1], 8) & os.O_ACCMODE
    return os.O_RDONLY
