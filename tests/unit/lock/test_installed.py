"""RECORD and the note beside it, as text."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.samples import small_lock

from envlock.lock.installed import (
    BuiltWheel,
    Note,
    came_from,
    dump_note,
    kinds,
    read_note,
    read_record,
    seal,
    wheel_tags_of,
)
from envlock.lock.package import Archive, Artifact, PythonPackage
from envlock.lock.target import Target

EMPTY = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
HERE = Target(platform="linux/amd64", python="3.11")


def test_rows_with_and_without_digests() -> None:
    text = f'"a,b.py",{EMPTY},0\r\na-1.dist-info/RECORD,,\n\n../../../bin/a,{EMPTY},\n'
    record = read_record(text.encode())
    assert record.problem is None
    assert [(r.path, r.size) for r in record.rows] == [
        ("a,b.py", 0),
        ("a-1.dist-info/RECORD", None),
        ("../../../bin/a", None),
    ]
    assert record.rows[0].digest == hashlib.sha256(b"").digest()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names no file"),
        ("a.py\n", "line 1: 1 fields"),
        (f"a.py,{EMPTY},0\nb.py,{EMPTY},many\n", "line 2: 'many' is no size"),
        ("a.py,md5=AAAA,0\n", "line 1: 'md5' is no digest that can be relied on"),
        ("a.py,sha256=AAAA,0\n", "line 1: 'AAAA' is no sha256 digest"),
        ("a.py,sha256=???,0\n", "line 1: '???' is no digest"),
        (f",{EMPTY},0\n", "line 1: no path"),
        (f'"a.py,{EMPTY},0\n', "line 1"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, problem: str) -> None:
    found = read_record(text.encode()).problem
    assert found is not None
    assert found.startswith(problem)


@given(st.binary(max_size=200))
def test_no_bytes_make_reading_fail(content: bytes) -> None:
    record = read_record(content)
    assert record.problem is not None or record.rows
    seal(record.rows)


def test_a_seal_ignores_order_bytecode_and_the_note() -> None:
    rows = read_record(f"a.py,{EMPTY},0\nb.py,{EMPTY},0\n".encode()).rows
    more = read_record(
        f"b.py,{EMPTY},0\na.py,{EMPTY},0\n__pycache__/a.cpython-311.pyc,,\n"
        f"a-1.dist-info/envlock.json,{EMPTY},0\na-1.dist-info/RECORD,,\n".encode()
    ).rows
    assert seal(rows) == seal(more)
    assert seal(rows) != seal(rows[:1])


def test_a_note_comes_back() -> None:
    note = Note(file="a-1-py3-none-any.whl", sha256="0" * 64, record="1" * 64)
    assert read_note(dump_note(note)) == note
    built = BuiltWheel(file="a-1-py3-none-any.whl", sha256="2" * 64, inputs="3" * 64)
    note = Note(file="a-1.tar.gz", sha256="0" * 64, record="1" * 64, built=built)
    assert read_note(dump_note(note)) == note
    with pytest.raises(ValueError, match="no digest"):
        read_note(dump_note(note).replace(b"3" * 64, b"x"))
    with pytest.raises(ValueError, match="no "):
        read_note(dump_note(note).replace(b'"inputs"', b'"other"'))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"file": 1, "sha256": "0", "record": "0"}', "\xff", '"x"']
)
def test_what_is_no_note(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any wording will do
        read_note(text.encode("latin-1"))


def wheel(tag: str, digit: str) -> Artifact:
    return Artifact(name=f"a-1-{tag}.whl", url=f"https://x.example/{digit}", sha256=digit * 64)


def test_the_locked_file_is_named_only_where_it_is_certain() -> None:
    old = wheel("cp311-cp311-manylinux_2_17_x86_64", "1")
    new = wheel("cp311-cp311-manylinux_2_28_x86_64", "2")
    other = wheel("cp312-cp312-manylinux_2_17_x86_64", "3")
    sdist = Artifact(name="a-1.tar.gz", url="https://x.example/4", sha256="4" * 64)
    package = PythonPackage(name="a", version="1", wheels=(old, new, other), sdist=sdist)
    lock = small_lock(package)

    def chosen(package: PythonPackage, *tags: str) -> str | None:
        found = came_from(lock, HERE, package, frozenset(tags))
        return None if found is None else found[1][0]

    assert chosen(package, "cp311-cp311-manylinux_2_28_x86_64") == "2"
    assert chosen(package, "cp311-cp311-linux_x86_64") is None
    assert chosen(dataclasses.replace(package, wheels=(old, other)), "anything") == "1"
    assert chosen(dataclasses.replace(package, wheels=(other,))) == "4"
    assert chosen(dataclasses.replace(package, wheels=(other,), sdist=None)) is None
    archive = Archive(url="https://x.example/b.zip", sha256="5" * 64)
    assert chosen(PythonPackage(name="a", version="1", archive=archive)) == "5"


def test_tags_are_compared_without_what_makers_write_loosely() -> None:
    text = b"Wheel-Version: 1.0\nTag: py3-none-manylinux1_x86_64\nTag: nonsense\n"
    assert kinds(wheel_tags_of(text)) == kinds(["py3-none-manylinux_2_17_x86_64"])
    assert kinds(["py3-none-any"]) != kinds(["py3-none-linux_x86_64"])
