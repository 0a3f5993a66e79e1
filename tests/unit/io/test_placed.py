"""A file put in its place: whole or not at all, under a lock that others see."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from envlock.io import files, placed


def test_a_file_is_there_whole_with_the_usual_mode(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert placed.put(str(one), b"text" * 100_000)
    files.write_atomic(other, b"text" * 100_000)
    assert one.read_bytes() == other.read_bytes()
    assert stat.S_IMODE(one.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename"])
def test_what_fails_leaves_nothing(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        assert not placed.put(str(tmp_path / "file"), b"text")
    assert list(tmp_path.iterdir()) == []


def test_one_holds_a_folder(tmp_path: Path) -> None:
    handle = placed.hold(str(tmp_path))
    assert handle is not None
    assert placed.hold(str(tmp_path)) is None
    os.close(handle)
    again = placed.hold(str(tmp_path))
    assert again is not None
    os.close(again)
    assert placed.hold(str(tmp_path / "none")) is None
