"""The jobs of examples/ci, run as they stand: what passes, what a change makes of them, and what
the people who read the log see first."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.index import LoopbackIndex
from support.install import HERE, locked
from support.project import PYTHON
from support.samples import IMAGE, os_package, small_lock
from support.tools import run

from envlock.check.os.observe import distribution
from envlock.lock import codec
from envlock.lock.image import PlatformImage
from envlock.lock.model import Lock
from envlock.lock.os import OsArchive, OsLayer
from envlock.project.load import load_request
from envlock.project.locate import locate

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("e2e")]

CI = Path(__file__).parents[2] / "examples" / "ci"
PYPROJECT = f"""\
[project]
name = "sample"
version = "1"
dependencies = ["alpha"]

[tool.envlock]
python = "{PYTHON}"
targets = ["{HERE.platform}"]
"""
DOCKER = '\n[tool.envlock.image]\nbase = "debian:bookworm-slim"\n'


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a job that ran: exit code, stdout and stderr."""

    command: str
    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Job:
    """The commands of a job; ``always`` says of each whether it runs after a failure, too."""

    commands: tuple[tuple[str, bool], ...]

    def run(self, folder: Path) -> tuple[int, list[Step]]:
        """As a runner does: one after the other in bash, until one fails."""
        steps: list[Step] = []
        for command, always in self.commands:
            if always or all(step.code == 0 for step in steps):
                shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
                summary = {"GITHUB_STEP_SUMMARY": str(folder.parent / "summary.md")}
                done = run(shell, cwd=folder, env=summary, check=False)
                steps.append(Step(command, done.returncode, done.stdout, done.stderr))
                assert "Traceback" not in done.stderr
        return max(step.code for step in steps), steps


def github() -> Job:
    steps = _yaml("github.yml")["jobs"]["check"]["steps"]
    return Job(tuple((s["run"], s.get("if") == "always()") for s in steps if "run" in s))


def gitlab() -> Job:
    return Job(
        tuple((command, False) for command in _yaml("gitlab-ci.yml")["environment"]["script"])
    )


def _yaml(name: str) -> Any:
    return YAML(typ="safe").load((CI / name).read_text())


