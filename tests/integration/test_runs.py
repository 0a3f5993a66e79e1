"""``envlock runs``: many records, found again, whatever happens to the index."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.runs import Folder
from support.tools import run, script

from envlock.runs.folder import FolderStore
from envlock.runs.ids import new_id


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    root = tmp_path / "work"
    (root / ".envlock").mkdir(parents=True)
    return Folder(root)


def record(folder: Folder, second: int, **more: object) -> str:
    """A record as ``envlock run`` writes them, with little in it."""
    name = new_id(1_700_000_000 + second)
    table = {
        "command": {"argv": ["job", str(second)], "directory": "."},
        "duration": 1.0,
        "exit": {"code": 0},
        "format": 1,
        "id": name,
        "lock": {"path": "pylock.toml"},
        "started": f"2023-11-14T22:{second // 60:02}:{second % 60:02}.000000Z",
        "state": "finished",
        "tags": [],
        **more,
    }
    FolderStore(str(folder.root / ".envlock")).finish(name, json.dumps(table).encode())
    return name


def listed(folder: Folder, *arguments: str) -> list[str]:
    return [one["id"] for one in folder.json("runs", "list", *arguments)["runs"]]


def caches() -> Path:
    return Path(os.environ["XDG_CACHE_HOME"]) / "envlock" / "runs"


def test_conditions(folder: Folder) -> None:
    a = record(folder, 1, tags=["x", "y"], parameters={"lr": {"value": 0.1, "from": "argv"}})
    b = record(folder, 2, tags=["x"], group="g", exit={"code": 1}, code={"commit": "c" * 40})
    c = record(folder, 61, exit={"signal": 9, "name": "SIGKILL", "core": False})
    environment = {"environment-hash": "env1-" + "0" * 64}
    d = record(folder, 62, parameters={"lr": {"value": "0.10", "from": "given"}}, **environment)
    assert listed(folder) == [d, c, b, a]
    assert listed(folder, "-n", "2") == [d, c]
    for arguments, expected in [
        (("--tag", "x"), [b, a]),
        (("--tag", "x", "--tag", "y"), [a]),
        (("--tag", "x", "--group", "g"), [b]),
        (("--tag", "none"), []),
        (("--param", "lr=0.1"), [a]),
        (("--param", "lr=1e-1"), [a]),
        (("--failed",), [c, b]),
        (("--commit", "c" * 40), [b]),
        (("--env", "env1-" + "0" * 64), [d]),
        (("--since", "2023-11-14T22:01"), [d, c]),
        (("--until", "2023-11-14T23:01+01:00"), [b, a]),
        (("--failed", "--since", "2023-11-14T22:01"), [c]),
    ]:
        assert listed(folder, *arguments) == expected, arguments
    for wrong in (["--since", "soon"], ["--param", "lr"], ["-n", "0"]):
        assert folder.envlock("runs", "list", *wrong).returncode == 2


def test_what_is_said_later(folder: Folder) -> None:
    a, b = record(folder, 1, tags=["old"]), record(folder, 2)
    assert folder.json("runs", "tag", a[-12:-6], "new", "newer")["add"] == ["new", "newer"]
    folder.json("runs", "tag", a, "old", "--remove")
    folder.json("runs", "outcome", a, "bad")
    folder.json("runs", "outcome", a, "good")
    said = folder.json("runs", "comment", "last", "50% of _it_ was \\ wrong")
    assert (said["run"], said["kind"]) == (b, "comment")
    assert listed(folder, "--tag", "new") == [a]
    assert listed(folder, "--tag", "old") == []
    assert listed(folder, "--outcome", "good") == [a]
    assert listed(folder, "--outcome", "bad") == []
    for text, expected in [("50% of _it_", [b]), ("50x", []), ("newer", [a]), ("JOB", [b, a])]:
        found = folder.json("runs", "search", text)["runs"]
        assert [one["id"] for one in found] == expected, text
    shutil.rmtree(caches())
    [first, second] = folder.json("runs", "list")["runs"]
    assert (second["tags"], second["outcome"]) == (["new", "newer"], "good")
    shown = folder.json("runs", "show", "last")
    assert [event["text"] for event in shown["events"]] == ["50% of _it_ was \\ wrong"]
    assert "events" not in json.loads(folder.files()[1].read_text()), "a record is never changed"
    assert first["id"] == b


def test_names_of_runs(folder: Folder) -> None:
    a, b = record(folder, 1), record(folder, 2)
    for text, expected in [(a, a), (a[:20], a), (b[-12:], b), ("last", b), ("last~1", a)]:
        assert folder.json("runs", "show", text)["id"] == expected
    for text, said in [("2023", "several runs"), ("nothing", "no such run"), ("last~9", "no such")]:
        done = folder.envlock("runs", "show", text)
        assert done.returncode == 2
        assert said in done.stderr.decode()


def test_why_two_runs_differ(folder: Folder) -> None:
    (folder.root / "in").write_text("1")
    job = ("sh", "-c", "cat in", "sh")
    folder.run(*job, "--lr", "0.1", options=["--input", "in"], variables={"OMP_NUM_THREADS": "1"})
    (folder.root / "in").write_text("2")
    folder.run(*job, "--lr", "0.2", options=["--input", "in"], variables={"OMP_NUM_THREADS": "2"})
    found = folder.json("runs", "diff", "last~1")
    assert (found["before"], found["after"]) == tuple(r["id"] for r in folder.records())
    told = {(d["layer"], d["subject"]): (d["before"], d["after"]) for d in found["differences"]}
    assert told.pop(("data", "in")) == tuple(r["inputs"][0]["sha256"] for r in folder.records())
    assert told.pop(("parameters", "lr")) == (0.1, 0.2)
    assert told.pop(("host", "variables.OMP_NUM_THREADS")) == ("1", "2")
    assert {key[1] for key in told} == {"argv", "stdout"}
    assert b"lr: 0.1 \xe2\x86\x92 0.2" in folder.envlock("runs", "diff", "last~1").stdout
    assert folder.json("runs", "diff", "last", "last")["differences"] == []


def test_a_secret_parameter_hides_no_run(folder: Folder) -> None:
    folder.run("true", options=["--param", "password=tr0ub4dor", "--param", "n=1"])
    made = folder.last()
    assert made["parameters"]["password"] == {"value": "<hidden>", "from": "given"}
    assert made["hidden"] == 1
    record(folder, 1, parameters={"password": "<hidden>"})
    assert len(listed(folder)) == 2
    for named in ("last", "last~1"):
        shown = folder.json("runs", "show", named)["parameters"]["password"]["value"]
        assert shown == "<hidden>"
    assert listed(folder, "--param", "n=1") == [made["id"]]


def test_an_index_that_is_damaged_or_lost_is_made_again(folder: Folder) -> None:
    names = [record(folder, n) for n in range(3)]
    expected = names[::-1]
    assert listed(folder) == expected
    [file] = caches().iterdir()
    for damage in (b"", b"no database", file.read_bytes()[:5000], b"\0" * 100_000):
        file.write_bytes(damage)
        assert listed(folder) == expected
    file.unlink()
    file.mkdir()
    assert listed(folder) == expected, "without a place on disk, in memory"


def test_what_comes_and_goes_in_the_folder_is_seen(folder: Folder) -> None:
    """As when git changes branches under it."""
    a, b = record(folder, 1), record(folder, 2, tags=["t"])
    assert listed(folder) == [b, a]
    [path] = [path for path in folder.files() if path.stem == b]
    text = path.read_bytes()
    path.unlink()
    assert listed(folder) == [a]
    assert listed(folder, "--tag", "t") == []
    path.write_bytes(text)
    assert listed(folder, "--tag", "t") == [b]


def test_a_damaged_record_is_named_and_hides_no_other(folder: Folder) -> None:
    a, b, c = (record(folder, n) for n in range(3))
    paths = {path.stem: path for path in folder.files()}
    paths[b].write_text('{"id": ')
    paths[c].write_text(json.dumps({"id": c, "format": 99}))
    d = record(folder, 3, parameters=["no", "table"])
    done = folder.envlock("runs", "list", "--json")
    assert [one["id"] for one in json.loads(done.stdout)["runs"]] == [a]
    assert f"{b} cannot be read".encode() in done.stderr
    assert b"format 99 is not known" in done.stderr
    assert f"{d} cannot be read: no record".encode() in done.stderr


def test_branches_merge(folder: Folder) -> None:
    """Two people record and annotate apart; git lays both over one another without a conflict."""
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]

    def git(*arguments: str) -> None:
        run(["git", *names, *arguments], cwd=folder.root)

    git("init", "--quiet", "-b", "main")
    base = record(folder, 0)
    git("add", ".")
    git("commit", "--quiet", "-m", "base")
    for branch in ("mine", "yours"):
        git("checkout", "--quiet", "-b", branch, "main")
        folder.run("echo", branch, options=["--tag", branch])
        folder.json("runs", "tag", base, f"by-{branch}")
        git("add", ".")
        git("commit", "--quiet", "-m", branch)
    git("merge", "--quiet", "--no-edit", "mine")
    assert {one["tags"][0] for one in folder.json("runs", "list", "-n", "2")["runs"]} == {
        "mine",
        "yours",
    }
    assert folder.json("runs", "list")["runs"][2]["tags"] == ["by-mine", "by-yours"]


def test_questions_at_once(folder: Folder) -> None:
    for n in range(200):
        record(folder, n)
    started = [
        subprocess.Popen(
            [script("envlock"), "runs", "list", "--all", "--json"],
            cwd=folder.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(6)
    ]
    for process in started:
        out, error = process.communicate(timeout=60)
        assert (process.returncode, error) == (0, b"")
        assert len(json.loads(out)["runs"]) == 200
