"""Digests and names as the stores of Nix and Guix want them."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from support.strategies import hostile_texts, sha256s

from envlock.export.store import base32, store_name


@pytest.mark.parametrize(
    ("content", "digest"),
    [
        # Both are in the manuals and test suites of Nix and Guix.
        (b"", "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"),
        (b"abc", "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s"),
    ],
)
def test_known_digests(content: bytes, digest: str) -> None:
    assert base32(hashlib.sha256(content).hexdigest()) == digest


@given(sha256s)
def test_a_digest_can_be_read_back(sha256: str) -> None:
    number = 0
    for digit in base32(sha256):
        number = number * 32 + "0123456789abcdfghijklmnpqrsvwxyz".index(digit)
    assert number.to_bytes(32, "little").hex() == sha256


@given(hostile_texts)
def test_any_text_becomes_a_name_that_a_store_takes(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9+_?=-][A-Za-z0-9+._?=-]*", store_name(text))


def test_names_that_a_store_takes_stay() -> None:
    assert store_name("numpy-2.0+local.tar.gz") == "numpy-2.0+local.tar.gz"
    assert store_name("1!2.0") == "1_2.0"
    assert store_name("x" * 300 + ".tar.gz").endswith("xx.tar.gz")
    assert len(store_name("x" * 300)) < 211 - len("-wheel.drv")
