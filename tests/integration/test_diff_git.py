"""``envlock diff`` of git revisions, with real git."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.project import Project
from support.samples import package, small_lock
from support.tools import run

from envlock.lock import codec

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")


def commit(project: Project, version: str) -> None:
    project.lock_path.write_text(codec.dump(small_lock(package("alpha", version))))
    run([*GIT, "add", "--all"], cwd=project.root)
    run([*GIT, "commit", "--quiet", f"--message={version}"], cwd=project.root)
    run([*GIT, "tag", f"v{version}"], cwd=project.root)


@pytest.fixture
def history(project: Project) -> Project:
    """A repository with the project in a subfolder: alpha 1.0, 2.0 committed, 3.0 in the file."""
    run(["git", "init", "--quiet", "--initial-branch=main", ".."], cwd=project.root)
    project.write()
    run([*GIT, "add", "--all"], cwd=project.root)
    run([*GIT, "commit", "--quiet", "--message=start"], cwd=project.root)
    commit(project, "1.0")
    commit(project, "2.0")
    project.lock_path.write_text(codec.dump(small_lock(package("alpha", "3.0"))))
    return project


@pytest.mark.parametrize(
    ("arguments", "change"),
    [
        ([], "2.0 → 3.0"),
        (["HEAD"], "2.0 → 3.0"),
        (["HEAD~1"], "1.0 → 3.0"),
        (["v1.0", "v2.0"], "1.0 → 2.0"),
        (["v2.0", "v1.0"], "2.0 → 1.0"),
        (["v1.0..v2.0"], "1.0 → 2.0"),
        (["v1.0.."], "1.0 → 2.0"),
        (["v1.0", "pylock.toml"], "1.0 → 3.0"),
        (["HEAD~1:./pylock.toml", "HEAD:./pylock.toml"], "1.0 → 2.0"),
        (["main~1:project/pylock.toml"], "1.0 → 3.0"),
    ],
)
def test_revisions_and_files(history: Project, arguments: list[str], change: str) -> None:
    done = history.run("diff", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"~ alpha {change}"
    assert history.run("diff", "--exit-code", *arguments).returncode == 1


def test_the_same_is_no_difference(history: Project) -> None:
    done = history.run("diff", "--exit-code", "v2.0", "HEAD")
    assert done.returncode == 0
    assert done.stdout.startswith("same environment: env1-")


def test_a_file_goes_before_a_revision_of_the_same_name(history: Project) -> None:
    (history.root / "v1.0").write_text(codec.dump(small_lock(package("alpha", "9.0"))))
    done = history.run("diff", "v1.0")
    assert done.stdout.splitlines()[0] == "~ alpha 9.0 → 3.0"


def test_another_repositorys_variables_are_not_followed(history: Project, tmp_path: Path) -> None:
    done = history.run("diff", "HEAD", GIT_DIR=str(tmp_path / "nowhere"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        ("v9.9", "no file and no revision that git knows"),
        ("--output=x", ""),
        ("-x", ""),
        (":pylock.toml", "no file and no git revision"),
        ("v1.0~1", "no pylock.toml at v1.0~1"),
        ("HEAD:other.toml", "no other.toml at HEAD"),
        ("HEAD:./pyproject.toml", "pyproject.toml"),
    ],
)
def test_what_is_no_revision_is_said_to_be_so(history: Project, revision: str, words: str) -> None:
    before = sorted(history.root.rglob("*"))
    done = history.run("diff", revision)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert sorted(history.root.rglob("*")) == before


def test_outside_a_repository(project: Project, tmp_path: Path) -> None:
    project.write()
    project.lock_path.write_text(codec.dump(small_lock(package("alpha"))))
    done = project.run("diff", "HEAD", GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert done.returncode == 2
    assert "not in a git repository" in done.stderr
