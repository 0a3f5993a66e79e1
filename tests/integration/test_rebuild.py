"""``envlock rebuild``: the index goes away, the store is empty, others have the bytes.

The oracles are the environment that `envlock sync` made before, read file by file without envlock,
and `sha256sum`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.install import HERE, contents, locked, works, write_lock
from support.project import Project, errors_in
from support.runs import Folder
from support.tools import run

from envlock.lock.target import Target

OLDER = "2024-01-01"
TOOL = {
    "tool/cli.py": "def main() -> None:\n    print('here')\n",
    "tool-2.0.dist-info/entry_points.txt": "[console_scripts]\ntool = tool.cli:main\n",
}
GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")


@pytest.fixture
def mirror() -> Iterator[LoopbackIndex]:
    with LoopbackIndex("json") as running:
        yield running


def fill(index: LoopbackIndex) -> list[Any]:
    """The same files on any index: a wheel, a wheel with a program, an sdist alone."""
    return [
        index.add("lib", "1.0", OLDER),
        index.add("tool", "2.0", OLDER, files=TOOL),
        index.add("source", "3.0", OLDER, sdist=True),
    ]


def lock(project: Project, index: LoopbackIndex) -> list[Any]:
    files = fill(index)
    names = [file.project for file in files]
    project.write(*names)
    write_lock(project.root, *(locked(index, file) for file in files), wishes=names)
    return files


def digest(file: Any) -> str:
    return hashlib.sha256(file.content).hexdigest()


def elsewhere(project: Project, tmp_path: Path) -> None:
    """Another machine: nothing is cached, and servers that do not answer are given up soon."""
    project.variables |= {
        "ENVLOCK_CACHE_DIR": str(tmp_path / "empty"),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "ENVLOCK_HTTP_RETRIES": "0",
        "ENVLOCK_HTTP_TIMEOUT": "2",
    }


def rebuilt(project: Project, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = project.run("rebuild", "--json", *arguments)
    assert done.returncode == code, (done.stdout, done.stderr)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def origins(told: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {one["name"]: (one["state"], one["from"]) for one in told["artifacts"]}


def test_a_runs_environment_comes_back_when_its_index_is_gone(
    project: Project, index: LoopbackIndex, mirror: LoopbackIndex, tmp_path: Path
) -> None:
    *_, sdist = lock(project, index)
    assert project.run("sync").returncode == 0
    old = project.root / ".venv"
    before = contents(old)
    folder = Folder(project.root)
    assert folder.run(str(old / "bin" / "tool")).stdout == b"here\n"
    bundle = str(tmp_path / "bundle")
    for form in (bundle, f"{bundle}.tar"):
        assert project.run("bundle", "--output", form).returncode == 0
    record = folder.last()
    kept = json.loads(folder.blob(record["environment"]["python"]["packages-sha256"]))

    # Years later: the lock was changed, the index is gone, another one has the wheels, an archive
    # of sources the sdist; nothing is cached.
    project.lock_path.write_text("gone = true\n")
    shutil.rmtree(old)
    index.fail("*", "not-found")
    [lib, *_] = fill(mirror)
    mirror.remove(mirror.files("source")[0])
    mirror.put(f"/archive/api/1/content/sha256:{digest(sdist)}/raw/", sdist.content)
    elsewhere(project, tmp_path)
    places = ["--index", mirror.url, "--archive", f"{mirror.base}/archive"]
    told = rebuilt(project, "last", "--into", "then", *places)

    assert told["same"] is True
    assert origins(told) == {
        "lib": ("identical", "index"),
        "tool": ("identical", "index"),
        "source": ("identical", "archive"),
    }
    tried = {one["name"]: [t["place"] for t in one["tried"]] for one in told["artifacts"]}
    assert tried["lib"] == [index.file_url(lib)]
    new = project.root / "then"
    assert works(new / "bin" / "python", "source") == "3.0"
    assert run([new / "bin" / "tool"]).stdout == "here\n"
    after = contents(new)
    scripts = "../../../bin/tool"
    assert after["tool-2.0"].pop(scripts) != before["tool-2.0"].pop(scripts)
    assert after == before
    # RECORD is the recorded one, byte for byte, but for the script's first line.
    [site] = (new / "lib").glob("python*/site-packages")
    recorded = {name: sha for name, _, sha in kept}
    [line] = run(["sha256sum", site / "lib-1.0.dist-info" / "RECORD"]).stdout.splitlines()
    assert line.split()[0] == recorded["lib"]
    states = {one["name"]: one["state"] for one in told["realised"]}
    assert states == {"lib": "identical", "source": "identical", "tool": "content-equal"}

    digest_ = record["environment"]["python"]["packages-sha256"][:12]
    said = project.run("rebuild", "last", "--into", "then", "--offline").stderr
    assert f"realised digest {digest_} verified" in said
    assert "1 content-equal (but for the environment's path in programs), 2 identical" in said

    # At its old place it is the recorded one to the last byte.
    told = rebuilt(project, "last", "--into", ".venv", "--offline")
    assert {one["state"] for one in told["realised"]} == {"identical"}
    assert {one["from"] for one in told["artifacts"]} == {"cache"}

    # Scripts of an environment that is a link (as in a repeat), or was moved, name another folder.
    shutil.rmtree(old)
    old.symlink_to(new)
    project.lock_path.write_bytes(folder.blob(record["lock"]["sha256"]))
    folder.run(str(old / "bin" / "python"), "-c", "pass")
    assert folder.last()["environment"]["python"]["scripts-prefix"] == str(new)
    short = folder.last()["id"].rpartition("-")[2]  # as `envlock runs list` shows it
    told = rebuilt(project, short, "--into", "again", "--offline")
    states = {one["name"]: one["state"] for one in told["realised"]}
    assert states == {"lib": "identical", "source": "identical", "tool": "content-equal"}
    refused = project.run("rebuild", "0123456789ab")
    assert "is no file, no run, and" in refused.stderr
    old.unlink()

    # The bundle that was made then is enough, too.
    for form in (bundle, f"{bundle}.tar"):
        project.variables["ENVLOCK_CACHE_DIR"] = f"{form}-cache"
        told = rebuilt(project, record["id"], "--into", "then", "--from", form, "--offline")
        assert {one["from"] for one in told["artifacts"]} == {"bundle"}
        assert {one["place"].startswith(f"{form}/files/") for one in told["artifacts"]} == {True}

    # And a package that is not what was recorded is told.
    [row, *rest] = kept
    blob = json.dumps([[row[0], row[1], "0" * 64], *rest]).encode()
    path = project.root / ".envlock/runs" / record["id"][:4] / record["id"][4:6]
    path /= f"{record['id']}.json"
    record["environment"]["python"]["packages-sha256"] = name = hashlib.sha256(blob).hexdigest()
    place = project.root / ".envlock" / "blobs" / name[:2] / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(blob)
    path.chmod(0o644)
    path.write_text(json.dumps(record))
    told = rebuilt(project, record["id"], "--into", ".venv", "--offline", code=4)
    assert (told["same"], told["realised"][0]["state"]) == (False, "different")


def test_what_nobody_has_is_listed_and_everything_else_is_fetched(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    lib, tool, sdist = lock(project, index)
    run([*GIT, "init", "--quiet"], cwd=project.root)
    run([*GIT, "add", "--all"], cwd=project.root)
    run([*GIT, "commit", "--quiet", "--message=then"], cwd=project.root)
    project.lock_path.unlink()
    elsewhere(project, tmp_path)
    index.fail(f"*{lib.name}", "not-found")
    bundle = tmp_path / "bundle"
    (bundle / "files").mkdir(parents=True)
    (bundle / "files" / lib.name).write_bytes(b"something else")
    done = project.run("rebuild", "HEAD", "--from", str(bundle), "--archive", "none")
    assert done.returncode == 3
    assert f"missing    {lib.name}" in done.stderr
    assert f"tried {bundle / 'files' / lib.name}: other bytes" in done.stderr
    assert f"tried {index.file_url(lib)}: " in done.stderr
    assert errors_in(done.stderr) == 1
    assert not list(project.root.glob(".venv*"))
    there = {p.name for p in (tmp_path / "empty" / "sha256").rglob("*") if p.is_file()}
    assert there == {digest(tool), digest(sdist)}

    done = project.run("rebuild", "HEAD", "--from", str(bundle), "--offline")
    assert done.returncode == 3
    store = tmp_path / "empty" / "sha256"
    assert f"looked in: the store ({store}), {bundle}, the project, " in done.stderr
    assert "the network was not asked, as --offline says" in done.stderr

    # By digest, whatever it is called.
    (bundle / digest(lib)).write_bytes(lib.content)
    told = rebuilt(project, "HEAD", "--from", str(bundle), "--offline")
    assert origins(told)["lib"] == ("identical", "bundle")
    commit = run(["git", "rev-parse", "HEAD"], cwd=project.root).stdout.strip()
    assert told["subject"]["commit"] == commit
    place = project.root / f".venv-{commit[:12]}"
    assert contents(place).keys() == {"lib-1.0", "tool-2.0", "source-3.0"}

    # What was interrupted, or edited since, is put right.
    [module] = place.rglob("lib/__init__.py")
    module.write_text("edited = True\n")
    [metadata] = place.rglob("tool-2.0.dist-info/METADATA")
    metadata.unlink()
    told = rebuilt(project, "HEAD", "--offline")
    assert told["same"] is True
    assert told["installed-anew"][0] == "lib"
    assert works(place / "bin" / "python", "lib") == "1.0"
    assert metadata.is_file()


def test_the_machines_folders_of_files_count(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    lib, *_ = lock(project, index)
    write_lock(project.root, locked(index, lib), wishes=["lib"])
    project.write("lib")
    elsewhere(project, tmp_path)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / lib.name).write_bytes(lib.content)
    index.fail("*", "not-found")
    project.variables["UV_FIND_LINKS"] = str(wheels)
    assert origins(rebuilt(project)) == {"lib": ("identical", "folder")}
    assert works(project.root / ".venv-rebuilt" / "bin" / "python", "lib") == "1.0"


def test_bad_input_is_refused(project: Project, index: LoopbackIndex) -> None:
    lock(project, index)

    def refused(*arguments: str, code: int = 2) -> str:
        done = project.run("rebuild", *arguments)
        assert done.returncode == code, done.stderr
        assert errors_in(done.stderr) == 1
        assert not (project.root / ".venv-rebuilt").exists()
        return done.stderr

    assert "no file, no run and no git revision" in refused("--", "-x")
    assert "not in a git repository" in refused("v1.0")
    assert "`envlock lock --as-of 2024-01-01` makes its lock" in refused("2024-01-01")
    assert "--from BUNDLE" in refused("env1-0123")
    name = project.run("hash").stdout.strip()
    assert "same as pylock.toml" in project.run("rebuild", name[:17], "--into", "named").stderr
    assert "no such run" in refused("20260101T000000Z-0123456789ab")
    assert "not empty and is no virtual environment" in refused("--into", ".")
    assert "not an http or https address" in refused("--index", "ftp://example.org")
    assert "the lock is not for linux/amd64@3.1" in refused("--target", "linux/amd64@3.1")
    # A later envlock's lock; one for a Python that nothing here provides; a file that is no lock.
    text = project.lock_path.read_text()
    newer = re.sub(r"(?m)^format = 1$", "format = 99", text)
    assert newer != text
    (project.root / "newer.toml").write_text(newer)
    assert "99" in refused("newer.toml")
    write_lock(project.root, targets=(Target(platform=HERE.platform, python="3.98"),))
    said = refused(code=3)
    assert "nothing provides CPython 3.98, which the lock is for: this machine has 3." in said
    assert "no archive of Python for" in said
    assert "and no OS packages" in said
    project.lock_path.write_text(text)
    (project.root / "other.toml").write_text("[project]\n")
    refused("other.toml")
    # A run whose lock is gone from the store and from the project.
    Folder(project.root).run("true")
    shutil.rmtree(project.root / ".envlock" / "blobs")
    project.lock_path.write_text("# edited\n" + text)
    said = refused("last")
    assert "the lock pylock.toml (sha256 " in said
    assert ") is gone; looked at: the records' blobs, " in said
