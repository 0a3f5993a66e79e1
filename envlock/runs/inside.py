"""A run that is recorded from within the Python that does it, with nothing but this package.

What stands in such a record is what ``envlock run`` writes, but for what only another process can
see: which files were read, unless they are named, and what was printed.
"""

from __future__ import annotations

import _thread
import os
import resource
import sys

from envlock.runs.ending import Clocks, elapsed, resource_facts
from envlock.runs.perform import Recording

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from typing import Any

    from envlock.runs.order import Hooks, Order

_NOT_KEPT = "recorded from within the program"
_COUNTED = (
    *("ru_utime", "ru_stime", "ru_majflt", "ru_inblock", "ru_oublock", "ru_nivcsw", "ru_nvcsw"),
)


def own_argv() -> list[str]:
    """How this Python was started, the interpreter by its path."""
    return [sys.executable or "python", *sys.orig_argv[1:]]


class Inside(Recording):
    """The run of this process, from now until ``end``.

    Raises:
        EnvlockError: as ``envlock.runs.perform.perform`` does.
    """

    def __init__(self, order: Order, hooks: Hooks) -> None:
        super().__init__(order, hooks)
        self.traced = False
        self._used = _usage()
        self._done = _thread.allocate_lock()
        self._done.acquire()
        _thread.start_new_thread(self._gather, (self._done,))

    def end(self, ended: dict[str, Any]) -> None:
        """Write the record; ``ended`` is its ``exit``."""
        after, used = Clocks(), _usage()
        with self._done:
            pass
        facts = self._first() | elapsed(self.before, after) | self.gathered
        facts |= {"state": "finished", "exit": ended}
        facts["resources"] = resource_facts(_Used(self._used, used))  # type: ignore[arg-type]
        facts["output"] = {name: {"not-kept": _NOT_KEPT} for name in ("stdout", "stderr")}
        facts |= self._read_data(None)
        self._finish(facts)

    def _named(self) -> list[str]:
        """Also what Python has imported of the project."""
        return [*super()._named(), *_imported(self.place.root)]

    def _untraced(self) -> str:
        return f"{_NOT_KEPT}: nobody watched it"


def _imported(root: str) -> list[str]:
    """The files of the modules that are of the project, the script among them."""
    found = set()
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if not isinstance(path, str) or not path.endswith((".py", ".so")):
            continue
        whole = os.path.abspath(path)
        if whole.startswith(root + os.sep) and not whole.startswith(sys.prefix + os.sep):
            found.add(whole)
    return sorted(found)


def _usage() -> list[Any]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


class _Used:
    """The difference of two looks, in the shape of one; the largest memory is the process's."""

    def __init__(self, before: list[Any], after: list[Any]) -> None:
        for name in _COUNTED:
            now, then = (sum(getattr(one, name) for one in look) for look in (after, before))
            setattr(self, name, now - then)
        self.ru_maxrss = max(one.ru_maxrss for one in after)
