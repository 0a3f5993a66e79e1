"""A colleague, years later: the example's repository, a bundle, and nothing else.

The oracles are the first run's files and `sha256sum`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support import real_index
from support.runs import Folder
from support.tools import run

EXAMPLE = Path(__file__).parents[2] / "examples" / "data-science"
GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
DATE = "2026-03-01"


def commit(root: Path, message: str) -> None:
    run([*GIT, "add", "--all"], cwd=root)
    run([*GIT, "commit", "--quiet", "--message", message], cwd=root)


def sha256sum(path: Path) -> str:
    return run(["sha256sum", path]).stdout.split()[0]


@pytest.mark.network
def test_the_examples_model_comes_back_in_a_fresh_place(tmp_path: Path) -> None:
    first = Folder(tmp_path / "here", {"UV_DEFAULT_INDEX": real_index.default_index()})
    first.root.mkdir()
    shutil.copy(EXAMPLE / "train.py", first.root)
    # Without the notebooks, which the program does not use: less to fetch.
    text = (EXAMPLE / "pyproject.toml").read_text()
    (first.root / "pyproject.toml").write_text(text.replace('groups = ["notebook"]\n', ""))
    (first.root / ".gitignore").write_text("/.venv\n/*.png\n/*.joblib\n")
    run([*GIT, "init", "--quiet", "--initial-branch=main"], cwd=first.root)
    commit(first.root, "the program")
    bundle = tmp_path / "bundle"

    def done(folder: Folder, *arguments: str) -> bytes:
        ended = folder.envlock(*arguments)
        assert ended.returncode == 0, ended.stderr.decode()
        return bytes(ended.stdout)

    done(first, "lock", "--as-of", DATE)
    done(first, "rebuild", "--into", ".venv")
    done(first, "run", "--", ".venv/bin/python", "train.py")
    done(first, "bundle", "--output", str(bundle))
    commit(first.root, "what was run")
    record = first.last()
    model = sha256sum(first.root / "model.joblib")
    made = {fact["path"]: fact["sha256"] for fact in record["outputs"]}
    assert made == {
        "confusion.png": sha256sum(first.root / "confusion.png"),
        "model.joblib": model,
    }

    # Another folder, another home, empty caches; the first place is gone.
    store = tmp_path / "server.git"
    run(["git", "clone", "--quiet", "--bare", first.root, store])
    shutil.rmtree(first.root)
    run(["git", "clone", "--quiet", store, tmp_path / "there"])
    home = tmp_path / "home"
    caches = {"XDG_CACHE_HOME": str(home / "caches"), "UV_CACHE_DIR": str(home / "uv")}
    second = Folder(tmp_path / "there", {"HOME": str(home), **caches})
    ways = ("--from", str(bundle), "--offline")
    into = tmp_path / "again"
    told = json.loads(
        done(second, "runs", "repeat", record["id"], *ways, "--into", str(into), "--json")
    )
    assert told["verdict"] == "identical"
    assert told["missing"] == []
    assert "from a bundle" in told["environment"]
    assert sha256sum(into / "work" / "model.joblib") == model
    changed = run(["git", "status", "--porcelain"], cwd=second.root).stdout.splitlines()
    assert all(line.startswith("?? .envlock/") for line in changed), "the clone is only read"

    # The environment alone: file for file the one that the record tells of.
    told = json.loads(done(second, "rebuild", "last~1", *ways, "--json"))
    assert told["same"] is True
    assert told["environment-hash"] == record["environment-hash"]
    assert {one["from"] for one in told["artifacts"]} == {"cache"}
    assert {one["state"] for one in told["realised"]} <= {"identical", "content-equal"}
    assert len(told["realised"]) == len(told["artifacts"])
