"""``envlock lock`` of an old project: the date from git, the Python and the release of the date."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.project import PYTHON, Project
from support.tools import run

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")


def commit(root: Path, message: str, moment: str) -> str:
    run([*GIT, "add", "--all"], cwd=root)
    dates = {"GIT_COMMITTER_DATE": moment, "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z"}
    run([*GIT, "commit", "--quiet", f"--message={message}"], cwd=root, env={**os.environ, **dates})
    return run(["git", "rev-parse", "HEAD"], cwd=root).stdout.strip()


@pytest.fixture
def old(project: Project, index: LoopbackIndex) -> Project:
    """A project of 2020 with requirements files and nothing else."""
    for version, day in (("1.0", "2019-01-01"), ("2.0", "2020-06-01"), ("3.0", "2024-01-01")):
        index.add("lib", version, day)
    index.add("dep", "1.0", "2019-01-01")
    (project.root / "requirements.txt").write_text("-r more.txt\nlib\n")
    (project.root / "more.txt").write_text("")
    run([*GIT, "init", "--quiet"], cwd=project.root)
    return project


def test_the_date_is_the_last_commit_of_what_is_asked_for(old: Project) -> None:
    commit(old.root, "first", "2019-06-01T00:00:00Z")
    (old.root / "more.txt").write_text("dep\n")
    wanted = commit(old.root, "one more", "2020-05-01T12:00:00+02:00")
    (old.root / "README").write_text("later\n")
    commit(old.root, "words", "2024-05-01T00:00:00Z")
    done = old.run("lock", "--as-of", "git")
    assert done.returncode == 0, done.stderr
    assert f"as of 2020-05-01T10:00:00Z: {wanted[:12]} (one more)" in done.stderr
    assert "more.txt, requirements.txt" in done.stderr
    assert "guessed: python 3.8, the newest on 2020-05-01" in done.stderr
    lock = old.read()
    assert lock.as_of.isoformat() == "2020-05-01T10:00:00+00:00"
    assert [(p.name, p.version) for p in lock.packages] == [("dep", "1.0"), ("lib", "1.0")]
    assert [target.python for target in lock.targets] == ["3.8"]
    # The lock keeps the guess.
    assert old.run("lock", "--check").returncode == 0
    # What is not committed is told; a Python that was out then stays the machine's.
    (old.root / "more.txt").write_text("dep>=1\n")
    old.lock_path.unlink()
    done = old.run("lock", "--as-of", "git", "--dry-run")
    assert "not committed, so newer than that: more.txt" in done.stderr
    done = old.run("lock", "--as-of", "2026-01-01")
    assert "guessed" not in done.stderr
    assert [target.python for target in old.read().targets] == [PYTHON]


def test_without_a_commit_there_is_no_date(old: Project) -> None:
    assert "git tracks none of the files" in old.refused(code=2, as_of="git")
    (old.root / ".git").rename(old.root / "gone")
    assert "no git repository to take a date from" in old.refused(code=2, as_of="git")


def test_a_new_name_is_no_change_and_a_shallow_clone_has_no_history(
    old: Project, tmp_path: Path
) -> None:
    first = commit(old.root, "first", "2019-06-01T00:00:00Z")
    # What a merge brought is of the commit that made it.
    run([*GIT, "checkout", "--quiet", "-b", "side"], cwd=old.root)
    run(["git", "mv", "more.txt", "extra.txt"], cwd=old.root)
    (old.root / "requirements.txt").write_text("-r extra.txt\nlib\n")
    changed = commit(old.root, "another name, and its line", "2019-08-01T00:00:00Z")
    run([*GIT, "checkout", "--quiet", "-"], cwd=old.root)
    (old.root / "README").write_text("words\n")
    commit(old.root, "words", "2019-09-01T00:00:00Z")
    run([*GIT, "merge", "--quiet", "--no-ff", "--message=merged", "side"], cwd=old.root)
    run(["git", "mv", "requirements.txt", "requirements.in"], cwd=old.root)
    renamed = commit(old.root, "another name", "2024-05-01T00:00:00Z")
    done = old.run("lock", "--as-of", "git", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"as of 2019-08-01T00:00:00Z: {changed[:12]}" in done.stderr
    assert f"{renamed[:12]} only renamed them (before: extra.txt, requirements.txt)" in done.stderr
    assert first[:12] not in done.stderr

    (old.root / "README").write_text("later\n")
    edge = commit(old.root, "words", "2024-06-01T00:00:00Z")
    clone = tmp_path / "clone"
    run(["git", "clone", "--quiet", "--depth=1", old.root.as_uri(), clone])
    done = old.run("lock", "--as-of", "git", cwd=clone)
    assert done.returncode == 2
    assert f"a shallow clone: {edge[:12]} is the oldest commit here" in done.stderr
    assert "git fetch --unshallow" in done.stderr


def test_without_git_the_files_own_date_is_proposed(old: Project) -> None:
    (old.root / ".git").rename(old.root / "gone")
    for name in ("requirements.txt", "more.txt"):
        os.utime(old.root / name, (1583020800, 1583020800))
    assert "--as-of 2020-03-01 is when" in old.refused(code=2, as_of="git")


def test_requirements_below_are_named(old: Project) -> None:
    (old.root / "app" / "requirements").mkdir(parents=True)
    for name in ("requirements.txt", "more.txt"):
        (old.root / name).rename(old.root / "app" / "requirements" / name)
    said = old.refused(code=2, as_of="git")
    assert "There is app/requirements/more.txt, app/requirements/requirements.txt:" in said
    assert 'requirements = ["app/requirements/requirements.txt"]' in said
    assert "or work in its folder: envlock -C app/requirements lock" in said
    (old.root / "envlock.toml").write_text('requirements = ["app/requirements/requirements.txt"]\n')
    commit(old.root, "first", "2020-05-01T00:00:00Z")
    assert old.run("lock", "--as-of", "git").returncode == 0
