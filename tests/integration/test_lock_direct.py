"""Direct references through the whole command: URLs, local paths and repositories, pinned.

What a date means to each is shown piece by piece in test_direct.py and test_git.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.packages import make_sdist, make_wheel, source_tree
from support.project import Project, only, pins
from support.tools import run

from envlock.lock.package import Dependency


@pytest.fixture(params=["uv", "pip-tools"])
def engine(request: pytest.FixtureRequest) -> str:
    """``--engine`` of the run."""
    name: str = request.param
    return f"--engine={name}"


def write_tree(folder: Path, name: str, version: str, *requires: str) -> Path:
    """A buildable source tree."""
    for path, content in source_tree(name, version, requires).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """``lib`` with a commit in March (tag v1), one in May, one after the date."""
    folder = tmp_path / "upstream" / "lib"
    folder.mkdir(parents=True)
    run(["git", "init", "-q", "-b", "main"], cwd=folder)
    for version, day in (("1.0", "2024-03-01"), ("1.1", "2024-05-01"), ("2.0", "2024-07-01")):
        write_tree(folder, "lib", version, "deep")
        when = f"{day}T12:00:00Z"
        who = {"NAME": "a", "EMAIL": "a@example.org", "DATE": when}
        env = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
        run(["git", "add", "-A"], cwd=folder)
        run(["git", "commit", "-q", "-m", version], cwd=folder, env=env)
        run(["git", "tag", f"v{version}"], cwd=folder)
    return folder


def commit(repository: Path, revision: str) -> str:
    return run(["git", "rev-parse", revision], cwd=repository).stdout.strip()


# --- URLs ---


def test_a_urls_file_is_pinned_by_its_digest(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    filename, content = make_wheel("lib", "1.0", ["deep"])
    url = index.put(f"/elsewhere/{filename}", content)
    index.add("deep", "1.0", "2024-01-01")
    lock = project.write(f"lib @ {url}").lock(engine)
    assert pins(lock) == {"lib": "1.0", "deep": "1.0"}
    lib = only(lock, "lib")
    assert lib.archive is not None
    assert (lib.archive.url, lib.archive.size) == (url, len(content))
    assert lib.dependencies == (Dependency(name="deep"),)
    assert lib.files == ()


def test_a_urls_sdist_is_built_for_its_metadata(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    filename, content = make_sdist("lib", "1.0", ["deep"], dynamic=True)
    url = index.put(f"/elsewhere/{filename}", content)
    index.add("deep", "1.0", "2024-01-01")
    lock = project.write(f"lib @ {url}").lock(engine)
    assert set(pins(lock)) == {"lib", "deep"}


def test_a_url_whose_bytes_are_others_is_refused(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    filename, content = make_wheel("lib", "1.0")
    url = index.put(f"/elsewhere/{filename}", content)
    said = project.write(f"lib @ {url}#sha256={'0' * 64}").refused(engine, code=4)
    assert "lib" in said
    assert "pyproject.toml" in said


# --- local paths ---


def test_a_local_tree_needs_leave_under_a_date(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    write_tree(project.root / "libs" / "lib", "lib", "1.0", "deep")
    index.add("deep", "1.0", "2024-01-01")
    wish = "lib @ file:libs/lib"
    project.write(settings={"requirements": ["requirements.in"]})
    (project.root / "requirements.in").write_text(f"{wish}\n")
    said = project.refused(engine, code=2)
    assert 'allow-undated = ["libs/lib"]' in said
    assert "requirements.in:1" in said
    settings = {"requirements": ["requirements.in"], "allow-undated": ["libs/lib"]}
    lock = project.write(settings=settings).lock(engine)
    assert set(pins(lock)) == {"lib", "deep"}
    lib = only(lock, "lib")
    assert lib.directory is not None
    assert (lib.directory.path, lib.directory.editable) == ("libs/lib", False)


def test_a_local_tree_is_fine_without_a_date(project: Project, engine: str) -> None:
    write_tree(project.root / "lib", "lib", "1.0")
    project.write(settings={"requirements": ["requirements.in"]})
    (project.root / "requirements.in").write_text("-e ./lib\n")
    lib = only(project.lock(engine, as_of=None), "lib")
    assert lib.directory is not None
    assert (lib.directory.path, lib.directory.editable) == ("lib", True)


def test_a_local_tree_that_asks_for_something_else_makes_the_lock_stale(
    project: Project, index: LoopbackIndex
) -> None:
    index.add("deep", "1.0", "2024-01-01")
    index.add("other", "1.0", "2024-01-01")
    tree = project.root / "libs" / "lib"
    write_tree(tree, "lib", "1.0", "deep")
    project.write("lib @ file:libs/lib")
    [lib] = project.lock(as_of=None).package("lib")
    assert lib.version is None  # PEP 751: a source tree's may be another one tomorrow
    assert project.run("sync").returncode == 0
    write_tree(tree, "lib", "1.1", "deep")
    assert project.run("lock", "--check").returncode == 0
    synced = project.run("sync")
    assert synced.returncode == 0, synced.stderr
    assert " ~ lib 1.0 → 1.1\n" in synced.stderr
    assert project.run("check").returncode == 0
    write_tree(tree, "lib", "1.1", "deep", "other")
    stale = project.run("lock", "--check")
    assert stale.returncode == 1
    assert "stale: libs/lib: what it asks for has changed" in stale.stderr
    [drift] = project.json("check", "--request-only")["drift"]
    assert (drift["code"], drift["subject"]) == ("RQ001", "local-sources")
    assert "other" in pins(project.lock(as_of=None))
    assert project.run("lock", "--check").returncode == 0


def test_a_local_wheel_is_pinned_by_its_digest(project: Project, engine: str) -> None:
    filename, content = make_wheel("lib", "1.0")
    (project.root / filename).write_bytes(content)
    project.write(settings={"requirements": ["r.in"], "allow-undated": [filename]})
    (project.root / "r.in").write_text(f"./{filename}\n")
    lib = only(project.lock(engine), "lib")
    assert lib.archive is not None
    assert (lib.archive.path, lib.archive.url) == (filename, None)


def test_no_path_of_the_machine_is_in_the_lock(project: Project, engine: str) -> None:
    write_tree(project.root / "lib", "lib", "1.0")
    project.write(settings={"requirements": ["r.in"], "allow-undated": ["lib"]})
    (project.root / "r.in").write_text("./lib\n")
    project.lock(engine)
    assert str(project.root) not in project.lock_path.read_text()
    assert "/tmp" not in project.lock_path.read_text()


# --- repositories ---


def test_a_branch_is_pinned_to_the_dates_commit(
    project: Project, index: LoopbackIndex, repository: Path, engine: str
) -> None:
    index.add("deep", "1.0", "2024-01-01")
    lock = project.write(f"lib @ git+file://{repository}@main").lock(engine)
    lib = only(lock, "lib")
    assert lib.vcs is not None
    assert (lib.vcs.kind, lib.vcs.requested) == ("git", "main")
    assert lib.vcs.commit == commit(repository, "v1.1")
    assert set(pins(lock)) == {"lib", "deep"}
    later = only(project.lock(engine, as_of="2024-08-01"), "lib")
    assert later.vcs is not None
    assert later.vcs.commit == commit(repository, "v2.0")


def test_a_tag_is_pinned_and_a_later_one_refused(
    project: Project, index: LoopbackIndex, repository: Path
) -> None:
    index.add("deep", "1.0", "2024-01-01")
    lib = only(project.write(f"lib @ git+file://{repository}@v1.0").lock(), "lib")
    assert lib.vcs is not None
    assert lib.vcs.commit == commit(repository, "v1.0")
    said = project.write(f"lib @ git+file://{repository}@v2.0").refused(code=2)
    assert "v2.0" in said


def test_a_branch_stays_where_it_was_locked(
    project: Project, index: LoopbackIndex, repository: Path
) -> None:
    index.add("deep", "1.0", "2024-01-01")
    project.write(f"lib @ git+file://{repository}@main").lock(as_of=None)
    write_tree(repository, "lib", "3.0")
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    run(["git", *who, "commit", "-q", "-am", "3"], cwd=repository)
    index.add("other", "1.0", "2024-01-01")
    again = project.write(f"lib @ git+file://{repository}@main", "other").lock(as_of=None)
    lib = only(again, "lib")
    assert lib.vcs is not None
    assert lib.vcs.commit == commit(repository, "v2.0")
    moved = only(project.lock("--upgrade-package", "lib", as_of=None), "lib")
    assert moved.vcs is not None
    assert moved.vcs.commit == commit(repository, "main")
