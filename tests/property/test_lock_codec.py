"""Whatever a lock holds, its file gives it back, is valid TOML and PEP 751, and keeps its bytes."""

from __future__ import annotations

from dataclasses import replace

import tomli
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.pylock import Pylock
from support import strategies

from envlock.lock import codec
from envlock.lock.model import Lock
from envlock.lock.request import parse_wish_line, wish_line


@given(strategies.locks())
@settings(deadline=None)
def test_a_lock_comes_back_from_its_file(lock: Lock) -> None:
    text = codec.dump(lock)
    assert codec.load(text, where="pylock.toml") == lock
    assert codec.dump(codec.load(text, where="pylock.toml")) == text


@given(st.data(), strategies.locks())
@settings(deadline=None, max_examples=50)
def test_order_of_arrival_is_not_in_the_file(data: st.DataObject, lock: Lock) -> None:
    assert codec.dump(data.draw(strategies.shuffled(lock))) == codec.dump(lock)


@given(strategies.locks())
@settings(deadline=None, max_examples=50)
def test_the_standard_part_says_the_same_to_packaging(lock: Lock) -> None:
    table = tomli.loads(codec.dump(lock))
    read = Pylock.from_dict(table)
    assert [p.name for p in read.packages] == [p.name for p in lock.packages]
    assert sorted(str(m) for m in read.environments or ()) == sorted(
        t.marker.replace("'", '"') for t in lock.targets
    )
    for entry, package in zip(read.packages, lock.packages, strict=True):
        hashes = [w.hashes["sha256"] for w in entry.wheels or ()]
        assert hashes == [w.sha256 for w in package.wheels]
        assert (entry.sdist is None) == (package.sdist is None)
    assert read.requires_python is not None
    for target in lock.targets:
        assert target.environment()["python_full_version"] in read.requires_python


@given(strategies.locks())
@settings(deadline=None, max_examples=50)
def test_the_file_is_utf8_with_no_odd_line(lock: Lock) -> None:
    text = codec.dump(lock)
    assert text.encode().decode() == text
    assert text.endswith("\n")
    # Hostile texts are quoted on one line: no raw control character is left to a terminal.
    controls = {chr(code) for code in (*range(32), 127)} - {"\n", "\t"}
    assert controls.isdisjoint(text)


@given(strategies.wishes)
@settings(deadline=None)
def test_a_wish_comes_back_from_its_line(wish: strategies.Wish) -> None:
    assert parse_wish_line(wish_line(wish)) == wish


@given(strategies.locks(max_packages=1))
@settings(deadline=None, max_examples=30)
def test_line_ends_and_comments_change_nothing(lock: Lock) -> None:
    text = codec.dump(lock)
    edited = "# a note\n" + text.replace("\n", "\r\n")
    assert codec.load(edited, where="pylock.toml") == lock


@given(strategies.locks(max_packages=1), strategies.seconds)
@settings(deadline=None, max_examples=30)
def test_another_date_is_another_file(lock: Lock, other: strategies.datetime) -> None:
    moved = replace(lock, as_of=other)
    assert (codec.dump(moved) == codec.dump(lock)) is (other == lock.as_of)
