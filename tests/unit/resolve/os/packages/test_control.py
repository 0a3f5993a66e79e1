"""Packages files are cut into paragraphs without losing one; broken ones are named."""

from __future__ import annotations

import pytest

from envlock.errors import UsageError
from envlock.resolve.os.packages.control import first_mentions, read_fields, split_packages

TEXT = b"""\
Package: one
Version: 1
Provides: virtual, other (= 2),
 folded
Description: first
Tag: a::b,
 c::d
Section: x
Depends: three

Package: two
Essential: yes
Version: 2

"""


def test_paragraphs() -> None:
    one, two = split_packages(TEXT, "here")
    assert (one.name, one.provides, one.essential) == (
        "one",
        "virtual, other (= 2),  folded",
        False,
    )
    assert (two.name, two.provides, two.essential) == ("two", "", True)
    assert (one.number, two.number) == (1, 2)


def test_descriptive_fields_go_and_the_rest_stays() -> None:
    one, _ = split_packages(TEXT, "here")
    assert read_fields(one.body, "here") == {
        "package": "one",
        "version": "1",
        "provides": "virtual, other (= 2), folded",
        "depends": "three",
    }


def test_a_field_after_the_description_survives() -> None:
    text = b"Package: one\nDescription: words\nEssential: yes\nSection: x\nSize: 1\n"
    (one,) = split_packages(text, "here")
    assert one.essential
    assert read_fields(one.body, "here")["essential"] == "yes"


def test_more_blank_lines_and_another_first_field() -> None:
    text = b"\n\n\nVersion: 1\nPackage: one\n\n\n\n\nPackage: two\n"
    assert [stanza.name for stanza in split_packages(text, "here")] == ["one", "two"]


def test_no_paragraph_at_all() -> None:
    assert split_packages(b"", "here") == split_packages(b"\n\n\n", "here") == []


def test_a_paragraph_without_a_name_is_named_by_number() -> None:
    with pytest.raises(UsageError) as caught:
        list(split_packages(b"Package: one\nVersion: 1\n\nVersion: 2\n", "suite/Packages"))
    assert caught.value.where == "suite/Packages, paragraph 2"


def test_strange_bytes_in_a_name() -> None:
    with pytest.raises(UsageError, match="not ASCII"):
        list(split_packages(b"Package: \xff\xfe\n", "here"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"Package: a\nno colon here\n", "no field in line 2"),
        (b" starts folded\n", "continued line"),
        (b"A: 1\na: 2\n", "said twice"),
        (b"A: \xff\n", "not UTF-8"),
        (b": value\n", "no field in line 1"),
    ],
)
def test_broken_paragraphs(text: bytes, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        read_fields(text, "there")
    assert caught.value.where == "there"


def test_first_mentions_count_relations_too() -> None:
    text = (
        b"Package: app\nDepends: c (>= 1) | b\nDescription: a, a\n\n"
        b"Package: a\nProvides: d\n\nPackage: b\n"
    )
    assert first_mentions(text, {"a", "b", "c", "d", "elsewhere"}) == ("c", "b", "a", "d")
