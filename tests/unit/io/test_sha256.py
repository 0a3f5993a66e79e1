"""SHA-256 of little and of much, whichever implementation takes it."""

from __future__ import annotations

import hashlib
import os

import pytest

from envlock.io.sha256 import LITTLE, Sha256, hex_of


@pytest.mark.parametrize("size", [0, 1, 1000, LITTLE - 1, LITTLE, LITTLE + 1, 3 * LITTLE])
@pytest.mark.parametrize("piece", [1 << 30, 65536, 70001])
def test_it_is_sha_256(size: int, piece: int) -> None:
    data = os.urandom(size)
    expected = hashlib.sha256(data).hexdigest()
    assert hex_of(data) == expected
    growing = Sha256()
    for start in range(0, size, piece):
        growing.update(data[start : start + piece])
        assert len(growing.hexdigest()) == 64, "it can be asked at any time"
    assert growing.hexdigest() == expected
