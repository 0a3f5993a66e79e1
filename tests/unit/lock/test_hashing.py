"""Canonical JSON's edges, and the shape of the environment hash.

What it covers is shown in tests/property/test_lock_hash.py, its published vectors beside this.
"""

from __future__ import annotations

import pytest
import rfc8785
from support.samples import full_lock, package, small_lock

from envlock.lock.canonical import canonical_json, digest
from envlock.lock.hashing import EnvironmentHash, environment_hash, python_content, shorten


def test_each_character_is_written_as_rfc_8785_says() -> None:
    letters = [chr(code) for code in range(0x3000) if not 0xD800 <= code <= 0xDFFF]
    for letter in [*letters, "\U0001f40d", "\ufeff", "\uffff", "\U0010ffff"]:
        assert canonical_json(letter) == rfc8785.dumps(letter), hex(ord(letter))


def test_keys_are_sorted_and_nothing_is_spaced() -> None:
    assert canonical_json({"b": [1 > 0, None], "a-b": {}, "a": ""}) == (
        b'{"a":"","a-b":{},"b":[true,null]}'
    )


def test_a_lone_surrogate_has_no_bytes() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        canonical_json(["\ud800"])


def test_a_digest_is_sha256_of_the_bytes() -> None:
    # `printf %s '{}' | sha256sum`
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_the_hash_is_prefixed_and_shortened() -> None:
    hashed = environment_hash(full_lock())
    assert hashed.root.startswith("env1-")
    assert len(hashed.root) == 5 + 64
    assert hashed.short == shorten(hashed.root) == hashed.root[:17]
    assert len(hashed.python) == 64


def test_each_branch_decides_the_root() -> None:
    roots = {
        EnvironmentHash(python="0").root,
        EnvironmentHash(python="1").root,
        EnvironmentHash(python="0", os="0").root,
        EnvironmentHash(python="0", toolchain="0").root,
    }
    assert len(roots) == 4


def test_the_content_of_one_package() -> None:
    assert python_content(small_lock(package("lib", "2.0"))) == {
        "interpreters": [
            {"implementation": "cpython", "platform": "linux/amd64", "version": "3.11"}
        ],
        "packages": [{"name": "lib", "version": "2.0", "marker": None, "artifacts": ["a" * 64]}],
    }
