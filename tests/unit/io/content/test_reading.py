"""Many files read at once: by processes and by threads the same."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from envlock.io.content import beside
from envlock.io.content.reading import HEAD, Unread, Wanted, read_all


@pytest.mark.parametrize("threads", [False, True])
def test_large_and_small_files_and_what_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, threads: bool
) -> None:
    monkeypatch.setattr(beside, "cores", lambda: 2)
    contents = {f"{n}\udcff": os.urandom(n * 37 % 5000) for n in range(400)}
    contents |= {"large": os.urandom(3 << 18), "larger": bytes(5 << 20), "empty": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    wanted = [
        Wanted(str(tmp_path / name), kind, len(content))
        for name, content in contents.items()
        for kind in ("sha256", "sha512", HEAD)
    ]
    odd = [Wanted(str(tmp_path / name), "sha256", 1) for name in ("pipe", "gone", "nu\0l")]
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    if threads:  # beside which no process is started
        other.start()
    try:
        found = read_all([*wanted, *odd])
    finally:
        stop.set()
    for name, content in contents.items():
        path = str(tmp_path / name)
        assert found[path, "sha256"] == hashlib.sha256(content).digest()
        assert found[path, "sha512"] == hashlib.sha512(content).digest()
        assert found[path, HEAD] == content[:16]
    assert len(found) == len(wanted) + 3
    assert [isinstance(found[one.path, "sha256"], Unread) for one in odd] == [True] * 3
    assert found[odd[1].path, "sha256"] == "vanished while it was read"
