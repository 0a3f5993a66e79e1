"""Where other threads are, no process is started."""

from __future__ import annotations

import os
import threading

import pytest

from envlock.io.content import beside
from envlock.io.content.beside import Beside, shared


def test_beside_a_thread_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "cores", lambda: 2)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert Beside(os.getpid).result() == os.getpid()
        assert shared(5, lambda n: n * n) == {n: n * n for n in range(5)}
    finally:
        stop.set()
        thread.join()
