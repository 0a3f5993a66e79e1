"""METADATA is found in any part of a wheel's end, with ``zipfile`` as the oracle."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.resolve.python.index.wheel import (
    OddZipError,
    Part,
    info_from_file,
    info_from_tail,
)

NAME = "demo-1.0.dist-info/METADATA"


class File:
    """A wheel on some server; counts what is read of it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.reads: list[tuple[int, int]] = []

    def tail(self, size: int) -> Part:
        start = max(0, len(self.content) - size)
        return Part(start=start, data=self.content[start:], total=len(self.content))

    def read(self, start: int, end: int) -> Part:
        assert 0 <= start < end <= len(self.content)
        self.reads.append((start, end))
        return Part(start=start, data=self.content[start:end], total=len(self.content))


def archive(
    members: list[tuple[str, bytes]],
    *,
    method: int = zipfile.ZIP_DEFLATED,
    comment: bytes = b"",
    extra: bytes = b"",
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.extra = extra
            file.writestr(info, content)
        file.comment = comment
    return buffer.getvalue()


@given(
    before=st.lists(st.binary(max_size=300), max_size=5),
    metadata=st.binary(max_size=2000),
    after=st.lists(st.binary(max_size=300), max_size=5),
    method=st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED]),
    comment=st.sampled_from([b"", b"a comment"]),
    extra=st.sampled_from([b"", b"\x99\x99\x04\x00abcd"]),
    tail=st.integers(60, 5000),
)
def test_reads_what_zipfile_reads(
    before: list[bytes],
    metadata: bytes,
    after: list[bytes],
    method: int,
    comment: bytes,
    extra: bytes,
    tail: int,
) -> None:
    members = [(f"demo/{number}.py", content) for number, content in enumerate(before)]
    members.append((NAME, metadata))
    members += [(f"demo-1.0.dist-info/{n}", content) for n, content in enumerate(after)]
    members.append(("demo/data/x.dist-info/METADATA", b"not at the top"))
    file = File(archive(members, method=method, comment=comment, extra=extra))
    assert info_from_tail(file.tail(tail), file.read) == metadata
    assert len(file.reads) <= 2


def test_a_small_wheel_needs_no_second_read() -> None:
    file = File(archive([("demo.py", b"x" * 100), (NAME, b"Name: demo\n")]))
    assert info_from_tail(file.tail(32768), file.read) == b"Name: demo\n"
    assert file.reads == []


def test_a_large_wheel_needs_one() -> None:
    import random

    noise = random.Random(7).randbytes(2_000_000)
    members = [(f"demo/module_{number:04}.py", b"pass") for number in range(3000)]
    members += [("demo/big.so", noise), (NAME, b"Name: demo\n")]
    members.append(("demo-1.0.dist-info/RECORD", noise[:150_000]))
    file = File(archive(members))
    assert info_from_tail(file.tail(32768), file.read) == b"Name: demo\n"
    assert len(file.reads) == 1
    assert file.reads[0][1] - file.reads[0][0] < 1_500_000


@pytest.mark.parametrize("value", [0, 1, 188, 255])
def test_no_single_byte_makes_it_another_file(value: int) -> None:
    metadata = b"Metadata-Version: 2.1\nName: demo\nRequires-Dist: numpy\n" * 3
    whole = archive([("demo.py", b"x" * 50), (NAME, metadata)])
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] = value
        file = File(bytes(damaged))
        with contextlib.suppress(OddZipError):
            assert info_from_tail(file.tail(100), file.read) == metadata, place


@given(st.data())
def test_a_damaged_wheel_is_never_misread(data: st.DataObject) -> None:
    metadata = b"Metadata-Version: 2.1\nName: demo\nRequires-Dist: numpy\n" * 3
    content = bytearray(archive([("demo.py", b"x" * 50), (NAME, metadata)]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([0, 0, 0, 10, 200]))
    file = File(bytes(content[: len(content) - cut]))
    try:
        found = info_from_tail(file.tail(data.draw(st.integers(100, 1000))), file.read)
    except OddZipError:
        return
    assert found == metadata


@pytest.mark.parametrize(
    "members",
    [
        [("demo.py", b"")],
        [(NAME, b"one"), ("other-1.0.dist-info/METADATA", b"two")],
        [],
    ],
)
def test_other_archives_are_not_guessed_at(
    members: list[tuple[str, bytes]], tmp_path: Path
) -> None:
    file = File(archive(members))
    with pytest.raises(OddZipError):
        info_from_tail(file.tail(10_000), file.read)
    (tmp_path / "w.whl").write_bytes(file.content)
    with pytest.raises(OddZipError):
        info_from_file(tmp_path / "w.whl")


def test_the_whole_file_reader_manages_what_the_other_does_not(tmp_path: Path) -> None:
    content = archive([("demo.py", b"x"), (NAME, b"Name: demo\n")], method=zipfile.ZIP_LZMA)
    file = File(content)
    with pytest.raises(OddZipError, match="compression method"):
        info_from_tail(file.tail(10_000), file.read)
    (tmp_path / "w.whl").write_bytes(content)
    assert info_from_file(tmp_path / "w.whl") == b"Name: demo\n"


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>no</html>" * 100])
def test_what_is_no_archive(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(OddZipError):
        info_from_tail(File(content).tail(10_000), File(content).read)
    (tmp_path / "w.whl").write_bytes(content)
    with pytest.raises(OddZipError):
        info_from_file(tmp_path / "w.whl")


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    content = archive([(NAME, bytes(40 * 1024 * 1024))])
    with pytest.raises(OddZipError):
        info_from_tail(File(content).tail(10**6), File(content).read)
    (tmp_path / "w.whl").write_bytes(content)
    with pytest.raises(OddZipError, match="too large"):
        info_from_file(tmp_path / "w.whl")
