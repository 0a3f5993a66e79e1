"""The source index answers as its text does, in whatever order and with whatever else is in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tiny_archive import Source

from envlock.errors import SourceError, UsageError, VerificationError
from envlock.io.paths import cache_dir
from envlock.lock.os import OsSource
from envlock.resolve.os.archive.suite import IndexFile
from envlock.resolve.os.builds.sources import SourceIndex

WHERE = "made-up/main/source/Sources"
SOURCES = (
    Source(name="aa", version="1.0-1"),
    Source(name="aa", version="1:1.0-1", fields={"Extra-Source-Only": "yes"}),
    Source(name="bb+", version="2~rc1"),
)


def _text(*sources: Source) -> str:
    return "\n".join(source.paragraph() for source in sources)


def _file(text: str) -> IndexFile:
    data = text.encode()
    return IndexFile(where=WHERE, sha256=hashlib.sha256(data).hexdigest(), load=lambda: data)


def _find(text: str, name: str, version: str) -> OsSource | None:
    index = SourceIndex("made-up", _file(text))
    try:
        return index.find(name, version)
    finally:
        index.close()


def test_a_source_is_found_by_its_exact_version() -> None:
    text = _text(*SOURCES)
    for source in SOURCES:
        found = _find(text, source.name, source.version)
        assert found is not None
        assert (found.name, found.version, found.suite) == (source.name, source.version, "made-up")
        assert found.directory == source.directory
        assert [(f.name, f.size, f.sha256) for f in found.files] == [
            (name, len(content), hashlib.sha256(content).hexdigest())
            for name, content in sorted(source.files().items())
        ]
    assert _find(text, "aa", "1.0") is None
    assert _find(text, "bb", "2~rc1") is None
    assert _find("", "aa", "1.0-1") is None


_FIELDS = st.dictionaries(
    st.sampled_from(["Build-Depends", "Vcs-Git", "Binary", "Testsuite", "Version-Note"]),
    st.lists(st.sampled_from(["Package: no", "Directory: no", "é", "a | b"]), min_size=1).map(
        "\n ".join
    ),
)


@given(data=st.data())
def test_order_and_other_fields_do_not_matter(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True))
    sources = [Source(name=f"{n}{n}", version="1", fields=data.draw(_FIELDS)) for n in names]
    text = ""
    for source in sources:
        fields = re.findall(r"^\S+:.*\n(?: .*\n)*", source.paragraph(), re.M)
        text += "".join(data.draw(st.permutations(fields))) + "\n" * data.draw(st.integers(1, 3))
    if data.draw(st.booleans()):
        text = text.rstrip("\n")
    for source in sources:
        found = _find(text, source.name, "1")
        assert found is not None
        assert (found.directory, len(found.files)) == (source.directory, 2)


def test_the_text_is_loaded_once_and_kept_without_what_building_needs() -> None:
    text = _text(*(Source(name=f"s{n}", version="1", fields={"Note": "x" * 5000}) for n in "abc"))

    def never() -> bytes:
        raise AssertionError("the cache has it")

    assert _find(text, "sa", "1") == _find(text, "sa", "1")
    index = SourceIndex("made-up", replace(_file(text), load=never))
    assert index.find("sb", "1") is not None
    index.close()
    [kept] = (cache_dir() / "os-sources-v1").iterdir()
    assert b"xxx" not in kept.read_bytes()


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: bytes(len(b)), lambda b: b"x"])
def test_a_damaged_file_is_built_anew(damage: Callable[[bytes], bytes]) -> None:
    text = _text(*SOURCES)
    before = _find(text, "aa", "1.0-1")
    [kept] = (cache_dir() / "os-sources-v1").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert _find(text, "aa", "1.0-1") == before
    assert kept.read_bytes() == whole


def test_a_wrong_text_is_refused_and_not_kept() -> None:
    wrong = replace(_file(_text(*SOURCES)), load=lambda: b"Package: evil\n")
    with pytest.raises(VerificationError, match="source index is not the one that was signed"):
        SourceIndex("made-up", wrong)
    assert not list((cache_dir() / "os-sources-v1").glob("*"))


def test_what_cannot_be_had_names_the_way_out() -> None:
    def missing() -> bytes:
        raise SourceError("the server answered 404", where="http://mirror.example.org/Sources.xz")

    with pytest.raises(SourceError, match="answered 404") as caught:
        SourceIndex("made-up", replace(_file("x"), load=missing))
    assert caught.value.where == "http://mirror.example.org/Sources.xz"
    assert "sources = true" in str(caught.value.remedy)


_ZERO = "0" * 64


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("Checksums-Sha256", "\n abc 3 bad_1.dsc", "not a digest, a size and a name"),
        ("Checksums-Sha256", f"\n {_ZERO} 3 ../bad_1.dsc", "not a digest, a size and a name"),
        ("Checksums-Sha256", f"\n {_ZERO} x bad_1.dsc", "not a digest, a size and a name"),
        ("Checksums-Sha256", f"\n {_ZERO} 3 bad_1.dsc\n {_ZERO} 3", "not a list of files"),
        ("Checksums-Sha256", f"\n {_ZERO} 3 bad_1.dsc\n {_ZERO} 3 bad_1.dsc", "not a list"),
        ("Checksums-Sha256", f"\n {_ZERO} 3 bad_1.tar.gz", "does not have one .dsc"),
        ("Checksums-Sha256", "", "no Checksums-Sha256"),
        ("Directory", "", "no Directory"),
        ("Directory", "../elsewhere", "outside of the archive"),
        ("Directory", "/elsewhere", "outside of the archive"),
    ],
)
def test_a_broken_paragraph_is_named_when_it_is_wanted(field: str, value: str, what: str) -> None:
    text = _text(*SOURCES, Source(name="bad", version="1", fields={field: value}))
    assert _find(text, "aa", "1.0-1") is not None
    with pytest.raises(UsageError, match=what) as caught:
        _find(text, "bad", "1")
    assert caught.value.where == f"{WHERE}, paragraph 4 (bad)"


@pytest.mark.parametrize("text", ["Version: 1\n", "Package: a\nDirectory: d\n"])
def test_a_text_that_is_no_index(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        _find(_text(*SOURCES) + "\n" + text, "aa", "1.0-1")
    assert caught.value.where == f"{WHERE}, paragraph 4"
