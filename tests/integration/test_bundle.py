"""``envlock bundle``: sha256sum and tar judge what it makes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.bundles import files, judge
from support.index import LoopbackIndex
from support.install import locked, write_lock
from support.project import Project
from support.tools import run

OLDER = "2024-01-01"


@pytest.fixture(scope="module")
def index() -> Iterator[LoopbackIndex]:
    with LoopbackIndex("json") as running:
        yield running


@pytest.fixture
def two(project: Project, index: LoopbackIndex, tmp_path: Path) -> Project:
    """A project with two locks that share a wheel; ``one`` is its own, ``other`` beside it."""
    shared = index.add("shared", "1.0", OLDER)
    big = index.add("big", "1.0", OLDER, files={"big/data": random.Random(1).randbytes(1 << 20)})
    source = index.add("old", "1.0", OLDER, sdist=True)
    project.write("shared")
    write_lock(project.root, locked(index, shared), locked(index, big))
    (project.root / "other").mkdir()
    write_lock(project.root / "other", locked(index, shared), locked(index, source))
    project.variables["ENVLOCK_CACHE_DIR"] = str(tmp_path / "cache")
    return project


def bundle(project: Project, *arguments: str, **variables: Any) -> dict[str, Any]:
    """``envlock bundle --json``, which must succeed; sha256sum judges a folder."""
    done = project.run("bundle", "--json", *arguments, **variables)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    place = project.root / told["output"]
    if place.is_dir():
        judge(place)
        digest = hashlib.sha256((place / "SHA256SUMS").read_bytes()).hexdigest()
        assert told["digest"] == f"sha256:{digest}"
    return told


def names(place: Path) -> set[str]:
    return {path.name for path in place.glob("files/*/*")}


def test_a_folder_and_an_archive_hold_the_same_each_time(two: Project, tmp_path: Path) -> None:
    told = bundle(two)
    place = two.root / "bundle"
    assert names(place) == {"shared-1.0-py3-none-any.whl", "big-1.0-py3-none-any.whl"}
    lock = place / "locks" / told["locks"][0]["environment-hash"] / "pylock.toml"
    assert lock.read_bytes() == two.lock_path.read_bytes()
    assert told["files"] == len(files(place)) - 1
    assert str(lock.relative_to(place)) in (place / "README.md").read_text()
    again = bundle(two)
    assert again == told | {"kept": told["files"]}

    archive = bundle(two, "-o", "one.tar")
    assert archive["digest"] == told["digest"]
    elsewhere = bundle(
        two, "-o", "two.tar", TZ="Asia/Tokyo", ENVLOCK_CACHE_DIR=str(tmp_path / "new")
    )
    assert elsewhere["digest"] == told["digest"]
    assert (two.root / "one.tar").read_bytes() == (two.root / "two.tar").read_bytes()
    assert [p.name for p in two.root.iterdir() if p.name.startswith(".")] == []
    listed = run(["tar", "-tf", "one.tar"], cwd=two.root).stdout.splitlines()
    assert listed[-1] == "envlock-bundle/SHA256SUMS"
    run(["tar", "-xf", "one.tar"], cwd=two.root)
    unpacked = two.root / "envlock-bundle"
    run(["diff", "-r", unpacked, place])
    assert {p.stat().st_mtime for p in unpacked.rglob("*") if p.is_file()} == {
        p.stat().st_mtime for p in place.rglob("*") if p.is_file()
    }


def test_several_locks_have_each_file_once(two: Project) -> None:
    told = bundle(two, "pylock.toml", "other")
    place = two.root / "bundle"
    assert len(list(place.glob("files/*"))) == 3
    hashes = {lock["environment-hash"] for lock in told["locks"]}
    assert {path.parent.name for path in place.glob("locks/*/*")} == hashes
    assert len(hashes) == 2
    backwards = bundle(two, "other/pylock.toml", "pylock.toml", "--output", "second")
    assert backwards["digest"] == told["digest"]
    # And back to one: what is no longer of the bundle goes.
    bundle(two)
    assert len(list(place.glob("files/*"))) == 2


def test_damage_is_repaired_and_other_folders_are_left_alone(two: Project) -> None:
    told = bundle(two)
    place = two.root / "bundle"
    wheel = next(place.glob("files/*/big*"))
    content = bytearray(wheel.read_bytes())
    content[99] ^= 1
    wheel.write_bytes(content)
    next(place.glob("files/*/shared*")).unlink()
    (place / "files" / "extra").write_text("x")
    assert bundle(two)["kept"] == told["files"] - 2
    (two.root / "mine").mkdir()
    (two.root / "mine" / "README.md").write_text("mine")
    link = place / "files" / "link"
    link.symlink_to("/etc/passwd")
    for output, said in (
        ("mine", "other files"),
        ("pylock.toml", "it is a file"),
        ("x.tar.gz", "not compressed"),
        ("bundle", "symbolic link"),
    ):
        done = two.run("bundle", "-o", output)
        assert done.returncode == 2
        assert said in done.stderr
    assert (two.root / "mine" / "README.md").read_text() == "mine"
    assert two.run("bundle", "--name", "x", "pylock.toml").returncode == 2
    assert two.run("bundle", "nowhere.toml").returncode == 2


def test_a_killed_bundle_never_looks_whole(two: Project) -> None:
    bundle(two, "--output", "first")  # so that nothing is left to fetch
    took = time.monotonic()
    two.run("bundle", "--output", "second")
    took = time.monotonic() - took
    place = two.root / "bundle"
    for part in (0.5, 0.65, 0.8, 0.95):
        running = two.start("bundle")
        time.sleep(took * part)
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        if (place / "SHA256SUMS").exists():
            judge(place)
            (place / "SHA256SUMS").unlink()
            next(place.glob("files/*/big*")).unlink()
    bundle(two)


def test_the_page_on_json_has_the_same_keys(two: Project) -> None:
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    match = re.search(r"^## envlock bundle\n.*?^```json\n(.*?)^```", page, re.S | re.M)
    assert match
    example, told = json.loads(match[1]), bundle(two)
    assert list(told) == list(example)
    assert list(told["locks"][0]) == list(example["locks"][0])
