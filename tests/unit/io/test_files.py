"""Reads say what is wrong; writes replace a file whole or leave it, and leave nothing beside it.

A full disk and kills at many points are in tests/integration/test_files.py.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envlock.errors import SourceError, UsageError
from envlock.io.files import append_lines, project_lock, read_text, replacing, write_atomic

NOBODY = 65534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Without the rights of root, whom no permission stops."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter (pytest's own are for one user only)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


# --- reading ---


def test_text_is_read_as_utf8_without_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes("\ufeffé\r\n".encode())
    assert read_text(path) == "é\r\n"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file") as caught:
        read_text(tmp_path / "x.toml")
    assert caught.value.where == str(tmp_path / "x.toml")


def test_what_is_not_utf8_is_told_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"abc\xff")
    with pytest.raises(UsageError, match=r"not UTF-8 \(byte 3\)"):
        read_text(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read: Is a directory"):
        read_text(tmp_path)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "\ud800"])
def test_an_impossible_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        read_text(tmp_path / name)


def test_an_unreadable_file_is_refused(open_folder: Path) -> None:
    path = open_folder / "secret"
    path.write_text("x")
    path.chmod(0)
    with unprivileged(), pytest.raises(UsageError, match="Permission denied"):
        read_text(path)


# --- writing ---


@given(before=st.none() | st.binary(max_size=50), after=st.binary(max_size=50) | st.text())
@settings(deadline=None, max_examples=30)
def test_a_file_is_replaced_whole(before: bytes | None, after: bytes | str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pylock.toml")
        if before is not None:
            path.write_bytes(before)
        if isinstance(after, str):
            after = after.encode("utf-8", "replace").decode()
        write_atomic(path, after)
        expected = after.encode() if isinstance(after, str) else after
        assert path.read_bytes() == expected
        assert os.listdir(folder) == ["pylock.toml"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755, 0o444])
def test_permissions_stay(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "pylock.toml"
    path.write_text("old")
    path.chmod(mode)
    write_atomic(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_text() == "new"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_users_usual_permissions(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_atomic(tmp_path / "ours", "x")
        (tmp_path / "usual").write_text("x")
    finally:
        assert os.umask(before) == mask  # and the mask is as it was
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "usual")}
    assert modes == {0o666 & ~mask}


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "file"
    target.write_text("old")
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to("real/file")
    write_atomic(tmp_path / "first", "new")
    assert target.read_text() == "new"
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert os.listdir(tmp_path / "real") == ["file"]


def test_a_link_to_nothing_gets_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    write_atomic(tmp_path / "link", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert (tmp_path / "link").is_symlink()


def test_a_reader_holds_on_to_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    path.write_text("old")
    with path.open() as reader:
        write_atomic(path, "new")
        assert reader.read() == "old"


def test_a_folder_without_permission_keeps_the_old_file(open_folder: Path) -> None:
    path = open_folder / "pylock.toml"
    path.write_text("old")
    open_folder.chmod(0o555)
    with unprivileged(), pytest.raises(SourceError, match="cannot write") as caught:
        write_atomic(path, "new")
    assert caught.value.where == str(path)
    assert "permissions" in (caught.value.remedy or "")
    assert path.read_text() == "old"
    assert os.listdir(open_folder) == ["pylock.toml"]


@pytest.mark.parametrize("before", [None, "old"])
def test_a_file_too_large_for_its_place_keeps_the_old_one(
    tmp_path: Path, before: str | None
) -> None:
    path = tmp_path / "pylock.toml"
    if before is not None:
        path.write_text(before)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(SourceError, match="File too large"):
            write_atomic(path, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.read_text() for p in tmp_path.iterdir()] == ([before] if before else [])


@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM]
)
@pytest.mark.parametrize("call", ["mkstemp", "fsync", "replace"])
def test_each_step_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, call: str
) -> None:
    path = tmp_path / "pylock.toml"
    path.write_text("old")

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    owner = {"mkstemp": tempfile, "fsync": os, "replace": Path}[call]
    monkeypatch.setattr(owner, call, fail)
    with pytest.raises(SourceError) as caught:
        write_atomic(path, "new")
    assert os.strerror(code) in caught.value.what
    assert caught.value.remedy
    assert caught.value.exit_code == 3
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["pylock.toml"]


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="of Linux")
def test_what_is_half_written_has_no_name(tmp_path: Path) -> None:
    """So a killed process leaves nothing of a large archive."""
    path = tmp_path / "bundle.tar"
    for content in (b"one", b"two"):
        before = os.listdir(tmp_path)
        with replacing(path) as file:
            file.write(content)
            file.flush()
            assert os.listdir(tmp_path) == before
        assert path.read_bytes() == content
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(bytes(1 // 0))
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["bundle.tar"]


def test_a_folder_in_its_place_is_left(tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").mkdir()
    with pytest.raises(SourceError, match="directory"):
        write_atomic(tmp_path / "pylock.toml", "new")
    assert os.listdir(tmp_path) == ["pylock.toml"]


def test_no_folder_is_made_up(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        write_atomic(tmp_path / "absent" / "pylock.toml", "new")
    assert os.listdir(tmp_path) == []


# --- holding a project ---


def test_a_second_one_waits_for_the_first(tmp_path: Path) -> None:
    events: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        with project_lock(tmp_path, lambda: (events.append("waits"), waiting.set())[0]):
            events.append("second")

    with project_lock(tmp_path, lambda: events.append("never")):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        events.append("first")
    thread.join(10)
    assert events == ["waits", "first", "second"]
    assert os.listdir(tmp_path) == []


def test_the_project_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), project_lock(tmp_path, lambda: None):
        _ = 1 // 0
    with project_lock(tmp_path, lambda: pytest.fail("still held")):
        pass


def test_a_missing_project_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError), project_lock(tmp_path / "absent", lambda: None):
        pass


# --- appending ---


def test_lines_are_added_from_many_threads(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cache"
    line = "x" * 200

    def add(number: int) -> None:
        for i in range(20):
            append_lines(path, [f"{number}-{i}-{line}"])

    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [text for text in path.read_text().splitlines() if text]
    assert sorted(found) == sorted(f"{n}-{i}-{line}" for n in range(8) for i in range(20))


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    append_lines(tmp_path / "file" / "cache", ["x"])
    append_lines(tmp_path / "never", [])
    assert os.listdir(tmp_path) == ["file"]
