"""Indexes unpack to what was packed, and never to more than announced."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.errors import VerificationError
from envlock.resolve.os.archive.unpack import SUFFIXES, unpack

PACK = {".xz": lzma.compress, ".gz": gzip.compress, ".bz2": bz2.compress, "": bytes}
WHERE = "http://archive.example.org/Packages"


@given(pieces=st.lists(st.binary(max_size=500), min_size=1, max_size=4))
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_unpacks_to_what_was_packed(suffix: str, pieces: list[bytes]) -> None:
    packed = b"".join(PACK[suffix](piece) for piece in pieces)
    text = b"".join(pieces)
    assert unpack(packed, suffix, limit=len(text), where=WHERE) == text


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".bz2"])
def test_a_small_file_does_not_fill_the_memory(suffix: str) -> None:
    bomb = PACK[suffix](bytes(20_000_000))
    assert len(bomb) < 40_000
    with pytest.raises(VerificationError, match="more than the 1000 bytes"):
        unpack(bomb, suffix, limit=1000, where=WHERE)


@given(data=st.data())
@pytest.mark.parametrize("suffix", [".xz", ".gz", ".bz2"])
def test_a_cut_file_is_refused(suffix: str, data: st.DataObject) -> None:
    packed = PACK[suffix](b"Package: a\n" * 50)
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(VerificationError) as caught:
        unpack(packed[:cut], suffix, limit=10_000, where=WHERE)
    assert caught.value.where == WHERE


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".bz2"])
@given(content=st.binary(min_size=1, max_size=100))
def test_what_is_not_packed_is_refused(suffix: str, content: bytes) -> None:
    with pytest.raises(VerificationError):
        unpack(content, suffix, limit=10_000, where=WHERE)
