"""``lock --check`` asked again: the remembered answer comes at once, and only while it is right."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.project import Project

_LOADED = """
import sys
sys.argv = ["envlock", *sys.argv[1:]]
from envlock.cli import main
try:
    main()
finally:
    print("quick" if "click" not in sys.modules else "whole")
"""


@pytest.fixture
def fresh(project: Project, index: LoopbackIndex) -> Project:
    """A fresh lock of a project whose wishes stand in an included file."""
    index.add("lib", "1.0", "2024-01-01")
    (project.root / "wishes").mkdir()
    (project.root / "wishes" / "more.in").write_text("lib\n")
    (project.root / "requirements.in").write_text("-r wishes/more.in\n")
    project.write(settings={"requirements": ["requirements.in"]}).lock()
    return project


def ask(project: Project, *arguments: str, folder: Path | None = None) -> tuple[int, str, str]:
    """Exit code, whether the answer was remembered, and what was said."""
    # What was written within the last clock tick is not remembered.
    time.sleep(0.05)
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *arguments],
        cwd=folder or project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def test_the_second_answer_is_the_first_at_once(fresh: Project) -> None:
    said = "pylock.toml answers the request"
    assert ask(fresh, "lock", "--check") == (0, "whole", said)
    assert ask(fresh, "lock", "--check") == (0, "quick", said)
    assert ask(fresh, "-q", "lock", "--check") == (0, "quick", "")


def test_another_question_is_not_answered_so(fresh: Project) -> None:
    ask(fresh, "lock", "--check")
    assert ask(fresh, "lock", "--check", "--as-of", "2024-02-01")[:2] == (1, "whole")
    assert ask(fresh, "lock", "--check", "--name", "other")[:2] == (2, "whole")
    assert ask(fresh, "lock")[:2] == (0, "whole")
    (fresh.root / "sub").mkdir()
    assert ask(fresh, "lock", "--check", folder=fresh.root / "sub")[:2] == (0, "whole")
    assert ask(fresh, "lock", "--check", folder=fresh.root / "sub")[:2] == (0, "quick")


@pytest.mark.parametrize(
    ("file", "content", "code"),
    [
        ("wishes/more.in", "lib>=1\n", 1),
        ("requirements.in", "\n", 1),
        ("pylock.toml", "", 2),
        ("pyproject.toml", "[project]\n", 2),
        ("envlock.toml", "", 2),
        ("uv.toml", "prerelease = 'allow'\n", 1),
    ],
)
def test_a_change_anywhere_is_seen(fresh: Project, file: str, content: str, code: int) -> None:
    ask(fresh, "lock", "--check")
    assert ask(fresh, "lock", "--check")[:2] == (0, "quick")
    (fresh.root / file).write_text(content)
    assert ask(fresh, "lock", "--check")[:2] == (code, "whole")
    assert ask(fresh, "lock", "--check")[:2] == (code, "whole")


def test_a_new_project_on_the_way_up_is_seen(fresh: Project) -> None:
    below = fresh.root / "sub" / "below"
    below.mkdir(parents=True)
    ask(fresh, "lock", "--check", folder=below)
    assert ask(fresh, "lock", "--check", folder=below)[:2] == (0, "quick")
    (fresh.root / "sub" / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '1'\n")
    assert ask(fresh, "lock", "--check", folder=below)[:2] == (1, "whole")


def test_what_hangs_on_a_variable_is_not_remembered(
    fresh: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WISH", "lib")
    (fresh.root / "wishes" / "more.in").write_text("${WISH}\n")
    assert ask(fresh, "lock", "--check")[:2] == (0, "whole")
    assert ask(fresh, "lock", "--check")[:2] == (0, "whole")


def test_what_hangs_on_a_local_path_is_not_remembered(fresh: Project) -> None:
    (fresh.root / "links").mkdir()
    fresh.write(settings={"requirements": ["requirements.in"], "allow-undated": ["links"]})
    (fresh.root / "requirements.in").write_text("-r wishes/more.in\n--find-links links\n")
    fresh.lock()
    assert ask(fresh, "lock", "--check")[:2] == (0, "whole")
    assert ask(fresh, "lock", "--check")[:2] == (0, "whole")


@pytest.fixture
def synced(fresh: Project) -> Project:
    done = fresh.run("sync")
    assert done.returncode == 0, done.stderr
    return fresh


@pytest.mark.parametrize("options", [(), ("--python-only",)])
def test_no_drift_is_said_again_at_once(synced: Project, options: tuple[str, ...]) -> None:
    code, how, said = ask(synced, "check", *options)
    assert (code, how) == (0, "whole")
    assert said.startswith("no drift from env1-")
    assert ask(synced, "check", *options) == (0, "quick", said)
    assert ask(synced, "check", "-q", *options) == (0, "quick", "")
    assert ask(synced, "check", *options, "--paranoid") == (0, "whole", said)


@pytest.mark.parametrize("file", ["pylock.toml", "pyproject.toml", "site"])
def test_no_drift_is_not_said_again_of_something_else(synced: Project, file: str) -> None:
    [module] = (synced.root / ".venv").glob("lib/python*/site-packages/lib/__init__.py")
    ask(synced, "check")
    assert ask(synced, "check")[1] == "quick"
    path = module if file == "site" else synced.root / file
    path.write_bytes(path.read_bytes() + b"\n")
    code, how, _ = ask(synced, "check")
    assert how.endswith("whole")
    assert code == (1 if file == "site" else 0)


def test_drift_is_never_said_from_memory_alone(synced: Project) -> None:
    [module] = (synced.root / ".venv").glob("lib/python*/site-packages/lib/__init__.py")
    module.unlink()
    for _ in range(2):
        code, how, _ = ask(synced, "check")
        assert (code, how.splitlines()[-1]) == (1, "whole")
        assert "PY101" in how


def test_exported_files_are_part_of_what_is_remembered(synced: Project) -> None:
    (synced.root / "deploy").mkdir()
    for output in ("locked.txt", "deploy/requirements.txt"):
        assert synced.run("export", "requirements", "-o", output).returncode == 0
    code, how, said = ask(synced, "check")
    assert (code, how) == (0, "whole")
    assert "2 exported files" in said
    assert ask(synced, "check") == (0, "quick", said)
    path = synced.root / "deploy" / "requirements.txt"
    before = path.read_bytes()
    path.write_bytes(before + b"more\n")
    code, how, _ = ask(synced, "check")
    assert (code, "EX101" in how) == (1, True)
    path.write_bytes(before)
    assert ask(synced, "check") == (0, "quick", said)
    # One that comes from elsewhere, into a folder that was looked into.
    (synced.root / "deploy" / "requirements-old.txt").write_bytes(before + b"more\n")
    code, how, _ = ask(synced, "check")
    assert (code, "deploy/requirements-old.txt" in how) == (1, True)