@pytest.fixture
def project(
    envlock: str,
    index: LoopbackIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Path]]:
    """Makes a project with a lock, as it was committed; ``envlock`` is installed already."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "pip").write_text('#!/bin/sh\n[ "$*" = "install envlock" ]\n')
    (programs / "pip").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
    stored = index.add("alpha", "1.0", "2024-01-01")

    def make(settings: str, change: Callable[[Lock], Lock]) -> Path:
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "pyproject.toml").write_text(PYPROJECT + settings)
        request = load_request(
            locate(folder),
            platform=HERE.platform,
            default_python=lambda _, __: PYTHON,
            now=datetime.now(UTC),
        )
        lock = replace(small_lock(locked(index, stored)), request=request, targets=request.targets)
        (folder / "pylock.toml").write_text(codec.dump(change(lock)))
        return folder

    yield make
    shutil.rmtree(tmp_path / "project", ignore_errors=True)


def _with_image(lock: Lock) -> Lock:
    platforms = (PlatformImage(platform=HERE.platform, digest="sha256:" + "3" * 64),)
    return replace(lock, image=replace(IMAGE, platforms=platforms))


def test_pull_requests(project: Callable[..., Path], envlock: str, tmp_path: Path) -> None:
    folder = project(DOCKER, _with_image)
    run([envlock, "export", "docker"], cwd=folder)
    run([envlock, "export", "requirements", "-o", "requirements.txt"], cwd=folder)
    shutil.copytree(folder, tmp_path / "kept")

    # As it was committed.
    for job in (github(), gitlab()):
        code, steps = job.run(folder)
        assert (code, len(steps)) == (0, len(job.commands)), steps
    assert "no drift from env1-" in steps[-1].err
    assert "exported files" in steps[-1].err
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("## The environment is as in pylock.toml")

    # One edits the Dockerfile.
    path = folder / "Dockerfile"
    text = path.read_text()
    base = f"FROM docker.io/library/debian@{IMAGE.digest}"
    path.write_text(text.replace(base, "FROM debian:latest"))
    line = text[: text.index(base)].count("\n") + 1
    code, steps = github().run(folder)
    failed = next(step for step in steps if step.code)
    assert (code, failed.code, failed.command) == (1, 1, "envlock check --format github")
    assert failed.out.startswith(
        f"::error file=Dockerfile,line={line},title=EX101 export-edited::Dockerfile:"
    )
    assert len(failed.out.splitlines()) == 1
    assert failed.err.splitlines()[-1] == "to repair it: envlock export docker"
    assert "```diff" in (tmp_path / "summary.md").read_text()

    # One bumps a pin by hand: in the lock, and in what was exported.
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "kept", folder)
    lock = folder / "pylock.toml"
    text = lock.read_text().replace(
        'name = "alpha"\nversion = "1.0"', 'name = "alpha"\nversion = "1.1"'
    )
    lock.write_text(text)
    line = text[: text.index('name = "alpha"')].count("\n") + 1
    for job, command in (
        (github(), "envlock check --request-only --format github"),
        (gitlab(), "envlock check --request-only"),
    ):
        code, steps = job.run(folder)
        failed = next(step for step in steps if step.code)
        assert (code, failed.code, failed.command) == (1, 1, command)
        assert not (folder / ".venv").exists()
        if "github" in command:
            assert failed.out == (
                f"::error file=pylock.toml,line={line},title=RQ002 lock-edited::alpha: its version"
                " is 1.1, its files are of 1.0 (to repair it: restore it from git, or ask for the"
                " change in the project and run envlock lock)\n"
            )
        else:
            assert failed.out.splitlines() == [
                "the lock was edited, so nothing was compared with it",
                "  RQ002  lock-edited  alpha  its version is 1.1, its files are of 1.0",
            ]


def test_a_runner_whose_image_moved(project: Callable[..., Path], tmp_path: Path) -> None:
    """Its package ``hostname`` is another version than the locked one."""
    base = distribution(Path("/"))
    assert base is not None, "the tests run on Debian or Ubuntu"
    there = run(["dpkg-query", "-W", "-f", "${Version}", "hostname"]).stdout
    settings = f'\n[tool.envlock.os]\nbase = "{base}"\npackages = ["hostname"]\n'

    def with_os(lock: Lock) -> Lock:
        suite = base.partition(":")[2]
        archive = OsArchive(
            archive=base.partition(":")[0],
            suite=suite,
            components=("main",),
            snapshot="20240601T000000Z",
            release_sha256="4" * 64,
            release_date=datetime(2024, 6, 1, tzinfo=UTC),
            key="ABCD",
        )
        architecture = HERE.platform.partition("/")[2]
        package = os_package(
            "hostname", version="3.0~old", suite=suite, architecture=architecture, requested=True
        )
        return replace(lock, os=OsLayer(base=base, archives=(archive,), packages=(package,)))

    folder = project(settings, with_os)
    code, steps = gitlab().run(folder)
    failed = steps[-1]
    assert (code, failed.command) == (1, "envlock check --format junit --output envlock.xml")
    assert 'failures="1"' in (folder / "envlock.xml").read_text()
    assert "1 os-other-version" in failed.err
    code, steps = github().run(folder)
    failed = next(step for step in steps if step.code)
    assert (code, failed.command) == (1, "envlock check --format github")
    [error] = [text for text in failed.out.splitlines() if text.startswith("::error")]
    assert error.startswith(
        "::error file=pylock.toml,line=1,title=OS002 os-other-version::hostname:"
    )
    assert f"expected 3.0~old, found {there}" in error
