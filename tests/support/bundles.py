"""Bundles, judged by sha256sum; their ``rebuild.sh`` with few programs."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.project import Project
from support.tools import run

PROGRAMS = ("sha256sum", "tar", "uname", "mkdir", "rmdir", "rm", "mv", "ln", "chmod")
"""All that docs/bundle.md says a machine must have beside a shell."""


def judge(place: Path) -> None:
    """Every file is listed and as listed, and nothing else is there."""
    run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=place)
    listed = [line[66:] for line in (place / "SHA256SUMS").read_text().splitlines()]
    assert listed == sorted(listed)
    assert {*listed, "SHA256SUMS"} == set(files(place))
    for path in listed:
        if path.startswith("files/"):
            assert hashlib.sha256((place / path).read_bytes()).hexdigest() == path.split("/")[1]


def files(place: Path) -> list[str]:
    """The paths of all files in a folder."""
    return [str(p.relative_to(place)) for p in place.rglob("*") if not p.is_dir()]


def few_programs(folder: Path, *more: str) -> dict[str, str]:
    """An environment whose PATH has nothing but ``PROGRAMS`` and these."""
    folder.mkdir()
    for name in (*PROGRAMS, *more):
        found = shutil.which(name)
        assert found, f"{name} is missing"
        (folder / name).symlink_to(found)
    return {"PATH": str(folder), "HOME": "/nonexistent"}


def rebuild(
    place: Path,
    env: dict[str, str],
    *arguments: str | Path,
    code: int = 0,
    through: Sequence[str] = (),
    shell: str = "dash",
) -> subprocess.CompletedProcess[str]:
    """Run a bundle's ``rebuild.sh``."""
    found = shutil.which(shell)
    assert found, f"{shell} is missing"
    argv = [*through, found, str(place / "rebuild.sh"), *map(str, arguments)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, cwd=place)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@contextmanager
def serving(project: Project, bundle: Path, **variables: str) -> Iterator[dict[str, Any]]:
    """``envlock mirror serve --json``; what it said. It is interrupted at the end."""
    running = project.start("mirror", "serve", str(bundle), "--json", **variables)
    assert running.stdout
    said = ""
    while not said.endswith("}\n") and (line := running.stdout.readline()):
        said += line
    try:
        yield json.loads(said)
    finally:
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=20)
    assert (running.returncode, error) == (0, "stopped\n")
