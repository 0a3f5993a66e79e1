"""``envlock run`` in a locked project: which environment it was, and whether it was the lock's."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.install import locked, write_lock
from support.project import Project
from support.runs import Folder
from support.tools import PIP, run

OLDER = "2024-01-01"


@pytest.fixture
def unsynced(project: Project, index: LoopbackIndex) -> Project:
    """A project with a lock of alpha 1.2, and no environment."""
    project.write("alpha")
    alpha = index.add("alpha", "1.2", OLDER)
    index.add("alpha", "1.3", OLDER)
    write_lock(project.root, locked(index, alpha), wishes=("alpha",))
    return project


@pytest.fixture
def synced(unsynced: Project) -> Project:
    """A project whose environment holds its lock: alpha 1.2."""
    done = unsynced.run("sync")
    assert done.returncode == 0, done.stderr
    return unsynced


def python_of(project: Project) -> str:
    return str(project.root / ".venv" / "bin" / "python")


def test_the_environment_is_named(synced: Project) -> None:
    folder = Folder(synced.root)
    name = synced.json("hash")["environment-hash"]
    done = folder.run(python_of(synced), "-c", "import os; print(os.environ['ENVLOCK_HASH'])")
    assert done.stdout.decode().strip() == name
    assert done.stderr == b""
    record = folder.last()
    lock = synced.lock_path.read_bytes()
    assert record["environment-hash"] == name
    assert record["lock"] == {"path": "pylock.toml", "sha256": hashlib.sha256(lock).hexdigest()}
    assert folder.blob(record["lock"]["sha256"]) == lock
    python = record["environment"]["python"]
    assert (python["found-by"], python["prefix"]) == ("program", str(synced.root / ".venv"))
    [site] = (synced.root / ".venv" / "lib").glob("python*/site-packages")
    digest = run(["sha256sum", site / "alpha-1.2.dist-info" / "RECORD"]).stdout.split()[0]
    assert json.loads(folder.blob(python["packages-sha256"])) == [["alpha", "1.2", digest]]
    assert record["environment"]["drift"] == []
    assert folder.run("true", options=["--strict"]).returncode == 0
    path = site / "alpha-1.2.dist-info" / "RECORD"
    path.write_bytes(path.read_bytes() + b"more,,\n")
    folder.run("true")
    changed = folder.last()["environment"]["python"]["packages-sha256"]
    assert changed != python["packages-sha256"], "remembered only while RECORDs are untouched"


def test_dpkg_is_asked_by_its_status(unsynced: Project) -> None:
    folder = Folder(unsynced.root)
    folder.run("true")
    if not Path("/var/lib/dpkg/status").exists():
        assert "os" not in folder.last()["environment"]
        return
    shown = "${Package}\t${Architecture}\t${Version}\t${db:Status-Status}\n"
    said = run(["dpkg-query", "-W", "-f", shown]).stdout
    expected = sorted(
        line.split("\t")
        for line in said.splitlines()
        if not line.endswith(("\tconfig-files", "\tnot-installed"))
    )
    blob = folder.blob(folder.last()["environment"]["os"]["packages-sha256"])
    assert json.loads(blob) == expected


def test_drift_is_noted_and_refused_with_strict(synced: Project) -> None:
    folder = Folder(synced.root)
    folder.run("true")
    python = python_of(synced)
    run([*PIP, "--python", python, "install", "-i", synced.index.url, "alpha==1.3"])
    for _ in range(2):  # looked at, then remembered
        done = folder.run("true")
        assert done.returncode == 0
        assert b"has drifted from its lock (1 difference:" in done.stderr
        [drift] = folder.last()["environment"]["drift"]
        assert (drift["code"], drift["subject"]) == ("PY003", "alpha")
        assert (drift["expected"], drift["found"]) == ("1.2", "1.3")
    count = len(folder.files())
    done = folder.run("touch", "ran", options=["--strict"])
    assert done.returncode == 1
    assert b"alpha: expected 1.2, found 1.3" in done.stderr
    assert not (synced.root / "ran").exists()
    assert (len(folder.files()), folder.files("started")) == (count, [])


def test_another_python_is_told(synced: Project) -> None:
    """A `python` that is not the environment's runs what nobody locked."""
    folder = Folder(synced.root, {"PATH": "/usr/bin:/bin"})
    other = shutil.which("python3", path="/usr/bin:/bin")
    assert other, "the system has a Python"
    done = folder.run("python3", "-c", "pass")
    assert b"is not of the project's environment" in done.stderr
    assert folder.last()["environment"]["python"]["found-by"] == "another-python"
    assert b"(to use the project's: . .venv/bin/activate)" in done.stderr
    assert folder.last()["problems"]
    assert folder.run("python3", "-c", "pass", options=["--strict"]).returncode == 1


def test_another_environment_is_told(synced: Project, tmp_path: Path) -> None:
    """Not the project's `.venv` has drifted: another one is active."""
    run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "own"])
    run([*PIP, "--python", tmp_path / "own", "install", "-i", synced.index.url, "alpha==1.3"])
    folder = Folder(synced.root, {"VIRTUAL_ENV": str(tmp_path / "own")})
    done = folder.run("true")
    told = f"not the project's environment but {tmp_path / 'own'}, which is not what the lock says"
    assert told.encode() in done.stderr
    shown = folder.envlock("runs", "show", "last").stdout.decode()
    assert f"(in {tmp_path / 'own'})" in shown
    # A named environment's own folder is `.venv-NAME`.
    (synced.root / "pylock.docs.toml").write_bytes(synced.lock_path.read_bytes())
    shutil.copytree(synced.root / ".venv", synced.root / ".venv-docs", symlinks=True)
    folder = Folder(synced.root)
    assert folder.run("true", options=["--name", "docs", "--strict"]).returncode == 0
    python = folder.last()["environment"]["python"]
    assert python["prefix"] == str(synced.root / ".venv-docs")


def test_a_lock_that_is_none(unsynced: Project) -> None:
    folder = Folder(unsynced.root)
    text = unsynced.lock_path.read_text()
    unsynced.lock_path.write_text(text.replace('version = "1.2"', 'version = "1.9"'))
    done = folder.run("sh", "-c", "echo ${ENVLOCK_HASH-none}", variables={"ENVLOCK_HASH": "outer"})
    assert done.stdout == b"none\n"
    assert folder.last()["lock"]["problem"]
    assert folder.run("true", options=["--strict"]).returncode == 1
    unsynced.lock_path.unlink()
    folder.run("true")
    assert folder.last()["lock"]["problem"] == "there is no lock"
    assert folder.run("true", options=["--strict"]).returncode == 1


def test_a_named_environment(unsynced: Project) -> None:
    folder = Folder(unsynced.root)
    unsynced.lock_path.rename(unsynced.root / "pylock.docs.toml")
    folder.run("true", options=["--name", "docs"])
    assert folder.last()["lock"]["path"] == "pylock.docs.toml"
    assert folder.last()["environment-hash"].startswith("env1-")
