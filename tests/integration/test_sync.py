"""``envlock sync`` makes an environment hold exactly the lock.

The oracles are the real ``uv pip sync`` and ``pip install -r pylock.toml`` on the same file: the
same distributions with the same content, file by file, read from RECORD without envlock. The index
is on loopback and counts what is asked of it.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from support.index import Answer, LoopbackIndex
from support.install import HERE, artifact, contents, locked, new_venv, works, write_lock
from support.packages import make_wheel, source_tree
from support.project import ENVLOCK, PYTHON, Project
from support.tools import PIP, UV, run

from envlock.lock.package import Archive, Artifact, Directory, PythonPackage, Vcs
from envlock.lock.target import Target

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
OLDER = "2024-01-01"


def synced(project: Project, *arguments: str, **variables: str) -> Path:
    """``envlock sync``, which must succeed; the environment's folder."""
    done = project.run("sync", *arguments, **variables)
    assert done.returncode == 0, done.stderr
    return project.root / ".venv"


def write_tree(folder: Path, name: str, version: str, **files: str) -> None:
    for path, data in source_tree(name, version, files=files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def git_package(folder: Path) -> PythonPackage:
    """A package in a git repository, with the project in a subfolder and a later commit."""
    write_tree(folder / "python", "from-git", "0.9")
    run([*GIT, "init", "--quiet", "--initial-branch=main"], cwd=folder)
    run([*GIT, "add", "--all"], cwd=folder)
    run([*GIT, "commit", "--quiet", "--message=first"], cwd=folder)
    commit = run([*GIT, "rev-parse", "HEAD"], cwd=folder).stdout.strip()
    write_tree(folder / "python", "from-git", "1.0")
    run([*GIT, "commit", "--quiet", "--all", "--message=second"], cwd=folder)
    vcs = Vcs(
        kind="git",
        url=folder.as_uri(),
        commit=commit,
        requested="main",
        subdirectory="python",
    )
    return PythonPackage(name="from-git", version="0.9", vcs=vcs)


def sample(index: LoopbackIndex) -> tuple[PythonPackage, ...]:
    """Wheels, an sdist, another platform's package, a marker that holds and one that does not."""
    alpha = index.add("alpha", "1.2", OLDER, files={"alpha/data/table.csv": "a,b\n1,2\n"})
    index.add("alpha", "1.3", OLDER)
    beta = index.add("beta.lib", "2.0", OLDER, tag="py3-none-any")
    built = index.add("gamma", "3.0", OLDER, sdist=True)
    mac = index.add("delta", "1.0", OLDER)
    here = index.add("epsilon", "1.0", OLDER)
    return (
        locked(index, alpha),
        locked(index, beta),
        locked(index, built),
        locked(index, mac, marker="sys_platform == 'nowhere'"),
        locked(index, here, marker="python_version >= '3.8'"),
    )


def local_sources(project: Project, index: LoopbackIndex, tmp_path: Path) -> list[PythonPackage]:
    """One of each kind of package that comes from no index."""
    by_path, data = make_wheel("by-path", "1.0")
    (project.root / "wheels").mkdir()
    (project.root / "wheels" / by_path).write_bytes(data)
    listed, listed_data = make_wheel("listed", "1.0")
    (project.root / "wheels" / listed).write_bytes(listed_data)
    remote = index.add("remote", "4.0", OLDER, sdist=True)
    write_tree(project.root / "libs" / "plain", "plain", "0.1")
    write_tree(project.root / "libs" / "linked", "linked", "0.2")
    (tmp_path / "repository").mkdir()
    digest = artifact(index, remote).sha256
    return [
        PythonPackage(
            name="by-path",
            version="1.0",
            archive=Archive(path=f"wheels/{by_path}", sha256=_sha256(data)),
        ),
        PythonPackage(
            name="listed",
            version="1.0",
            wheels=(Artifact(name=listed, path=f"wheels/{listed}", sha256=_sha256(listed_data)),),
        ),
        PythonPackage(
            name="remote", version="4.0", archive=Archive(url=index.file_url(remote), sha256=digest)
        ),
        PythonPackage(name="plain", version="0.1", directory=Directory(path="libs/plain")),
        PythonPackage(
            name="linked", version="0.2", directory=Directory(path="libs/linked", editable=True)
        ),
        git_package(tmp_path / "repository"),
    ]


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


# --- the same as others make of the file --------------------------------------------------------


def by_uv(project: Project, prefix: Path) -> Path:
    """What ``uv pip sync`` alone makes of the project's lock."""
    python = new_venv(prefix)
    argv = [UV, "pip", "sync", "--python", python, "--preview-features", "pylock", "pylock.toml"]
    run(argv, cwd=project.root)
    return prefix


def by_pip(project: Project, prefix: Path) -> Path:
    """What pip alone makes of the project's lock, beside its own copy of itself."""
    python = new_venv(prefix, pip=True)
    run([*PIP, "--python", python, "install", "-r", "pylock.toml"], cwd=project.root)
    return prefix


def assert_no_drift(project: Project, prefix: Path) -> None:
    checked = project.run("check", "--python-only", "--prefix", str(prefix))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_uv_and_pip_make_the_same_of_files_with_digests(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    project.write()
    local = [p for p in local_sources(project, index, tmp_path) if not (p.vcs or p.directory)]
    write_lock(project.root, *sample(index), *local)
    ours = contents(synced(project))
    assert set(ours) == {
        "alpha-1.2",
        "beta_lib-2.0",
        "by_path-1.0",
        "epsilon-1.0",
        "gamma-3.0",
        "listed-1.0",
        "remote-4.0",
    }
    for others in (by_uv(project, tmp_path / "uv"), by_pip(project, tmp_path / "pip")):
        assert contents(others) == ours
        assert_no_drift(project, others)


def test_uv_and_pip_make_the_same_of_sources_without_digests(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    # pip does not mix them with files that have a digest; uv does (below).
    project.write()
    local = [p for p in local_sources(project, index, tmp_path) if p.vcs or p.directory]
    write_lock(project.root, *local)
    ours = contents(synced(project))
    assert set(ours) == {"from_git-0.9", "linked-0.2", "plain-0.1"}
    for others in (by_uv(project, tmp_path / "uv"), by_pip(project, tmp_path / "pip")):
        assert contents(others) == ours
        assert_no_drift(project, others)


def test_uv_makes_the_same_of_everything_together(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    project.write()
    write_lock(project.root, *sample(index), *local_sources(project, index, tmp_path))
    ours = contents(synced(project))
    assert len(ours) == 10
    assert contents(by_uv(project, tmp_path / "uv")) == ours
    assert_no_drift(project, tmp_path / "uv")


def test_requirements_export_installs_the_same_with_pip_and_uv(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    project.write()
    remote = index.add("remote", "4.0", OLDER)
    archive = Archive(url=index.file_url(remote), sha256=artifact(index, remote).sha256)
    name, data = make_wheel("listed", "1.0")
    (project.root / "wheels").mkdir()
    (project.root / "wheels" / name).write_bytes(data)
    file = Artifact(name=name, path=f"wheels/{name}", sha256=_sha256(data))
    packages = (
        *sample(index),
        PythonPackage(name="remote", version="4.0", archive=archive),
        PythonPackage(name="listed", version="1.0", wheels=(file,)),
    )
    write_lock(project.root, *packages)
    ours = contents(synced(project))
    assert project.run("export", "requirements", "-o", "requirements.txt").returncode == 0

    with_pip = new_venv(tmp_path / "pip")
    hashed = ["--require-hashes", "--no-deps", "--no-build-isolation", "-i", index.url]
    argv = [*PIP, "--python", with_pip, "install", *hashed, "-r", "requirements.txt"]
    run(argv, cwd=project.root)
    with_uv = new_venv(tmp_path / "uv")
    hashed = ["--require-hashes", "--default-index", index.url]
    run([UV, "pip", "sync", "--python", with_uv, *hashed, "requirements.txt"], cwd=project.root)
    assert contents(tmp_path / "pip") == ours
    assert contents(tmp_path / "uv") == ours


# --- exactly, and offline -----------------------------------------------------------------------


def test_what_is_not_locked_goes_and_what_differs_is_replaced(
    project: Project, index: LoopbackIndex
) -> None:
    project.write()
    write_lock(project.root, *sample(index))
    python = new_venv(project.root / ".venv", pip=True)
    index.add("zeta", "1.0", OLDER)
    run([*PIP, "--python", python, "install", "-i", index.url, "alpha==1.3", "zeta"])
    plan = project.json("sync", "--dry-run")
    done = project.json("sync")
    assert {c["name"]: (c["before"], c["after"]) for c in done["replaced"]} == {
        "alpha": ("1.3", "1.2")
    }
    # uv leaves pip in an environment that it did not make.
    assert [c["name"] for c in done["removed"]] == ["zeta"]
    assert [c["name"] for c in done["installed"]] == ["beta-lib", "epsilon", "gamma"]
    assert {**plan, "dry-run": False} == done
    assert set(contents(project.root / ".venv")) == {
        "alpha-1.2",
        "beta_lib-2.0",
        "epsilon-1.0",
        "gamma-3.0",
    }
    assert works(python, "alpha") == "1.2"
    assert works(python, "pip")

    again = project.run("sync", "--recreate")
    assert again.returncode == 0, again.stderr
    assert not list((project.root / ".venv" / "lib").glob("python*/site-packages/pip"))


def test_a_second_environment_asks_the_network_nothing(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    project.write()
    write_lock(project.root, *sample(index), *local_sources(project, index, tmp_path))
    first = contents(synced(project))
    assert index.count() > 0
    index.forget_requests()
    shutil.rmtree(tmp_path / "repository")  # its commit is in uv's cache as well
    done = project.run("sync", "--prefix", "second")
    assert done.returncode == 0, done.stderr
    assert index.count() == 0
    assert contents(project.root / "second") == first


def test_what_is_edited_in_one_environment_does_not_come_into_the_next(
    project: Project, index: LoopbackIndex
) -> None:
    project.write()
    write_lock(project.root, *sample(index))
    [table] = synced(project).rglob("alpha/data/table.csv")
    table.write_text("edited\n")
    assert project.run("sync", "--prefix", "second").returncode == 0
    [other] = (project.root / "second").rglob("alpha/data/table.csv")
    assert other.read_text() == "a,b\n1,2\n"


def test_what_was_edited_or_removed_is_made_whole_and_what_is_no_packages_is_told(
    project: Project, index: LoopbackIndex
) -> None:
    project.write()
    alpha, beta, *others = sample(index)
    write_lock(project.root, alpha, beta, *others)
    site = synced(project) / "lib" / f"python{PYTHON}" / "site-packages"
    as_locked = contents(project.root / ".venv")
    (site / "alpha/data/table.csv").write_text("edited\n")
    (site / "beta_lib/__init__.py").unlink()
    next(site.glob("gamma-*.dist-info/RECORD")).unlink()
    (site / "stray.pth").write_text("import os\n")
    broken = next(site.glob("epsilon-*.dist-info/RECORD"))
    broken.write_bytes(b"\xff,x,y\n")
    plan = project.json("sync", "--dry-run")
    assert [c["name"] for c in plan["replaced"]] == ["alpha", "beta-lib", "gamma"]
    assert (site / "alpha/data/table.csv").read_text() == "edited\n"
    done = project.run("sync")
    assert done.returncode == 0, done.stderr
    assert " ~ alpha 1.2 (its files had changed)\n" in done.stderr
    assert "note: left as it is: startup-hook stray.pth and 1 more;" in done.stderr
    assert ".venv holds the packages of env1-" in done.stderr
    assert "3 replaced, 1 unchanged" in done.stderr
    found = {d["code"] for d in project.json("check", "--python-only")["drift"]}
    assert found == {"PY105", "PY108"}
    left = project.json("sync")
    assert {one["code"] for one in left["left"]} == found
    assert left["replaced"] == []
    (site / "stray.pth").unlink()
    synced(project, "--recreate")
    assert contents(project.root / ".venv") == as_locked
    assert project.json("sync")["left"] == []


class Forgetful(LoopbackIndex):
    """An index that wants to be asked again each time; by itself uv does ask."""

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        answer = super().answer(path, headers)
        never = {"Cache-Control": "no-cache, max-age=0"}
        return dataclasses.replace(answer, headers={**(answer.headers or {}), **never})


def test_not_even_an_index_that_forbids_caching_is_asked_again(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    with Forgetful("json") as index:
        project = Project(root, index).write()
        write_lock(root, *sample(index))
        by_uv(project, tmp_path / "first")
        index.forget_requests()
        by_uv(project, tmp_path / "second")
        assert index.count() > 0  # otherwise what follows shows nothing
        # The lock came from elsewhere: this machine has another index configured.
        settings = {
            "UV_CACHE_DIR": str(tmp_path / "cache"),
            "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        }
        synced(project, **settings)
        index.forget_requests()
        synced(project, "--recreate", **settings)
        assert index.count() == 0


def test_one_missing_file_is_all_that_is_fetched(project: Project, index: LoopbackIndex) -> None:
    project.write()
    packages = sample(index)
    write_lock(project.root, *packages)
    synced(project)
    index.forget_requests()
    new = index.add("zeta", "1.0", OLDER)
    write_lock(project.root, *packages, locked(index, new))
    synced(project)
    assert index.count(new.path) == 1
    # uv may ask again for what it has; it never lists the index.
    assert index.count("/simple/*") == 0


def test_a_second_sync_changes_nothing(project: Project, index: LoopbackIndex) -> None:
    project.write()
    write_lock(project.root, *sample(index))
    synced(project)
    done = project.json("sync")
    assert (done["installed"], done["removed"], done["replaced"]) == ([], [], [])
    assert done["unchanged"] == 4
    assert done["created"] is False


def test_a_dry_run_makes_and_asks_nothing(project: Project, index: LoopbackIndex) -> None:
    project.write()
    write_lock(project.root, *sample(index))
    index.forget_requests()
    done = project.run("sync", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "4 would be installed" in done.stderr
    assert not (project.root / ".venv").exists()
    assert index.count() == 0


def test_an_empty_lock_empties_the_environment(project: Project, index: LoopbackIndex) -> None:
    project.write()
    write_lock(project.root, *sample(index))
    prefix = synced(project)
    write_lock(project.root)
    synced(project)
    assert contents(prefix) == {}


def test_an_edited_source_folder_is_installed_again(project: Project) -> None:
    project.write()
    write_tree(project.root / "libs" / "plain", "plain", "0.1")
    entry = PythonPackage(name="plain", version="0.1", directory=Directory(path="libs/plain"))
    write_lock(project.root, entry)
    python = synced(project) / "bin" / "python"
    assert works(python, "plain") == "0.1"
    module = project.root / "libs" / "plain" / "plain" / "__init__.py"
    module.write_text('__version__ = "edited"\n')
    synced(project)
    assert works(python, "plain") == "edited"


def test_settings_of_the_machine_and_the_project_change_nothing(
    project: Project, index: LoopbackIndex
) -> None:
    project.write()
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text(
        pyproject.read_text() + "\n[tool.uv]\nno-binary = true\n[tool.uv.pip]\nno-build = true\n"
    )
    stored = index.add("alpha", "1.0", OLDER)
    write_lock(project.root, locked(index, stored))
    settings = {
        "UV_NO_BINARY": "1",
        "UV_NO_VERIFY_HASHES": "1",
        "UV_PYTHON": "3.98",
        "UV_EXCLUDE_NEWER": "2001-01-01",
        "UV_PROJECT_ENVIRONMENT": "elsewhere",
        "VIRTUAL_ENV": str(project.root / "elsewhere"),
    }
    assert set(contents(synced(project, **settings))) == {"alpha-1.0"}
    wrong = dataclasses.replace(artifact(index, stored), sha256="0" * 64)
    write_lock(project.root, dataclasses.replace(locked(index, stored), wheels=(wrong,)))
    again = project.run("sync", "--recreate", **settings)
    assert again.returncode == 4, again.stderr


def test_an_index_that_asks_who_is_there(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    with LoopbackIndex("json", auth=("me", "s3cret")) as private:
        project = Project(root, private).write()
        write_lock(root, *sample(private))
        url = private.url_for("me", "s3cret")
        assert len(contents(synced(project, UV_DEFAULT_INDEX=url))) == 4
        refused = project.run("sync", "--prefix", "other", UV_CACHE_DIR=str(tmp_path / "cache"))
        assert refused.returncode == 3, refused.stderr
        assert "401" in refused.stderr
        assert "help: give credentials for this address" in refused.stderr


# --- where ------------------------------------------------------------------------------------


def test_a_given_interpreter(project: Project, index: LoopbackIndex, tmp_path: Path) -> None:
    project.write()
    write_lock(project.root, *sample(index))
    python = new_venv(tmp_path / "given")
    done = project.run("sync", "--python", str(python))
    assert done.returncode == 0, done.stderr
    assert len(contents(tmp_path / "given")) == 4
    assert not (project.root / ".venv").exists()


def test_a_named_environment_has_its_own_folder(project: Project, index: LoopbackIndex) -> None:
    project.write()
    (project.root / "pyproject.toml").write_text(
        (project.root / "pyproject.toml").read_text() + "\n[tool.envlock.env.gpu]\n"
    )
    write_lock(project.root, *sample(index), name="pylock.gpu.toml")
    done = project.run("sync", "--name", "gpu")
    assert done.returncode == 0, done.stderr
    assert len(contents(project.root / ".venv-gpu")) == 4


def test_another_python_is_named_and_recreate_makes_it_anew(
    project: Project, index: LoopbackIndex
) -> None:
    project.write()
    other = Target(platform=HERE.platform, python="3.98")
    write_lock(project.root, *sample(index), targets=(other,))
    python = new_venv(project.root / ".venv")
    refused = project.run("sync")
    assert refused.returncode == 2
    assert f"CPython {PYTHON}." in refused.stderr
    assert f"{HERE.platform}@3.98" in refused.stderr
    assert "make it anew with --recreate" in refused.stderr
    assert python.exists()

    missing = project.run("sync", "--recreate")
    assert missing.returncode == 3
    assert "CPython 3.98 is not installed" in missing.stderr
    assert python.exists()

    write_lock(project.root, *sample(index))
    (project.root / ".venv" / "leftover").write_text("")
    synced(project, "--recreate")
    assert not (project.root / ".venv" / "leftover").exists()


def test_a_folder_that_is_no_environment_is_left_alone(
    project: Project, index: LoopbackIndex
) -> None:
    project.write()
    write_lock(project.root, *sample(index))
    (project.root / "thesis").mkdir()
    (project.root / "thesis" / "chapter.tex").write_text("years of work")
    for options in ([], ["--recreate"]):
        done = project.run("sync", "--prefix", "thesis", *options)
        assert done.returncode == 2
        assert "no virtual environment" in done.stderr
    assert [p.name for p in (project.root / "thesis").iterdir()] == ["chapter.tex"]


@pytest.mark.parametrize("option", ["--prefix", "--python"])
def test_envlock_does_not_remove_itself(
    project: Project, index: LoopbackIndex, option: str
) -> None:
    options = (option, sys.prefix if option == "--prefix" else sys.executable)
    index.add("alpha", "1.0", OLDER)
    project.write("alpha").lock()
    done = project.run("sync", "--dry-run", *options)
    assert done.returncode == 2, done.stderr
    assert "error: envlock runs from this environment" in done.stderr
    assert f"where: {sys.prefix}" in done.stderr
    assert "uv tool install envlock" in done.stderr
    index.add("envlock", "1.0", OLDER)
    project.write("envlock").lock()
    done = project.run("sync", "--dry-run", *options)
    assert done.returncode == 0, done.stderr


def test_an_environment_whose_python_is_gone(project: Project, index: LoopbackIndex) -> None:
    project.write()
    write_lock(project.root, *sample(index))
    python = new_venv(project.root / ".venv")
    python.unlink()
    python.symlink_to("/nowhere/python")
    done = project.run("sync")
    assert done.returncode == 2
    assert "--recreate" in done.stderr
    synced(project, "--recreate")


def test_a_lock_for_other_machines(project: Project, index: LoopbackIndex) -> None:
    project.write()
    other = Target(platform="windows/arm64", python=PYTHON)
    write_lock(project.root, *sample(index), targets=(other,))
    done = project.run("sync")
    assert done.returncode == 2
    assert f"not for {HERE.platform}, but for windows/arm64@{PYTHON}" in done.stderr
    assert not (project.root / ".venv").exists()


@pytest.mark.parametrize("other", [["--prefix", "x"], ["--recreate"]])
def test_python_goes_with_no_other_place(project: Project, other: list[str]) -> None:
    project.write()
    done = project.run("sync", "--python", "python3", *other)
    assert done.returncode == 2
    assert "exclude one another" in done.stderr


def test_no_such_interpreter(project: Project, index: LoopbackIndex) -> None:
    project.write()
    write_lock(project.root, *sample(index))
    for python in ("/nowhere/python3", str(project.root), "/bin/true"):
        done = project.run("sync", "--python", python)
        assert done.returncode == 2, python
        assert "python" in done.stderr.lower()


def test_two_at_once_do_not_disturb_each_other(project: Project, index: LoopbackIndex) -> None:
    project.write()
    write_lock(project.root, *sample(index))
    both = [project.start("sync"), project.start("sync")]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(contents(project.root / ".venv")) == 4


# --- what goes wrong --------------------------------------------------------------------------


def test_another_file_of_the_same_size_is_refused_and_nothing_is_changed(
    project: Project, index: LoopbackIndex
) -> None:
    project.write()
    packages = sample(index)
    write_lock(project.root, *packages)
    before = contents(synced(project))
    other = index.add("alpha", "1.3", OLDER)
    wrong = dataclasses.replace(artifact(index, other), sha256="0" * 64)
    entry = dataclasses.replace(locked(index, other), wheels=(wrong,))
    write_lock(project.root, entry, *packages[1:])
    done = project.run("sync")
    assert done.returncode == 4, done.stderr
    assert (
        "alpha-1.3-py3-none-any.whl is not the file that was locked for alpha==1.3" in done.stderr
    )
    assert artifact(index, other).sha256 in done.stderr
    assert contents(project.root / ".venv") == before


@pytest.mark.parametrize("kind", ["wheel", "sdist", "local"])
def test_every_kind_of_file_is_verified(project: Project, index: LoopbackIndex, kind: str) -> None:
    project.write()
    if kind == "local":
        name, data = make_wheel("alpha", "1.0")
        (project.root / name).write_bytes(data)
        archive = Archive(path=name, sha256="0" * 64)
        entry = PythonPackage(name="alpha", version="1.0", archive=archive)
    else:
        stored = index.add("alpha", "1.0", OLDER, sdist=kind == "sdist")
        wrong = dataclasses.replace(artifact(index, stored), sha256="0" * 64)
        entry = locked(index, stored)
        entry = dataclasses.replace(
            entry,
            wheels=(wrong,) if kind == "wheel" else (),
            sdist=wrong if kind == "sdist" else None,
        )
    write_lock(project.root, entry)
    done = project.run("sync")
    assert done.returncode == 4, done.stderr
    assert "alpha-1.0" in done.stderr
    assert contents(project.root / ".venv") == {}


@pytest.mark.parametrize(
    ("fault", "code"), [("flip-byte", 4), ("truncate", 3), ("500", 3), ("not-found", 3)]
)
def test_an_index_that_fails(project: Project, index: LoopbackIndex, fault: str, code: int) -> None:
    project.write()
    stored = index.add("alpha", "1.0", OLDER)
    write_lock(project.root, locked(index, stored))
    index.fail(stored.path, fault)  # type: ignore[arg-type]
    done = project.run("sync", UV_HTTP_RETRIES="0")
    assert done.returncode == code, done.stderr
    assert "alpha==1.0" in done.stderr
    assert contents(project.root / ".venv") == {}


def test_nobody_answers(project: Project, index: LoopbackIndex) -> None:
    project.write()
    stored = index.add("alpha", "1.0", OLDER)
    write_lock(project.root, locked(index, stored))
    index.close()
    done = project.run("sync", UV_HTTP_RETRIES="0")
    assert done.returncode == 3, done.stderr
    assert "alpha==1.0 could not be fetched" in done.stderr


def test_a_build_that_fails_is_told_by_its_end(project: Project, index: LoopbackIndex) -> None:
    project.write()
    backend = 'raise SystemExit("no fortran compiler found")\n'
    stored = index.add(
        "alpha", "1.0", OLDER, sdist=True, files={"_backend/tiny_backend.py": backend}
    )
    write_lock(project.root, locked(index, stored))
    done = project.run("sync")
    assert done.returncode == 3, done.stderr
    assert "alpha==1.0 has no wheel for this machine, and building it failed" in done.stderr
    assert "no fortran compiler found" in done.stderr


def test_no_file_for_this_machine(project: Project, index: LoopbackIndex) -> None:
    project.write()
    stored = index.add("alpha", "1.0", OLDER, tag="cp38-cp38-win_amd64")
    write_lock(project.root, locked(index, stored))
    done = project.run("sync")
    assert done.returncode == 3, done.stderr
    assert "alpha has no file that this machine can install" in done.stderr


def test_a_source_folder_that_is_gone(project: Project) -> None:
    project.write()
    write_lock(project.root, PythonPackage(name="gone", directory=Directory(path="libs/gone")))
    done = project.run("sync")
    assert done.returncode == 2, done.stderr
    assert "libs/gone" in done.stderr


def test_a_commit_that_is_gone(project: Project, tmp_path: Path) -> None:
    project.write()
    vcs = Vcs(kind="git", url=(tmp_path / "nowhere").as_uri(), commit="c" * 40)
    write_lock(project.root, PythonPackage(name="from-git", vcs=vcs))
    done = project.run("sync")
    assert done.returncode == 3, done.stderr
    assert "from-git" in done.stderr


# --- on a terminal ----------------------------------------------------------------------------


def on_terminal(project: Project, *arguments: str) -> tuple[int, str]:
    """Run envlock with its standard error on a terminal; exit code and what was shown there."""
    ours, theirs = os.openpty()
    environment = {**os.environ, "UV_DEFAULT_INDEX": project.index.url, "UV_HTTP_RETRIES": "0"}
    process = subprocess.Popen(
        [*ENVLOCK, *arguments],
        cwd=project.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = bytearray()
    with suppress(OSError):  # Linux's end of file on a terminal
        while data := os.read(ours, 65536):
            shown += data
    os.close(ours)
    return process.wait(timeout=120), shown.decode()


def test_uv_shows_its_progress_and_envlock_the_outcome(
    project: Project, index: LoopbackIndex
) -> None:
    project.write()
    write_lock(project.root, *sample(index))
    code, shown = on_terminal(project, "sync")
    assert code == 0
    assert "Preparing packages" in shown
    assert shown.count("gamma 3.0") == 1
    assert "Installed " not in shown
    assert ".venv holds env1-" in shown
    code, shown = on_terminal(project, "--quiet", "sync", "--recreate")
    assert (code, shown) == (0, "")


def test_a_failure_on_a_terminal_is_told_once(project: Project, index: LoopbackIndex) -> None:
    project.write()
    stored = index.add("alpha", "1.0", OLDER)
    wrong = dataclasses.replace(artifact(index, stored), sha256="0" * 64)
    write_lock(project.root, dataclasses.replace(locked(index, stored), wheels=(wrong,)))
    code, shown = on_terminal(project, "sync")
    assert code == 4
    assert shown.count("error") == 1
    assert "alpha-1.0-py3-none-any.whl is not the file" in shown
