"""``envlock rebuild --backend image``: the same image, from whatever place has the files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from support.image_world import World
from support.tools import run

from envlock.lock import codec

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("image")]


def test_an_image_comes_back_from_a_folder_of_files(built_world: World, tmp_path: Path) -> None:
    project = built_world.project
    store = Path(project.variables["ENVLOCK_CACHE_DIR"], "sha256")
    again = str(tmp_path / "again")
    arguments = ["rebuild", "--backend", "image", "--into", again, "--offline"]
    empty = {"ENVLOCK_CACHE_DIR": str(tmp_path / "empty")}
    done = project.run(*arguments, **empty)
    assert done.returncode == 3
    assert "files are missing" in done.stderr
    assert not Path(again).exists()
    done = project.run(*arguments, "--json", "--from", str(store), **empty)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told["fetched"].values()) == {"bundle"}
    there = {path.name for path in (tmp_path / "empty" / "sha256").rglob("*")}
    assert set(told["fetched"]) <= there
    usual = built_world.build("--no-project", "--output", str(tmp_path / "usual"))
    assert told["digest"] == usual["digest"]
    # As one file; another tool says the same of it.
    done = project.run(*arguments[:-3], "--into", f"{again}.tar", "--offline", **empty)
    assert done.stdout.strip() == told["digest"], done.stderr
    argv = ["skopeo", "inspect", "--format", "{{.Digest}}", f"oci-archive:{again}.tar"]
    assert run(argv).stdout.strip() == told["digest"]


def test_a_machine_without_that_python_gets_the_distributions(
    built_world: World, tmp_path: Path
) -> None:
    """The locked .debs are unpacked under a prefix; nothing on PATH is a Python."""
    project = built_world.project
    lock = project.read()
    packages = tuple(p for p in lock.packages if p.name not in ("near", "gamma"))
    path = tmp_path / "pylock.toml"
    lock = dataclasses.replace(lock, packages=packages, builds=(), build_packages=(), bootstrap=())
    path.write_text(codec.dump(lock))
    (tmp_path / "bin").mkdir()
    none = {"PATH": str(tmp_path / "bin"), "PYENV_ROOT": str(tmp_path / "bin")}
    done = project.run("rebuild", str(path), "--json", "--offline", **none)
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    [locked] = [one["version"] for one in told["artifacts"] if one["name"] == "python3.11"]
    assert locked.partition("-")[0] == told["python"]
    environment = tmp_path / ".venv-rebuilt"
    program = environment / "bin" / "python"
    code = "import platform, ssl, sqlite3, lzma, native, sys; print(sys.prefix)"
    assert run([program, "-c", code]).stdout.strip() == str(environment)
    # It is run by the distribution's own C library, and so is what it starts.
    ask = "import os; print(os.confstr('CS_GNU_LIBC_VERSION'))"
    start = f"import subprocess, sys; subprocess.check_call([sys.executable, '-c', {ask!r}])"
    assert lock.os is not None
    [libc] = [package.version for package in lock.os.packages if package.name == "libc6"]
    for code in (ask, start):
        assert run([program, "-c", code]).stdout.split()[1] == libc.partition("-")[0]
    assert "hello from" in run([environment / "bin" / "hello"]).stdout
