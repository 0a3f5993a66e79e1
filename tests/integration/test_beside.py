"""Processes beside this one: they share work, and no answer depends on them.

Each test is run in a process of its own: a worker of the tests has threads, and then none is
forked.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from envlock.io.content import beside
from envlock.io.content.beside import Beside, shared


def a_piece_of_work_is_done_by_another_process() -> None:
    pid, *others = Beside(lambda: [os.getpid(), "ü\udc80", b"\0", None]).result()
    assert pid != os.getpid()
    assert others == ["ü\udc80", b"\0", None]


def every_number_is_worked_on_once() -> None:
    for count in (0, 1, 7, 1000, 2500):
        found = shared(count, lambda n: [n, n * n])
        assert found == {n: [n, n * n] for n in range(count)}


def work_is_shared() -> None:
    def slow(_: int) -> int:
        signal.sigtimedwait([], 0.002)
        return os.getpid()

    assert len(set(shared(400, slow).values())) == 2


def what_a_killed_process_took_is_done_here() -> None:
    own = os.getpid()

    def work(number: int) -> int:
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    assert shared(300, work) == {n: n for n in range(300)}
    assert Beside(lambda: work(7)).result() == 7


def an_error_of_a_process_is_the_callers_own() -> None:
    def work() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        Beside(work).result()


def what_is_forgotten_ends() -> None:
    task = Beside(lambda: signal.pause())
    task.forget()
    task.forget()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize(
    "what",
    [
        a_piece_of_work_is_done_by_another_process,
        every_number_is_worked_on_once,
        work_is_shared,
        what_a_killed_process_took_is_done_here,
        an_error_of_a_process_is_the_callers_own,
        what_is_forgotten_ends,
    ],
    ids=lambda what: what.__name__,
)
def test_alone(what: object) -> None:
    name = getattr(what, "__name__", "")
    done = subprocess.run(
        [sys.executable, __file__, name], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    beside.cores = lambda: 2
    globals()[sys.argv[1]]()
