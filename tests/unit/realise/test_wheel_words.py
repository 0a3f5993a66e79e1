"""Differences between a built and a published wheel, in words: they stay differences."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.realise.source.compare import compare_wheels
from envlock.realise.source.wheel_words import in_words

BASE = "Metadata-Version: 2.1\nName: x\nRequires-Dist: a\nRequires-Dist: b\n\nIt does.\n"


@pytest.mark.parametrize(
    ("published", "words"),
    [
        (BASE.replace("\n", "\r\n"), "published with Windows's ends of lines"),
        (
            BASE.replace("Dist: a", "Dist: c").replace("Dist: b", "Dist: a").replace(": c", ": b"),
            "the same fields in another order (Requires-Dist)",
        ),
        (BASE.replace("2.1", "2.4"), "Metadata-Version 2.1, published 2.4"),
        (BASE.replace("Dist: b", "Dist: c"), "Requires-Dist (2, published 2)"),
        (BASE.replace("Name: x\n", "Name: x\nLicense: MIT\n"), "License only published"),
        (BASE.replace("It does.", "It does not."), "another description"),
        (BASE + "\n\n", "other white space in the description"),
        (BASE.replace("Name: x", "Name:  x"), "the same fields, written otherwise"),
        (
            BASE.replace("2.1", "2.2").replace("\nIt", "\nSo it"),
            "Metadata-Version 2.1, published 2.2; another description",
        ),
    ],
)
def test_what_differs_in_metadata(published: str, words: str) -> None:
    assert in_words("x-1.dist-info/METADATA", BASE.encode(), published.encode()) == words


def test_many_fields_are_counted_and_long_ones_cut() -> None:
    published = "".join(f"{name}: 1\n" for name in "ABCDEF")
    assert in_words("WHEEL", b"", published.encode()) == (
        "A only published; B only published; C only published; D only published; and 2 more fields"
    )
    long = in_words("WHEEL", b"A: 1\n", f"A: {'x' * 200}\n".encode())
    assert long == f"A 1, published {'x' * 59}…"
    assert in_words("top_level.txt", b"a", b"b") is None


@given(built=st.binary(max_size=60), published=st.binary(max_size=60))
def test_any_bytes_have_words(built: bytes, published: bytes) -> None:
    assert in_words("METADATA", built, published)


def wheel(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in files.items():
            packed.writestr(f"x-1.dist-info/{name.replace('__', '/')}", text)
    return path


def test_words_change_no_verdict(tmp_path: Path) -> None:
    ours = wheel(tmp_path / "a.whl", METADATA=BASE, licenses__LICENSE="MIT")
    theirs = wheel(tmp_path / "b.whl", METADATA=BASE.replace("\n", "\r\n"), LICENSE="MIT")
    found = compare_wheels(ours, theirs)
    assert found.state == "metadata-only"
    assert found.files == (
        "- *.dist-info/LICENSE",
        "~ *.dist-info/METADATA",
        "+ *.dist-info/licenses/LICENSE",
    )
    assert found.words == (
        "*.dist-info/LICENSE: the same content as *.dist-info/licenses/LICENSE, built",
        "*.dist-info/METADATA: published with Windows's ends of lines",
    )
