"""Work for processes beside this one: what costs is Python's own part, which threads do in turns.

A process is a copy of this one (``fork``), and its answer comes back as values of plain types. What
one does not answer, because it was killed or has no memory, is done here: processes save time, and
no answer depends on them.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_MOST = 8
_TOKEN = 4
_TOKENS = 1000
"""As many as fit into any pipe at once."""


def cores() -> int:
    """How many may work at once."""
    try:
        found = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        found = os.cpu_count() or 1
    return min(found, _MOST)


def may_fork() -> bool:
    """Not beside other threads, whose locks a child would keep for ever."""
    threading = sys.modules.get("threading")
    return hasattr(os, "fork") and (threading is None or threading.active_count() == 1)


class Beside:
    """A piece of work that begins now, in a process beside this one where that is possible.

    Its result is of types that ``marshal`` knows (numbers, texts, bytes, lists, dictionaries).
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._child = 0
        if cores() < 2 or not may_fork():
            return
        import tempfile

        try:
            self._answer = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `result`
        except OSError:
            return
        try:
            self._child = os.fork()
        except OSError:
            self._answer.close()
            return
        if self._child == 0:
            import gc

            gc.disable()  # to look for garbage is to write to all that is shared with the parent
            code = 1
            try:
                left = memoryview(marshal.dumps(work()))
                while left:
                    left = left[self._answer.write(left) :]
                code = 0
            finally:
                os._exit(code)

    def result(self) -> Any:
        """What came of it, once it is done; to be asked for once."""
        if not self._child:
            return self._work()
        child, self._child = self._child, 0
        with self._answer as answer:
            try:
                code = os.waitpid(child, 0)[1]
            except BaseException:
                _end(child)
                raise
            if code == 0:
                answer.seek(0)
                return marshal.loads(answer.read())  # noqa: S302 - of our own process
        return self._work()

    def forget(self) -> None:
        """End it, if it is still going on; nobody wants to know."""
        if self._child:
            child, self._child = self._child, 0
            _end(child)
            self._answer.close()


def _end(child: int) -> None:
    import signal  # takes longer to load than to look at thousands of files

    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def shared(count: int, work: Callable[[int], Any]) -> dict[int, Any]:
    """``work`` of each number below ``count``, on all cores; small numbers are begun first.

    Args:
        count: how many pieces there are.
        work: gives values as ``Beside`` takes them; called here and in copies of this process.
    """
    tokens = min(count, _TOKENS)
    take, put = os.pipe()
    try:
        os.write(put, b"".join(n.to_bytes(_TOKEN, "little") for n in range(tokens)))
        os.close(put)

        def portion() -> dict[int, Any]:
            return {n: work(n) for n in _taken(take, count, tokens)}

        others = [Beside(portion) for _ in range(min(cores(), tokens) - 1)]
        try:
            found = portion()
            for other in others:
                found.update(other.result())
        finally:
            for other in others:
                other.forget()
    finally:
        os.close(take)
    # What somebody took who did not answer.
    found.update({n: work(n) for n in range(count) if n not in found})
    return found


def _taken(take: int, count: int, tokens: int) -> Iterator[int]:
    while token := os.read(take, _TOKEN):
        yield from range(int.from_bytes(token, "little"), count, tokens)
