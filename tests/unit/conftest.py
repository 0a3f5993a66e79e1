"""Unit tests open no sockets and start no processes."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from pytest_socket import disable_socket


@pytest.fixture(autouse=True)
def _no_edges(monkeypatch: pytest.MonkeyPatch) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError(f"a unit test started a process: {args}")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    disable_socket(allow_unix_socket=True)
    yield
    from pytest_socket import enable_socket

    enable_socket()
