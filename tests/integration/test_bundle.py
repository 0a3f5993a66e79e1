"""``envlock bundle``: sha256sum and tar judge what it makes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.bundles import files, judge
from support.index import LoopbackIndex
from support.install import locked, write_lock
from support.project import Project, errors_in
from support.small_disk import small_disk
from support.tools import run

from envlock.errors import VerificationError
from envlock.io.progress import SilentReporter
from envlock.realise.bundle.opened import open_bundle
from envlock.realise.bundle.verify import verify

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


def test_what_a_killed_run_left_is_no_foreign_file(two: Project) -> None:
    place = two.root / "bundle"
    place.mkdir()
    (place / ".envlock-part.x1").write_text("the beginning of the first file")
    bundle(two)
    (place / ".SHA256SUMS.x2").write_text("the beginning of the last one")
    bundle(two)
    (place / ".git").mkdir()
    assert two.run("bundle").returncode == 2


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


def test_verify_names_what_is_wrong_in_folders_and_archives(two: Project) -> None:
    told = bundle(two, "-o", "good.tar")
    place = two.root / "envlock-bundle"

    def made(name: str = "bad.tar") -> str:
        run(["tar", "-cf", name, "envlock-bundle"], cwd=two.root)
        return name

    def refused(said: str, *names: str) -> None:
        for name in names or ("envlock-bundle", made()):
            with pytest.raises(VerificationError) as caught:
                verify(open_bundle(two.root / name), SilentReporter())
            assert said in str(caught.value)

    run(["tar", "-xf", "good.tar"], cwd=two.root)
    for name in ("good.tar", "envlock-bundle", made()):
        found = json.loads(two.run("bundle", "verify", "--json", name).stdout)
        assert found["digest"] == told["digest"]
        assert found["environment-hashes"] == [told["locks"][0]["environment-hash"]]
        assert found["other-programs"] == []
    wheel = next(place.glob("files/*/big*"))
    path, content = str(wheel.relative_to(place)), wheel.read_bytes()
    wheel.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    refused(f"changed: {path}")
    done = two.run("bundle", "verify", "envlock-bundle")
    assert done.returncode == 4
    assert f"changed: {path}" in done.stderr
    assert errors_in(done.stderr) == 1
    wheel.unlink()
    refused(f"missing: {path}")
    wheel.symlink_to("/etc/passwd")
    refused(path)
    wheel.unlink()
    wheel.write_bytes(content)
    (place / "files" / "more").write_text("more")
    refused("not of the bundle: files/more")
    (place / "files" / "more").unlink()
    os.mkfifo(place / "pipe")
    refused("pipe")
    (place / "pipe").unlink()

    # The same manifest, with what the locks do not say.
    manifest = place / "SHA256SUMS"
    whole = manifest.read_text()
    lines = [line for line in whole.splitlines(keepends=True) if path not in line]
    wheel.unlink()
    manifest.write_text("".join(lines))
    refused("missing: big-1.0-py3-none-any.whl")
    wheel.write_bytes(content)
    for text, said in (
        (whole + f"{'0' * 64}  ../outside\n", "../outside"),
        (whole + f"{'0' * 64}  /etc/passwd\n", "/etc/passwd"),
        (whole + lines[0], "README.md"),
        (whole + "text\n", "line"),
    ):
        manifest.write_text(text)
        refused(said, "envlock-bundle")
    plan = next(place.glob("locks/*/*.json"))
    before = plan.read_text()
    digests = re.findall(r'"sha256": "([0-9a-f]{64})"', before)
    plan.write_text(before.replace(f'"sha256": "{digests[0]}"', f'"sha256": "{digests[1]}"'))
    old, new = (hashlib.sha256(t.encode()).hexdigest() for t in (before, plan.read_text()))
    manifest.write_text(whole.replace(old, new))
    refused("is not locked for")
    plan.write_text(before)
    manifest.unlink()
    refused("not complete")

    data = (two.root / "good.tar").read_bytes()
    end = len(data.rstrip(b"\0"))
    block = -(-end // 512) * 512
    for length in (block + 512, block, end, data.rindex(b"SHA256SUMS"), len(data) // 2, 100, 0):
        (two.root / "cut.tar").write_bytes(data[:length])
        refused("", "cut.tar")
    (two.root / "cut.tar").write_bytes(data + b"more")
    refused("follows", "cut.tar")
    for name, kind in (
        ("envlock-bundle/../../outside", tarfile.REGTYPE),
        ("/etc/passwd", tarfile.REGTYPE),
        ("other/README.md", tarfile.REGTYPE),
        ("envlock-bundle/README.md", tarfile.REGTYPE),
        ("envlock-bundle/link", tarfile.SYMTYPE),
        ("envlock-bundle/hard", tarfile.LNKTYPE),
        ("envlock-bundle/device", tarfile.CHRTYPE),
    ):
        shutil.copy(two.root / "good.tar", two.root / "hostile.tar")
        with tarfile.open(two.root / "hostile.tar", "a") as archive:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        refused(name, "hostile.tar")
    assert two.run("bundle", "verify", "good.tar", "--manifest", "0" * 64).returncode == 4
    assert two.run("bundle", "verify", "good.tar", "--manifest", "x").returncode == 2
    assert two.run("bundle", "verify", "nowhere").returncode == 2


def test_diff_says_what_two_bundles_do_not_share(two: Project) -> None:
    bundle(two, "-o", "one.tar")
    bundle(two, "other", "-o", "two")
    told = json.loads(two.run("bundle", "diff", "one.tar", "two", "--json").stdout)
    assert [path.split("/")[-1] for path in told["added"] if path.startswith("files/")] == [
        "old-1.0.tar.gz"
    ]
    assert any(path.endswith("/big-1.0-py3-none-any.whl") for path in told["removed"])
    assert not any("shared" in path for paths in told.values() for path in paths)
    assert len(told["environment-hashes"]["added"]) == 1
    shown = two.run("bundle", "diff", "one.tar", "two", "--exit-code")
    assert shown.returncode == 1
    assert re.search(r"^\+ files/old-1\.0\.tar\.gz  [0-9a-f]{12}$", shown.stdout, re.M)
    same = two.run("bundle", "diff", "one.tar", "one.tar", "--exit-code")
    assert (same.returncode, same.stdout) == (0, "")


def test_a_full_disk_leaves_no_bundle(two: Project, tmp_path: Path) -> None:
    told = bundle(two)
    for name in ("bundle", "bundle.tar"):
        for size, code in ((500_000, 3), (4_000_000, 0)):
            (tmp_path / f"{name}{size}").mkdir()
            with small_disk(tmp_path / f"{name}{size}", size) as disk:
                place = str(disk.folder / name)
                done = two.run("bundle", "-o", place, through=disk.prefix)
                assert done.returncode == code, done.stderr
                if code:
                    assert disk.message in done.stderr
                    assert "free some space" in done.stderr
                    assert not any(p.endswith(("SHA256SUMS", ".tar")) for p in disk.left())
                else:
                    assert done.stdout == f"{told['digest']}\n"


def test_the_page_on_json_has_the_same_keys(two: Project) -> None:
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    match = re.search(r"^## envlock bundle\n.*?^```json\n(.*?)^```", page, re.S | re.M)
    assert match
    example, told = json.loads(match[1]), bundle(two)
    assert list(told) == list(example)
    assert list(told["locks"][0]) == list(example["locks"][0])
