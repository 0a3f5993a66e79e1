"""``envlock diff`` of two files; git revisions are in tests/integration/test_diff_git.py."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from support.samples import package, small_lock

from envlock.lock import codec
from envlock.lock.hashing import environment_hash

OLD = small_lock(package("aa"), package("bb", "2.0"), package("gone"))
NEW = small_lock(package("aa"), package("bb", "2.1"), package("new", "3"))


@pytest.fixture(autouse=True)
def _files(folder: Path) -> None:
    (folder / "pylock.old.toml").write_text(codec.dump(OLD))
    (folder / "pylock.toml").write_text(codec.dump(NEW))


def test_for_people(envlock: Any) -> None:
    ran = envlock("diff", "pylock.old.toml", "pylock.toml")
    old, new = environment_hash(OLD).short, environment_hash(NEW).short
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "~ bb 2.0 → 2.1",
        "- gone 1.0",
        "+ new 3",
        f"environment: {old} → {new} (3 changes)",
    ]


def test_the_second_is_the_projects_own(envlock: Any) -> None:
    one, two = envlock("diff", "pylock.old.toml"), envlock("diff", "pylock.old.toml", "pylock.toml")
    assert one.out == two.out


def test_the_exit_code_says_so_only_when_asked(envlock: Any) -> None:
    assert envlock("diff", "pylock.old.toml").code == 0
    assert envlock("diff", "--exit-code", "pylock.old.toml").code == 1
    assert envlock("diff", "--exit-code", "pylock.toml").code == 0


def test_as_json(envlock: Any) -> None:
    found = envlock("diff", "--json", "pylock.old.toml").json
    assert found["same-environment"] is False
    assert found["before"] == {"environment-hash": environment_hash(OLD).root}
    assert found["after"] == {"environment-hash": environment_hash(NEW).root}
    assert found["changes"][0] == {
        "name": "bb",
        "layer": "python",
        "kind": "upgraded",
        "before": "2.0",
        "after": "2.1",
    }


def test_another_date_alone_is_the_same_environment(envlock: Any, folder: Path) -> None:
    later = dataclasses.replace(NEW, as_of=NEW.as_of.replace(year=2025))
    (folder / "pylock.later.toml").write_text(codec.dump(later))
    ran = envlock("diff", "--exit-code", "pylock.toml", "pylock.later.toml")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "  as-of: 2024-06-01T00:00:00Z → 2025-06-01T00:00:00Z",
        f"same environment: {environment_hash(NEW).short}",
    ]


def test_a_file_that_is_no_lock(envlock: Any, folder: Path) -> None:
    (folder / "notes.txt").write_text("remember the milk")
    ran = envlock("diff", "notes.txt")
    assert ran.code == 2
    assert "notes.txt" in ran.err
