"""nixpkgs in a lock: the real command, offline where the table covers the date, online after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.nixpkgs import AUTUMN, NixServer, autumn_releases, autumn_repository
from support.project import Project, errors_in

from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.toolchain import Found, Nixpkgs

COVERED = "2026-03-01"
AFTER = "2026-10-10"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NixServer]:
    repository = autumn_repository(tmp_path / "nixpkgs")
    with NixServer(repository, autumn_releases(repository)) as running:
        yield running


@pytest.fixture
def asking(project: Project, index: LoopbackIndex, server: NixServer) -> Project:
    index.add("lib", "1.0", "2020-01-01")
    project.variables |= server.variables
    return ask(project)


def ask(project: Project, **nix: Any) -> Project:
    return project.write("lib", settings={"targets": ["linux/amd64"], "nix": nix})


def pinned(lock: Lock) -> Nixpkgs:
    assert lock.nixpkgs is not None
    return lock.nixpkgs


def test_online_and_offline_give_the_same_bytes_where_the_table_covers_the_date(
    asking: Project, server: NixServer
) -> None:
    assert pinned(asking.lock(as_of=COVERED)).found is Found.TABLE
    online = asking.lock_path.read_bytes()
    assert b"seconds-before-as-of = 276200\n" in online
    asking.lock_path.unlink()
    server.fail("*", "cut")
    asking.lock(as_of=COVERED)
    assert asking.lock_path.read_bytes() == online
    assert server.count() == 0


def test_after_the_table_twice_gives_the_same_bytes_and_the_lock_says_how(
    asking: Project, server: NixServer
) -> None:
    pin = pinned(asking.lock(as_of=AFTER))
    assert (pin.branch, pin.found) == (AUTUMN, Found.HISTORY)
    before = asking.lock_path.read_bytes()
    asking.lock_path.unlink()
    asking.lock(as_of=AFTER, ENVLOCK_CACHE_DIR=str(asking.root / "another-cache"))
    assert asking.lock_path.read_bytes() == before


def test_what_did_not_change_is_not_asked_for_again(
    asking: Project, server: NixServer, index: LoopbackIndex
) -> None:
    before = pinned(asking.lock(as_of=AFTER))
    index.add("other", "1.0", "2020-01-01")
    server.forget_requests()
    table = {"targets": ["linux/amd64"], "nix": {"names": {"x1": "y"}}}
    asking.write("lib", "other", settings=table)
    after = asking.lock(as_of=AFTER, ENVLOCK_CACHE_DIR=str(asking.root / "another-cache"))
    assert pinned(after).rev == before.rev
    assert pinned(after).names == ("x1=y",)
    assert server.count() == 0
    asking.lock("--refresh", as_of=AFTER)
    assert server.count("/releases/*") > 0


def test_another_wish_makes_the_lock_stale(asking: Project, tmp_path: Path) -> None:
    first = environment_hash(asking.lock(as_of=COVERED))
    assert asking.json("hash")["digests"]["toolchain"] == first.toolchain
    (tmp_path / "old.toml").write_bytes(asking.lock_path.read_bytes())
    ask(asking, branch="nixos-unstable")
    done = asking.run("lock", "--check")
    assert done.returncode == 1
    assert "nix-branch: was unset, is now nixos-unstable" in done.stderr
    second = environment_hash(asking.lock(as_of=COVERED))
    assert second.toolchain != first.toolchain
    assert second.python == first.python
    shown = asking.run("diff", str(tmp_path / "old.toml"), "pylock.toml").stdout
    assert "  nixpkgs: nixos-25.11 1267bb4920d0fc06ea916734c11b0bf004bbe17e → nixos-unst" in shown
    asking.write("lib", settings={"targets": ["linux/amd64"]})
    assert asking.lock(as_of=COVERED).nixpkgs is None


def test_whom_nobody_answers_is_told_the_ways_out(asking: Project, server: NixServer) -> None:
    server.fail("*", "cut")
    said = asking.refused(code=3, as_of=AFTER)
    assert errors_in(said) == 1
    assert 'source = "table"' in said
    assert "begins at 2020-09-27" in asking.refused(code=3, as_of="2020-09-01")
