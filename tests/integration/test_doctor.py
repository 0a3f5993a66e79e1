"""`envlock doctor`: held against the tools themselves, with and without them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.index import LoopbackIndex
from support.project import Project


def said(project: Project, code: int = 0, **variables: str) -> dict[str, Any]:
    done = project.run("doctor", "--json", **variables)
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout)
    table = {one["name"]: one for one in found["abilities"]}
    table["missing"] = found["missing"]
    return table


def test_what_is_here(project: Project, index: LoopbackIndex) -> None:
    index.add("alpha", "1.0", "2024-01-01")
    project.write("alpha")
    project.lock()
    found = said(project)
    assert found["missing"] == []
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout
    assert git.split()[2] == found["git"]["found"]
    assert ".".join(map(str, sys.version_info[:3])) in found["Python"]["found"]
    assert found["pylock.toml"]["found"].startswith("1 package for ")
    assert found["tracing"]["state"] == "ok"  # as in the tests of `envlock run`
    assert found["build roots"]["state"] == "ok"
    done = project.run("doctor")
    assert done.returncode == 0
    assert "ok  uv " in done.stdout


def test_what_is_missing(project: Project, tmp_path: Path) -> None:
    project.write("alpha")
    empty = tmp_path / "empty"
    empty.mkdir()
    found = said(project, PATH=str(empty), HOME=str(tmp_path), PYENV_ROOT=str(empty))
    for name in ("git", "cc"):
        assert found[name]["state"] == "missing"
        assert "apt-get install" in found[name]["remedy"]
    # Each of these has another way.
    for name in ("diffoscope", "guix", "mmdebstrap", "containers"):
        assert found[name]["state"] == "limited", name
    blocked = tmp_path / "file"
    blocked.write_text("")
    found = said(project, 3, ENVLOCK_CACHE_DIR=str(blocked / "cache"))
    assert found["missing"] == ["cache"]
    assert "ENVLOCK_CACHE_DIR" in found["cache"]["remedy"]


def test_a_lock_that_does_not_fit(project: Project, index: LoopbackIndex, tmp_path: Path) -> None:
    index.add("alpha", "1.0", "2020-01-01")
    project.write("alpha", settings={"python": "3.5"}).lock()
    other = tmp_path / "nothing"
    variables = {"PYENV_ROOT": str(other), "UV_PYTHON_INSTALL_DIR": str(other)}
    found = said(project, 3, **variables)
    assert found["missing"] == ["Python"]
    assert "the lock is for 3.5" in found["Python"]["found"]
    lock = project.root / "pylock.toml"
    lock.write_text(
        lock.read_text().replace(
            'name = "alpha"\nversion = "1.0"', 'name = "alpha"\nversion = "1.1"'
        )
    )
    found = said(project, 3, **variables)
    assert found["missing"] == ["pylock.toml"]
