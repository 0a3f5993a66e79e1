"""``envlock hash`` prints the environment hash, whole, short, or with its branches."""

from __future__ import annotations

from typing import Any

from support.samples import full_lock

from envlock.lock.hashing import environment_hash


def test_the_whole_the_short_and_the_branches(envlock: Any) -> None:
    lock = full_lock()
    hashed = environment_hash(lock)
    assert envlock("hash", lock=lock).out == f"{hashed.root}\n"
    assert envlock("hash", "--short").out == f"{hashed.root[:17]}\n"
    assert envlock("hash", "--json").json == {
        "environment-hash": hashed.root,
        "short": hashed.short,
        "digests": {"python": hashed.python, "os": hashed.os, "toolchain": hashed.toolchain},
    }
    assert hashed.toolchain is not None


def test_without_a_lock_the_remedy_is_named(envlock: Any) -> None:
    ran = envlock("hash")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no lock yet" in ran.err
    assert "envlock lock" in ran.err


def test_an_edited_lock_is_refused(envlock: Any, folder: Any) -> None:
    envlock("hash", lock=full_lock())
    path = folder / "pylock.toml"
    path.write_text(path.read_text().replace("1" * 64, "e" * 64))
    ran = envlock("hash")
    assert (ran.code, ran.out) == (4, "")
