"""Processes beside this one: they share work, and no answer depends on them."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from envlock.io.content import beside
from envlock.io.content.beside import Beside, shared


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "cores", lambda: 2)


def test_a_piece_of_work_is_done_by_another_process() -> None:
    pid, *others = Beside(lambda: [os.getpid(), "ü\udc80", b"\0", None]).result()
    assert pid != os.getpid()
    assert others == ["ü\udc80", b"\0", None]


def test_beside_a_thread_no_process_is_started() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert Beside(os.getpid).result() == os.getpid()
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("count", [0, 1, 7, 1000, 2500])
def test_every_number_is_worked_on_once(count: int) -> None:
    found = shared(count, lambda n: [n, n * n])
    assert found == {n: [n, n * n] for n in range(count)}


def test_what_a_killed_process_took_is_done_here() -> None:
    own = os.getpid()

    def work(number: int) -> int:
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    assert shared(300, work) == {n: n for n in range(300)}
    assert Beside(lambda: work(7)).result() == 7


def test_an_error_of_a_process_is_the_caller_s_own() -> None:
    def work() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        Beside(work).result()


def test_what_is_forgotten_ends() -> None:
    task = Beside(lambda: signal.pause())
    task.forget()
    task.forget()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
