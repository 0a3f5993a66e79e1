"""The disk cache gives back what was put, or nothing: never another entry, never damaged bytes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envlock.io.cache import DiskCache


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENVLOCK_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def only_file(folder: Path) -> Path:
    [path] = [p for p in folder.rglob("*") if p.is_file()]
    return path


def test_gives_back_what_was_put(folder: Path) -> None:
    cache = DiskCache("things")
    assert cache.get("a") is None
    cache.put("a", b"one")
    cache.put("a", b"two\nlines")
    assert cache.get("a") == b"two\nlines"
    assert cache.get("b") is None
    assert DiskCache("others").get("a") is None


def test_an_entry_under_another_key_is_a_miss(folder: Path) -> None:
    cache = DiskCache("things")
    cache.put("a", b"one")
    stolen = only_file(folder).read_bytes()
    cache.put("b", b"two")
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(stolen)
    assert cache.get("a") == b"one"
    assert cache.get("b") is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(body=st.binary(max_size=50), position=st.integers(0, 200), bit=st.integers(0, 7))
def test_any_flipped_bit_is_a_miss(folder: Path, body: bytes, position: int, bit: int) -> None:
    cache = DiskCache("things")
    cache.put("a", body)
    path = only_file(folder)
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << bit
    path.write_bytes(bytes(content))
    assert cache.get("a") is None


def test_age(folder: Path) -> None:
    cache = DiskCache("things")
    cache.put("a", b"one")
    assert cache.get("a", max_age=60) == b"one"
    for stamp in (time.time() - 120, time.time() + 120):  # too old; a clock that went back
        os.utime(only_file(folder), (stamp, stamp))
        assert cache.get("a", max_age=60) is None
    assert cache.get("a") == b"one"


def test_a_cache_that_cannot_be_written_is_an_empty_one(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    cache = DiskCache("things")
    cache.put("a", b"one")
    assert cache.get("a") is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_entries_are_private(folder: Path) -> None:
    DiskCache("things").put("a", b"one")
    assert only_file(folder).stat().st_mode & 0o077 == 0
