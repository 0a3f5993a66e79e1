"""A kept verdict ends with the first change, and never outlives a damaged record."""

import os
import time
from pathlib import Path

import pytest

from envlock.io.content import unchanged

OLD = time.time_ns() - 10_000_000_000


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVLOCK_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "place with : and ünï"
    place.mkdir()
    (place / "a").write_bytes(b"content 3:a.\n\n")
    (place / "b").write_bytes(b"")
    return place


def keep(folder: Path, *, key: str = "key", since: int | None = None) -> None:
    later = time.time_ns() + 10_000_000_000 if since is None else since
    files = [str(folder / "a"), str(folder / "b")]
    unchanged.keep(key, files=files, folders=[str(folder)], since=later)


def record(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "cache").rglob("unchanged-*/*")
    return found


def test_it_holds_while_nothing_changes(folder: Path) -> None:
    assert not unchanged.holds("key")
    keep(folder)
    assert unchanged.holds("key")
    assert unchanged.holds("key")
    assert not unchanged.holds("another key")


def test_another_content_of_the_same_size_and_time_ends_it(folder: Path) -> None:
    keep(folder)
    before = (folder / "a").stat()
    (folder / "a").write_bytes(b"Content 3:a.\n\n")
    os.utime(folder / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not unchanged.holds("key")


@pytest.mark.parametrize("change", ["create", "remove", "rename"])
def test_a_file_that_comes_or_goes_ends_it(folder: Path, change: str) -> None:
    (folder / "unrelated").touch()
    keep(folder)
    # The stamp of a folder ticks by some milliseconds.
    time.sleep(0.03)
    if change == "create":
        (folder / ".python-version").touch()
    elif change == "remove":
        (folder / "unrelated").unlink()
    else:
        (folder / "unrelated").rename(folder / "other")
    assert not unchanged.holds("key")


def test_a_file_read_and_then_gone_ends_it(folder: Path) -> None:
    unchanged.keep(
        "key", files=[str(folder / "a")], folders=[], since=time.time_ns() + 10_000_000_000
    )
    assert unchanged.holds("key")
    (folder / "a").unlink()
    assert not unchanged.holds("key")


@pytest.mark.parametrize("changed", ["a", "."])
def test_what_changed_while_the_verdict_was_made_is_not_kept(folder: Path, changed: str) -> None:
    since = time.time_ns() - 1_000_000_000
    for path in (folder / "a", folder / "b", folder):
        os.utime(path, ns=(OLD, OLD))
    os.utime(folder / changed, ns=(since + 1, since + 1))
    keep(folder, since=since)
    assert not unchanged.holds("key")


def test_the_stamp_of_a_change_of_content_counts_even_where_mtime_was_set_back(
    folder: Path,
) -> None:
    since = time.time_ns()
    (folder / "a").write_bytes(b"written later")
    os.utime(folder / "a", ns=(OLD, OLD))
    keep(folder, since=since)
    assert not unchanged.holds("key")


def test_a_record_cut_short_anywhere_does_not_hold(folder: Path, tmp_path: Path) -> None:
    keep(folder)
    path = record(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert not unchanged.holds("key"), length
    path.write_bytes(whole + b"x")
    assert not unchanged.holds("key")
    path.write_bytes(whole)
    assert unchanged.holds("key")


def test_a_byte_flipped_anywhere_never_hides_a_change(folder: Path, tmp_path: Path) -> None:
    keep(folder)
    path = record(tmp_path)
    whole = path.read_bytes()
    (folder / "a").write_bytes(b"changed")
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(bytes(damaged))
        assert not unchanged.holds("key"), place


def test_a_cache_that_cannot_be_written_is_no_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ENVLOCK_CACHE_DIR", str(tmp_path / "file"))
    keep(folder)
    assert not unchanged.holds("key")
