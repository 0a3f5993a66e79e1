"""``envlock rebuild`` when the disk fills, and when it is killed at any moment.

Real means: a small file system of its own, SIGKILL, and uv killed by strace before one of its
steps.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.install import contents, works
from support.project import Project, errors_in
from support.tools import UV, run

OLDER = "2024-01-01"
IN_FOLDER = ("sh", "-c", 'cd "$0" && exec "$@"')


@dataclass(frozen=True, slots=True)
class Disks:
    """Mounts that only those see who are started through ``prefix``."""

    pid: int

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("nsenter", "--target", str(self.pid), "--mount", "--")

    def mount(self, folder: Path, size: str, *options: str) -> None:
        """A file system of that size at a folder; ``remount`` among the options changes it."""
        folder.mkdir(parents=True, exist_ok=True)
        told = ",".join((*options, f"size={size}"))
        run([*self.prefix, "mount", "-t", "tmpfs", "-o", told, "tmpfs", folder])

    def files(self, folder: Path) -> list[str]:
        return run([*self.prefix, "find", folder, "-type", "f"]).stdout.splitlines()


@pytest.fixture
def disks() -> Iterator[Disks]:
    held = subprocess.Popen(
        ["unshare", "--mount", "--", "sh", "-c", "echo ready; exec sleep 600"],
        stdout=subprocess.PIPE,
    )
    assert held.stdout is not None
    assert held.stdout.readline() == b"ready\n", "a mount of one's own needs root"
    yield Disks(held.pid)
    held.kill()
    held.communicate()


def big(project: Project, index: LoopbackIndex, count: int) -> list[str]:
    """Packages of a megabyte that does not get smaller, locked."""
    source = random.Random(1)
    names = [f"big{number}" for number in range(count)]
    for name in names:
        index.add(name, "1.0", OLDER, files={f"{name}/data.bin": source.randbytes(1_000_000)})
    project.write(*names)
    project.lock()
    return names


@pytest.mark.parametrize("place", ["store", "environment"])
def test_a_disk_that_fills_is_said_and_the_same_command_goes_on(
    project: Project, index: LoopbackIndex, tmp_path: Path, disks: Disks, place: str
) -> None:
    names = big(project, index, 3)
    store, environment = tmp_path / "store", project.root / "made" / "environment"
    folder = store if place == "store" else environment.parent
    disks.mount(folder, "2500k")
    through = (*disks.prefix, *IN_FOLDER, str(project.root))
    command = ("rebuild", "--into", str(environment), "--json")
    variables = {"ENVLOCK_CACHE_DIR": str(store)}
    done = project.run(*command, through=through, **variables)
    assert done.returncode == 3
    assert errors_in(done.stderr) == 1
    assert "No space left on device" in done.stderr
    assert "free some space" in done.stderr
    assert not [path for path in disks.files(folder) if "site-packages" in path]

    disks.mount(folder, "50m", "remount")
    done = project.run(*command, through=through, **variables)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["same"] is True
    origins = sorted(one["from"] for one in told["artifacts"])
    assert origins[0] == "cache", "what was there already is not fetched again"
    listed = [path for path in disks.files(folder) if path.endswith("data.bin")]
    assert place == "store" or len(listed) == len(names)


def test_killed_at_any_moment_the_same_command_finishes(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    names = big(project, index, 2)
    environment = project.root / ".venv-rebuilt"
    start = time.monotonic()
    assert project.run("rebuild").returncode == 0
    took = time.monotonic() - start
    whole = contents(environment)
    chance = random.Random(os.getpid())
    unfinished = environment / "envlock-unfinished.txt"
    for number in range(3):
        project.variables |= {
            "ENVLOCK_CACHE_DIR": str(tmp_path / f"store{number}"),
            "UV_CACHE_DIR": str(tmp_path / f"uv{number}"),
        }
        run(["rm", "-r", environment])
        at = chance.uniform(0.2, took)
        if number < 2:
            killed = project.start("rebuild")
            time.sleep(at)
            killed.kill()
        else:  # when all is there but for its own word that it is
            calls = "unlink,unlinkat"
            inject = ("-P", str(unfinished), "-e", f"inject={calls}:signal=KILL:when=1")
            through = ("strace", "-f", "-qq", "-e", f"trace={calls}", *inject)
            killed = project.start("rebuild", through=through)
        killed.communicate()
        if number == 2 or unfinished.exists():
            found = project.run("check", "--python-only", "--prefix", ".venv-rebuilt")
            assert found.returncode == 1
            assert "unfinished" in found.stdout
        done = project.run("rebuild", "--json")
        assert done.returncode == 0, (at, done.stderr)
        assert json.loads(done.stdout)["same"] is True
        assert contents(environment) == whole, at
        assert not unfinished.exists()
        check = project.run("check", "--python-only", "--prefix", ".venv-rebuilt")
        assert check.returncode == 0, check.stdout
    assert works(environment / "bin" / "python", names[0]) == "1.0"

    # Two at once, of two projects and with nothing in common, into one folder.
    other = tmp_path / "other"
    shutil.copytree(project.root, other, ignore=shutil.ignore_patterns(".venv*"))
    into = tmp_path / "both" / "environment"
    both = [
        Project(
            root, index, project.variables | {"ENVLOCK_CACHE_DIR": str(tmp_path / root.name)}
        ).start("rebuild", "--into", str(into))
        for root in (project.root, other)
    ]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert f"waiting for another envlock in {into}" in said[0][1] + said[1][1]
    assert contents(into) == whole
    assert [path.name for path in into.parent.iterdir()] == ["environment"]

    # uv itself, between its first files and the one that says that it is an environment.
    half = tmp_path / "half"
    inject = ("-P", str(half / "pyvenv.cfg"), "-e", "inject=openat:signal=KILL:when=1")
    argv = ["strace", "-f", "-qq", "-e", "trace=openat", *inject, UV, "venv", "--no-config", half]
    run([*argv, "--quiet"], check=False)
    assert (half / "bin").is_dir()
    assert not (half / "pyvenv.cfg").exists()
    (half / "notes.txt").write_text("mine")
    done = project.run("rebuild", "--into", str(half))
    assert (done.returncode, "no virtual environment" in done.stderr) == (2, True)
    (half / "notes.txt").unlink()
    assert project.run("rebuild", "--into", str(half)).returncode == 0
    assert contents(half) == whole
