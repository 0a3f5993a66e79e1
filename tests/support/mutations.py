"""A small real environment that can be put back in milliseconds, and ways to change it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from envlock.cli.app import run
from support.index import LoopbackIndex
from support.install import locked, write_lock
from support.project import PYTHON, Project

OLDER = "2024-01-01"
ALPHA_FILES = {
    "alpha/sub/__init__.py": "",
    "alpha/sub/mod.py": "ANSWER = 42\n",
    "alpha/data.txt": "some data\n",
    "single.py": "ONE = 1\n",
    "alpha-1.2.dist-info/entry_points.txt": "[console_scripts]\nalpha-run = alpha.sub.mod:main\n",
    "alpha-1.2.data/scripts/alpha-tool": "#!python\nprint('tool')\n",
    "alpha-1.2.data/data/share/alpha/notes.txt": "notes\n",
}


@dataclass(slots=True)
class World:
    """A synced project; ``restore`` puts environment and files back as they were."""

    project: Project
    kept: Path

    @property
    def root(self) -> Path:
        return self.project.root

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def bin(self) -> Path:
        return self.venv / "bin"

    @property
    def site(self) -> Path:
        return self.venv / "lib" / f"python{PYTHON}" / "site-packages"

    @property
    def alpha(self) -> Path:
        """alpha's ``dist-info``."""
        return self.site / "alpha-1.2.dist-info"

    def restore(self) -> None:
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(self.kept, self.root, symlinks=True, dirs_exist_ok=True)
        time.sleep(0.03)  # until the index believes the files' times

    def python(self, code: str, *options: str) -> None:
        """Run the environment's Python."""
        import subprocess

        argv = [self.bin / "python", "-I", *options, "-c", code]
        subprocess.run(argv, check=True, cwd=self.root)

    def rows(self) -> list[list[str]]:
        """alpha's RECORD."""
        return list(csv.reader(io.StringIO((self.alpha / "RECORD").read_text())))

    def write_rows(self, rows: list[list[str]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        (self.alpha / "RECORD").write_text(text.getvalue())


def make_world(project: Project, index: LoopbackIndex, kept: Path) -> World:
    """A lock of three packages on ``index``, and an environment that ``envlock sync`` made."""
    project.write("alpha", "beta")
    alpha = index.add("alpha", "1.2", OLDER, files=ALPHA_FILES)
    beta = index.add("beta", "2.0", OLDER, requires=["gamma-lib"])
    gamma = index.add("gamma-lib", "0.1", OLDER, files={"gamma_lib/space/part.py": "PART = 1\n"})
    packages = (locked(index, alpha), locked(index, beta), locked(index, gamma))
    write_lock(project.root, *packages, wishes=("alpha", "beta"))
    done = project.run("sync")
    assert done.returncode == 0, done.stderr
    shutil.copytree(project.root, kept, symlinks=True)
    return World(project=project, kept=kept)


def checked(
    world: World, capfd: pytest.CaptureFixture[str], *arguments: str
) -> list[tuple[str, str]]:
    """What is told of the world."""
    return told(world.root, capfd, *arguments)


def digest_of(path: Path) -> str:
    """A file's digest as RECORD writes it, by this module's own hand."""
    raw = hashlib.sha256(path.read_bytes()).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change, and what must be said of it: (code, subject), nothing more."""

    name: str
    change: Callable[[Any], None]
    expected: tuple[tuple[str, str], ...]


def registry() -> tuple[list[Mutation], Callable[..., Any]]:
    """A list, and the decorator that puts changes into it."""
    found: list[Mutation] = []

    def mutation(*expected: tuple[str, str]) -> Callable[[Callable[[Any], None]], Any]:
        def add(change: Callable[[Any], None]) -> Callable[[Any], None]:
            found.append(Mutation(change.__name__, change, tuple(sorted(expected))))
            return change

        return add

    return found, mutation


def missed(world: World, capfd: pytest.CaptureFixture[str], mutations: list[Mutation]) -> list[str]:
    """Which changes are not told as they should be, each with what was told.

    Each is judged twice: by what the last check remembered, and by reading everything again.
    """
    wrong = []
    for one in mutations:
        world.restore()
        before = checked(world, capfd)
        one.change(world)
        told = [sorted(checked(world, capfd)), sorted(checked(world, capfd, "--paranoid"))]
        if before or any(tuple(found) != one.expected for found in told):
            wrong.append(f"{one.name}: before {before}, then {told}, not {list(one.expected)}")
    return wrong


class Restored(Protocol):
    """What can be put back as it was."""

    def restore(self) -> None: ...


def told(root: Path, capfd: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, str]]:
    """``envlock check --json`` in this process: code and subject of every difference."""
    capfd.readouterr()
    code = run(["-C", str(root), "check", "--json", *arguments])
    out, err = capfd.readouterr()
    if code not in (0, 1):
        return [(f"exit code {code}", err)]
    table: Any = json.loads(out)
    assert table["ok"] is (code == 0)
    return [(d["code"], d["subject"]) for d in table["drift"]]


def judged(
    mutations: list[Mutation], world: Restored, check: Callable[[], list[tuple[str, str]]]
) -> list[str]:
    """Which changes are not told as they should be, each with what was told."""
    world.restore()
    assert check() == []
    wrong = []
    for one in mutations:
        world.restore()
        one.change(world)
        found = sorted(check())
        if tuple(found) != one.expected:
            wrong.append(f"{one.name}: {found}, not {list(one.expected)}")
    return wrong
