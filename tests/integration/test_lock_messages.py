"""When there is no lock: one message that says why, where and what to do, and the exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from packaging.version import Version
from support.index import LoopbackIndex
from support.install import locked, write_lock
from support.packages import BACKEND
from support.project import Project, errors_in

from envlock.io.interpreters import installed, pyenv_folders


def all_pythons() -> list[Version]:
    """Every CPython 3.9 or later of this machine, those that pyenv keeps to itself, too."""
    own = [f for f in os.environ["PATH"].split(os.pathsep) if Path(f).name != "shims"]
    found = installed(os.pathsep.join([*own, *pyenv_folders()]))
    return [version for version in found if version >= Version("3.9")]


@pytest.fixture(params=["uv", "pip-tools"])
def engine(request: pytest.FixtureRequest) -> str:
    """``--engine`` of the run."""
    name: str = request.param
    return f"--engine={name}"


def test_a_conflict_names_who_asks_for_what(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("app", "1.0", "2024-01-01", requires=["deep<2"])
    index.add("tool", "1.0", "2024-01-01", requires=["deep>=2"])
    index.add("deep", "1.0", "2024-01-01")
    index.add("deep", "2.0", "2024-01-01")
    said = project.write("app", "tool").refused(engine, code=2)
    assert errors_in(said) == 1
    for word in ("app", "tool", "deep<2", "deep>=2"):
        assert word in said, word
    assert "help:" in said
    assert "envlock-request" not in said


def test_a_date_that_is_the_reason_is_named_with_the_first_that_works(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01")
    index.add("lib", "2.0", "2024-09-17T08:00:00Z")
    said = project.write("lib>=2").refused(engine, code=2)
    assert "lib" in said
    assert "2024-09-18" in said  # a day's start sees the day before
    assert "hint:" not in said  # another date beside it would puzzle
    assert "--as-of" in said
    lock = project.lock(engine, as_of="2024-09-18")
    assert [p.version for p in lock.packages] == ["2.0"]


def test_a_date_deep_down_is_the_reason_too(project: Project, index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-01-01", requires=["lib"])
    index.add("lib", "1.0", "2024-12-31", requires=["deep>=1"])
    index.add("deep", "1.0", "2025-02-03")
    said = project.write("app").refused(code=2)
    assert "2025-02-04" in said


def test_when_no_date_works_none_is_named(project: Project, index: LoopbackIndex) -> None:
    index.add("lib", "1.0", "2024-01-01")
    said = project.write("lib>=9").refused(code=2)
    assert "lib" in said
    assert "--as-of" not in said


def test_a_name_that_is_not_on_the_index(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01")
    said = project.write("lib", "libb").refused(engine, code=2)
    assert "libb" in said
    assert "spelling" in said


def test_requires_python_is_named_when_it_is_the_reason(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01", requires_python=">=3.99")
    said = project.write("lib").refused(engine, code=2)
    assert "lib" in said
    assert "3.99" in said


def test_no_wheel_for_the_target_is_named(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    index.add("lib", "1.0", "2024-01-01", tag="cp311-cp311-win_amd64")
    settings = {"targets": ["linux/amd64@3.11"]}
    said = project.write("lib", settings=settings).refused(engine, code=2)
    assert "lib" in said


def test_a_sdist_that_does_not_build_says_so(
    project: Project, index: LoopbackIndex, engine: str
) -> None:
    broken = {"_backend/tiny_backend.py": "raise RuntimeError('a compiler is missing')\n"}
    index.add("lib", "1.0", "2024-01-01", sdist=True, dynamic=True, files=broken)
    said = project.write("lib").refused(engine, code=3)
    assert "lib" in said
    assert "a compiler is missing" in said
    assert "--no-build" in said


def test_a_sdist_that_only_the_targets_python_builds_is_built_by_that(
    project: Project, index: LoopbackIndex
) -> None:
    """As those of years ago, whose build tools no longer run on the Python that runs envlock."""
    refuse = f"import sys\nif sys.version_info[:2] == {sys.version_info[:2]}: raise RuntimeError\n"
    files = {"_backend/tiny_backend.py": refuse + BACKEND}
    index.add("lib", "1.0", "2024-01-01", sdist=True, dynamic=True, files=files)
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    others = [f"{v.major}.{v.minor}" for v in all_pythons() if f"{v.major}.{v.minor}" != own]
    settings = {"targets": [f"linux/amd64@{others[0] if others else '3.9'}"]}
    project.write("lib", settings=settings)
    if others:
        assert [p.version for p in project.lock().packages] == ["1.0"]
    else:
        assert "--no-build" in project.refused(code=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2999-01-01", "future"),
        ("yesterdayish", "not a date"),
        ("2024-02-30", "2024-02-30"),
        ("2024-06-01T12:00:00", "zone"),
    ],
)
def test_a_date_that_is_none(project: Project, text: str, expected: str) -> None:
    said = project.write("lib").refused(code=2, as_of=text)
    assert expected in said


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[project\n", "pyproject.toml:1"),
        ('[project]\nname = "x"\nversion = "1"\ndependencies = ["a b"]\n', "pyproject.toml:4"),
        ('[tool.envlock]\nasof = "2024-01-01"\n', "as-of"),
        ('[tool.envlock]\ntargets = ["linux/mips"]\n', "linux/arm64"),
        ('[tool.envlock]\nrequirements = ["absent.txt"]\n', "absent.txt"),
        ('[tool.envlock]\nrequirements = ["a\\u0000b"]\n', "pyproject.toml"),
        ("\x00", "pyproject.toml"),
    ],
)
def test_a_project_that_cannot_be_read(project: Project, content: str, expected: str) -> None:
    (project.root / "pyproject.toml").write_text(content)
    said = project.refused(code=2)
    assert errors_in(said) == 1
    assert expected in said


def test_an_unknown_engine_lists_the_known(project: Project) -> None:
    said = project.write("lib").refused("--engine=conda", code=2)
    assert "pip-tools" in said
    assert "uv" in said


def test_a_fixed_date_is_not_overruled_in_passing(project: Project) -> None:
    said = project.write(settings={"as-of": "2024-01-01"}).refused(code=2)
    assert "2024-01-01" in said


def test_of_many_changes_the_first_are_shown(project: Project, index: LoopbackIndex) -> None:
    files = [index.add(f"part-{number:02}", "1.0", "2024-01-01") for number in range(60)]
    write_lock(project.root, *(locked(index, file) for file in files), wishes=["nobody"])
    index.add("one", "1.0", "2024-01-01")
    project.write("one")
    shown = project.run("lock", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr.count("  removed    part-") + shown.stderr.count("  added      one") == 50
    assert "  … and 11 more changes: --verbose shows all\n" in shown.stderr
    assert "1 package for" in shown.stderr
    assert project.run("lock", "--dry-run", "-v").stderr.count("  removed    part-") == 60


def test_an_upgrade_of_nothing_is_said(project: Project, index: LoopbackIndex) -> None:
    index.add("numbers", "1.0", "2024-01-01")
    project.write("numbers")
    done = project.run("lock", "--as-of=2024-06-01", "-P", "nubers", "-P", "Numbers")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == (
        "note: --upgrade-package nubers moves nothing: the lock has no such package;"
        ' did you mean "numbers"?'
    )
    assert "package numbers moves" not in done.stderr


@pytest.mark.parametrize("other", ["--upgrade", "--upgrade-package=x", "--refresh"])
def test_check_moves_no_pins(project: Project, other: str) -> None:
    done = project.write("x").run("lock", "--check", other)
    assert done.returncode == 2
    assert "envlock lock --upgrade --dry-run" in done.stderr


def test_a_folder_without_permission(project: Project, index: LoopbackIndex) -> None:
    # Root writes everywhere, so the place is taken by a folder instead.
    index.add("lib", "1.0", "2024-01-01")
    project.write("lib")
    project.lock_path.mkdir()
    done = project.run("lock", "--as-of=2024-06-01")
    assert done.returncode in (2, 3)
    assert "pylock.toml" in done.stderr
    assert list(project.lock_path.iterdir()) == []
