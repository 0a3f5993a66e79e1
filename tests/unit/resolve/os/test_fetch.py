"""Indexes unpack to what was packed, never to more than announced; the store heals itself."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.errors import VerificationError
from envlock.resolve.os.fetch import SUFFIXES, has_stored, stored, unpack

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


def test_the_store_believes_digests_and_not_names() -> None:
    content = b"bytes"
    digest = hashlib.sha256(content).hexdigest()
    path = stored(digest)
    assert path.parts[-3:] == ("sha256", digest[:2], digest)
    assert not has_stored(digest, len(content))
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert has_stored(digest, len(content))
    path.write_bytes(b"bytez")
    assert not has_stored(digest, len(content))
    assert not path.exists()
