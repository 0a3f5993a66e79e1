"""``envlock runs repeat``: the same again from what the record leads to, or what differs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.install import locked, write_lock
from support.project import ENVLOCK, Project
from support.runs import Folder
from support.tools import run

OLDER = "2024-01-01"
PROGRAM = """
import csv, json, os, sys, alpha
rows = [float(line) for line in open("data/in.txt")]
scale = float(open("scale.txt").read())
with open("out.csv", "w") as file:
    writer = csv.writer(file)
    writer.writerow(["x", "y"])
    for row in rows:
        writer.writerow([row, row * scale + float(os.environ.get("NOISE", "0"))])
info = {"version": alpha.__version__, "there": os.listdir(sys.argv[1])}
json.dump(info, open("made/info.json", "w"))
print("ENVLOCK", json.dumps({"sum": sum(rows) * scale + float(os.environ.get("NOISE", "0"))}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    root = tmp_path / "work"
    (root / ".envlock").mkdir(parents=True)
    return Folder(root)


def git(root: Path, *arguments: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return run(["git", *names, *arguments], cwd=root).stdout.strip()


def repeat(
    folder: Folder, *arguments: str, code: int, variables: dict[str, str] | None = None
) -> dict[str, Any]:
    done = folder.envlock("runs", "repeat", *arguments, "--json", variables=variables)
    assert done.returncode == code, done.stderr.decode()
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in found["judged"]}


def tree(root: Path) -> dict[str, bytes]:
    """Every file of a project but for its records."""
    names = run(["find", ".", "-type", "f", "-not", "-path", "./.envlock/*"], cwd=root).stdout
    return {name: (root / name).read_bytes() for name in names.splitlines()}


def test_a_run_is_made_again_from_lock_commit_and_data(
    project: Project, index: LoopbackIndex
) -> None:
    """The whole way: the environment is gone, the code has moved on, the data is where it was."""
    project.write("alpha")
    alpha = index.add("alpha", "1.2", OLDER)
    write_lock(project.root, locked(index, alpha), wishes=("alpha",))
    assert project.run("sync").returncode == 0
    folder = Folder(project.root, project.environment())
    for name, text in (
        ("job.py", PROGRAM.replace("* scale", "* 1")),
        ("data/in.txt", "1\n2.5\n"),
        ("made/.keep", ""),
        (".gitignore", ".venv\ndata\nout.csv\n.envlock\n"),
    ):
        path = project.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    git(project.root, "init", "--quiet", "-b", "main")
    git(project.root, "add", ".")
    git(project.root, "commit", "--quiet", "-m", "one")
    (project.root / "job.py").write_text(PROGRAM)
    (project.root / "scale.txt").write_text("0.1")
    job = (".venv/bin/python", "job.py", str(project.root / "data"))
    done = folder.run(*job, options=["--param", "k=1"])
    assert done.returncode == 0, done.stderr
    git(project.root, "add", ".")
    git(project.root, "commit", "--quiet", "-m", "two: another program")
    (project.root / "job.py").write_text("raise SystemExit('not this one')")
    (project.root / "out.csv").chmod(0o444)
    shutil.rmtree(project.root / ".venv")
    text = project.lock_path.read_bytes()
    project.lock_path.unlink()
    first, there = folder.last()["id"], tree(project.root)

    shown = repeat(folder, first, "--dry-run", code=0)
    assert (shown["repeat"], shown["missing"], shown["dry-run"]) == (None, [], True)
    assert "to be rebuilt" in shown["environment"]
    found = repeat(folder, first, code=0)
    assert found["verdict"] == "identical"
    names = ("exit code 0", "out.csv", "made/info.json", "sum", "stdout")
    assert verdicts(found) == dict.fromkeys(names, "identical")
    assert (found["causes"], found["host"], found["folder"]) == ([], [], None)
    assert tree(project.root) == there, "the project is only read"
    again = folder.last()
    assert (again["id"], again["repeats"]) == (found["repeat"], first)
    assert again["code"]["commit"] == folder.records()[0]["code"]["commit"]
    assert again["environment"]["drift"] == []
    assert again["parameters"]["k"] == {"from": "given", "value": 1}
    assert "alpha 1.2" in " ".join(again["trace"]["distributions"])
    assert "repeats      " + first in folder.envlock("runs", "show", "last").stdout.decode()

    near = repeat(folder, first, code=0, variables={"NOISE": "1e-12"})
    assert "from the cache" in near["environment"]
    assert near["verdict"] == "close"
    [cells] = [one for one in near["judged"] if one["name"] == "out.csv"]
    assert (cells["how"], cells["where"]) == ("csv", None)
    assert 0 < cells["absolute"] <= 1.1e-12
    far = repeat(folder, first, "--keep", code=1, variables={"NOISE": "1e-3"})
    [cells] = [one for one in far["judged"] if one["name"] == "out.csv"]
    assert cells["where"] == "row 2, column 2 (y): 0.1 → 0.101"
    assert verdicts(far)["sum"] == "different"
    assert verdicts(far)["made/info.json"] == "identical"
    assert Path(far["folder"], "work", "out.csv").read_text() != there["./out.csv"].decode()
    shutil.rmtree(far["folder"])
    assert repeat(folder, first, "--rtol", "0.1", code=0, variables={"NOISE": "1e-3"})

    # The environment is held to the lock before it is used again.
    [site] = Path(os.environ["XDG_CACHE_HOME"]).glob("envlock/environments/*/lib/*/site-packages")
    (site / "alpha" / "__init__.py").write_text("__version__ = '1.2'\nprint('not me')\n")
    assert verdicts(repeat(folder, first, code=0))["stdout"] == "identical"

    # Its index is gone, and so is the cache: what would be needed is named; a stick has it.
    index.fail("*", "not-found")
    elsewhere = {
        "ENVLOCK_CACHE_DIR": str(project.root.parent / "cache"),
        "UV_CACHE_DIR": str(project.root.parent / "uv"),
        "ENVLOCK_HTTP_RETRIES": "0",
    }
    gone = repeat(folder, first, code=3, variables=elsewhere)
    [wheel] = gone["missing"]
    assert wheel["what"].startswith(f"{alpha.name} (sha256 ")
    assert any(place.startswith(f"{index.file_url(alpha)}: ") for place in wheel["tried"])
    assert wheel["remedy"] == "name a place that has it: --from DIR, --index URL"
    stick = project.root.parent / "stick"
    stick.mkdir()
    (stick / alpha.name).write_bytes(alpha.content)
    ways = ("--from", str(stick), "--offline")
    found = repeat(folder, first, *ways, code=0, variables=elsewhere)
    assert found["verdict"] == "identical"
    assert found["environment"].endswith("rebuilt: 1 from a bundle")

    # Without what the record keeps: the lock comes from git, the commit from nowhere.
    shutil.rmtree(project.root / ".envlock" / "blobs")
    gone = repeat(folder, first, "--dry-run", code=3)
    assert "from the cache" in gone["environment"] or "in the cache" in gone["environment"]
    [program] = gone["missing"]
    assert program["what"].startswith("input job.py (sha256 ")
    assert program["tried"][0] == f"{project.root}/job.py: other content"
    project.lock_path.write_bytes(text + b"\n")
    (project.root / "data" / "in.txt").write_text("3\n")
    shutil.rmtree(project.root / ".git")
    gone = repeat(folder, first, code=3)
    commit = folder.records()[0]["code"]["commit"]
    assert gone["missing"][0]["what"] == f"commit {commit}"
    assert any("data/in.txt: other content" in one["tried"][0] for one in gone["missing"])
    assert gone["verdict"] is None


def test_the_host_is_told_and_pinned(folder: Folder) -> None:
    """A result that hangs on the hash seed, and threads that another number of would be told."""
    program = "import os; open('out', 'w').write(str(hash('a')) + os.environ.get('TZ', 'none'))"
    variables = {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1", "TZ": "Asia/Tokyo"}
    folder.run("python3", "-c", program, variables=variables)
    first = folder.last()["id"]
    now = {"PYTHONHASHSEED": "8", "OMP_NUM_THREADS": "2"}
    found = repeat(folder, first, code=1, variables=now)
    told = {one["subject"]: (one["before"], one["after"]) for one in found["host"]}
    assert told["PYTHONHASHSEED"] == ("7", "8")
    assert told["OpenMP threads"] == ("1", "2")
    assert told["time zone"][0] == "Asia/Tokyo"
    words = folder.envlock("runs", "repeat", first, variables=now).stdout.decode()
    assert "different; the host differs: " in words
    pinned = repeat(folder, first, "--pin-host", code=0, variables=now)
    assert (pinned["verdict"], pinned["host"]) == ("identical", [])


def test_without_git_programs_are_kept_with_the_record(folder: Folder) -> None:
    (folder.root / "job.sh").write_text("cat data.bin > out")
    (folder.root / "data.bin").write_bytes(b"\0\1")
    folder.run("sh", "job.sh")
    first = folder.last()
    (folder.root / "job.sh").write_text("exit 9")
    assert verdicts(repeat(folder, first["id"], code=0))["out"] == "identical"
    (folder.root / "data.bin").unlink()
    gone = repeat(folder, first["id"], code=3)
    assert [one["what"].split()[1] for one in gone["missing"]] == ["data.bin"], "data is not kept"
    assert gone["missing"][0]["remedy"].endswith("or name a folder that has it: --from DIR")
    stick = folder.root.parent / "stick"
    (stick / "below").mkdir(parents=True)
    (stick / "data.bin").write_bytes(b"other")
    (stick / "below" / "data.bin").write_bytes(b"\0\1")
    found = repeat(folder, first["id"], "--from", str(stick), code=0)
    assert verdicts(found)["out"] == "identical"
    assert {"path": "data.bin", "source": str(stick)} in found["inputs"]


def test_what_a_repeat_must_not_touch(folder: Folder, tmp_path: Path) -> None:
    """Results outside of the project stand in the way; a folder that is used is not taken."""
    (folder.root / "there").mkdir()
    folders = "mkdir fresh && echo 3 > fresh/out; echo 4 > there/out"
    said = f"echo 1 > {tmp_path}/outside; echo 2 > {folder.root}/inside; {folders}"
    folder.run("sh", "-c", said)
    assert folder.last()["trace"]["folders"] == ["fresh"]
    first = folder.last()["id"]
    found = repeat(folder, first, code=3)
    assert [one["what"] for one in found["missing"]] == [
        f"a place for the result {tmp_path}/outside"
    ]
    (tmp_path / "outside").unlink()
    (folder.root / "inside").write_text("mine")
    found = repeat(folder, first, "--into", str(tmp_path / "new"), code=0)
    assert set(verdicts(found).values()) == {"identical"}, "the argument's folder was replaced"
    assert (folder.root / "inside").read_text() == "mine"
    assert (tmp_path / "new" / "work" / "inside").read_text() == "2\n"
    assert folder.envlock("runs", "repeat", first, "--into", str(tmp_path / "new")).returncode == 2
    folder.run("no-such-program")
    refused = folder.envlock("runs", "repeat", "last")
    assert (refused.returncode, b"has no end" in refused.stderr) == (2, True)


def test_a_repeat_that_is_interrupted_leaves_nothing(folder: Folder, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    folder.run("sh", "-c", 'test -n "$SLOW" && echo ready && exec sleep 30; true')
    started = subprocess.Popen(
        [*ENVLOCK, "runs", "repeat", "last"],
        cwd=folder.root,
        env={**os.environ, "TMPDIR": str(scratch), "SLOW": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert started.stderr is not None
    while started.stderr.readline() != b"ready\n":
        assert started.poll() is None
    started.send_signal(signal.SIGTERM)
    said = started.stderr.read()
    assert started.wait(30) == 128 + signal.SIGTERM
    started.stderr.close()
    # No verdict: it was not the program that made it different.
    assert b"interrupted" in said
    assert started.stdout is not None
    assert started.stdout.read() == b""
    started.stdout.close()
    assert list(scratch.iterdir()) == []
    assert folder.last()["exit"]["name"] == "SIGTERM"


def test_a_run_that_was_recorded_from_python(folder: Folder) -> None:
    program = """
import envlock
with envlock.run(params={"lr": 0.1}) as run:
    open("out", "w").write("1")
    run.metric(loss=0.25)
"""
    (folder.root / "job.py").write_text(program)
    (folder.root / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '1'\n")
    run([sys.executable, "job.py"], cwd=folder.root)
    [first] = folder.records()
    assert first["metrics"] == {"loss": 0.25}
    found = repeat(folder, first["id"], code=0)
    assert verdicts(found) == {"exit code 0": "identical", "out": "identical", "loss": "identical"}
    first["command"]["argv"] = ["python", "-m", "ipykernel_launcher", "-f", "/run/kernel.json"]
    [path] = [path for path in folder.files() if path.stem == first["id"]]
    path.write_text(json.dumps(first))
    refused = folder.envlock("runs", "repeat", first["id"])
    assert (refused.returncode, b"papermill" in refused.stderr) == (2, True)


def test_runs_that_wrote_the_same_file_at_once_are_told(folder: Folder) -> None:
    """The first one's record has what the second one wrote: that is no chance of the program."""
    waits = 'echo a > out; [ -z "$WAIT" ] || until [ -e done ]; do sleep 0.02; done'
    first = Folder(folder.root, {"WAIT": "1"}).start("sh", "-c", waits)
    deadline = time.monotonic() + 30
    while not (folder.root / "out").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    second = folder.run("sh", "-c", "echo b > out")
    assert second.returncode == 0
    (folder.root / "done").touch()
    assert first.wait(30) == 0
    one, other = (record["id"] for record in folder.records())
    shown = folder.envlock("runs", "show", one).stdout.decode()
    told = f"written by {other.rpartition('-')[2]}, too, at the same time"
    assert [line for line in shown.splitlines() if told in line]
    found = repeat(folder, one, code=1)
    assert found["shared"] == {"out": [other]}
    third = folder.run("sh", "-c", "echo c > out")
    assert third.returncode == 0
    assert "at the same time" not in folder.envlock("runs", "show", "last").stdout.decode()
