"""A lock that is made again of the same: written without loading what made it, uv asked each time.

What the program loads is what Python itself says of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support.index import LoopbackIndex
from support.project import AS_OF, Project, pins
from support.snapshot import SnapshotServer
from support.tiny_archive import signer, two_instants

LOUD = {"PYTHONPROFILEIMPORTTIME": "1"}


def _again(project: Project, *arguments: str, date: str = AS_OF) -> CompletedProcess[str]:
    project.lock_path.unlink(missing_ok=True)
    done = project.run("lock", "--as-of", date, *arguments, **LOUD)
    assert done.returncode == 0, done.stderr
    return done


def _said(done: CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if not line.startswith("import time:")]


def _whole(done: CompletedProcess[str]) -> bool:
    return " envlock.cli.app\n" in done.stderr


@pytest.fixture
def known(project: Project, index: LoopbackIndex) -> Project:
    index.add("lib", "1.0", "2024-01-01", requires=["deep"])
    index.add("deep", "1.0", "2024-01-01")
    project.write("lib")
    return project


def test_what_is_the_same_is_written_at_once(known: Project) -> None:
    first = _again(known)
    assert _whole(first)
    text = known.lock_path.read_bytes()
    second = _again(known)
    assert not _whole(second)
    assert known.lock_path.read_bytes() == text
    assert _said(second) == _said(first) != []
    # With the lockfile there, there is nothing to write.
    assert _whole(known.run("lock", "--as-of", AS_OF, **LOUD))


def test_the_index_is_asked_again(known: Project, index: LoopbackIndex) -> None:
    date = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"  # of now, no page is kept
    _again(known, date=date)
    index.add("lib", "1.1", "2024-02-01", requires=["deep"])
    assert _whole(_again(known, date=date))
    assert pins(known.read()) == {"lib": "1.1", "deep": "1.0"}
    index.forget_requests()
    assert not _whole(_again(known, date=date))
    assert index.count("/simple/lib/*") > 0
    index.drop("deep")
    known.lock_path.unlink()
    assert "deep" in known.refused(code=2, as_of=date)


def _wish(project: Project) -> None:
    project.write("deep")


def _neighbour(project: Project) -> None:
    (project.root / "uv.toml").write_text("")


def _machine(project: Project) -> None:
    path = Path(os.environ["XDG_CONFIG_HOME"], "uv", "uv.toml")
    path.parent.mkdir(parents=True)
    path.write_text("")


def _variable(project: Project) -> None:
    project.variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"


def test_what_has_changed_goes_the_whole_way(known: Project) -> None:
    _again(known)
    for change in (_wish, _neighbour, _machine, _variable):
        change(known)
        assert _whole(_again(known)), change.__name__


def test_a_damaged_memory_is_none(known: Project) -> None:
    _again(known)
    text = known.lock_path.read_bytes()
    cache = Path(os.environ["XDG_CACHE_HOME"], "envlock", "locks-again-1")
    [kept] = [path for path in cache.rglob("*") if path.is_file()]
    kept.write_bytes(kept.read_bytes().replace(b'name = "lib"', b'name = "bad"'))
    assert _whole(_again(known))
    assert known.lock_path.read_bytes() == text


def test_passwords_are_not_remembered(project: Project, index: LoopbackIndex) -> None:
    index.add("lib", "1.0", "2024-01-01")
    project.write("lib")
    project.variables["UV_DEFAULT_INDEX"] = index.url_for("someone", "secret")
    _again(project)
    assert not Path(os.environ["XDG_CACHE_HOME"], "envlock", "locks-again-1").exists()


# --- uv, begun before the project is read ---


def _properly(project: Project, *arguments: str) -> bytes:
    """The lock as it is made without anything begun ahead or remembered."""
    program = "import sys; from envlock.cli.app import run; sys.exit(run(sys.argv[1:]))"
    argv = [sys.executable, "-c", program, "lock", *arguments]
    subprocess.run(argv, cwd=project.root, env=project.environment(), check=True)
    text = project.lock_path.read_bytes()
    project.lock_path.unlink()
    return text


def test_a_plain_project_is_asked_about_once(project: Project, index: LoopbackIndex) -> None:
    index.add("lib", "1.0", "2024-01-01", requires=["deep>=1"])
    index.add("deep", "1.0", "2024-01-01")
    date = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"  # of now, uv keeps no page
    project.write('Lib >=1 ; python_version > "3"', settings={"constraints": ["deep <2,!=1.5"]})
    expected = _properly(project, "--as-of", date)
    index.forget_requests()
    project.lock("--quiet", as_of=date)
    assert project.lock_path.read_bytes() == expected
    assert index.count("/simple/lib/*") == index.count("/simple/deep/*") == 1


def test_a_wrong_guess_decides_nothing(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    for number in range(3):
        index.add("lib", f"1.{number}", "2024-01-01")
    index.add("old", "1.0", "2024-01-01")
    # Spelled otherwise, these are not what a quick look takes them for.
    project.write("lib == 1.1 ; 'linux' == sys_platform or 'darwin' == sys_platform", "old (>=1)")
    expected = _properly(project, "--as-of", AS_OF)
    project.variables["TMPDIR"] = str(tmp_path / "tmp")
    (tmp_path / "tmp").mkdir()
    assert pins(project.lock()) == {"lib": "1.1", "old": "1.0"}
    assert project.lock_path.read_bytes() == expected
    # A request that is refused leaves nothing begun behind, either.
    project.lock_path.unlink()
    project.write("lib==7")
    assert "lib" in project.refused(code=2)
    project.write("lib", settings={"no-such": 1})
    assert "no-such" in project.refused(code=2)
    assert not list((tmp_path / "tmp").iterdir())


# --- OS packages ---


def test_os_packages_of_a_date_follow_from_the_kept_releases(project: Project) -> None:
    (project.root / "archive.pgp").write_bytes(signer().public)
    with SnapshotServer(two_instants()) as archive:
        table = {"base": "debian:bookworm", "keyring": "archive.pgp", "packages": ["app"]}
        table["mirrors"] = [archive.template]
        project.write(
            settings={"targets": ["linux/amd64"], "interpreter": "base-image", "os": table}
        )
        said = _again(project)  # fills the cache
        text = project.lock_path.read_bytes()
        assert _whole(_again(project))
        asked = len(archive.requests)
        again = _again(project)
        assert not _whole(again)
        assert (project.lock_path.read_bytes(), _said(again)) == (text, _said(said))
        assert len(archive.requests) == asked
        releases = Path(os.environ["XDG_CACHE_HOME"], "envlock", "os-release-v1")
        for path in releases.rglob("*"):
            if path.is_file():
                path.write_bytes(b"damaged")
        assert _whole(_again(project))
        assert project.lock_path.read_bytes() == text
        # Another key is another question.
        (project.root / "archive.pgp").write_bytes(b"")
        project.lock_path.unlink()
        assert "archive.pgp" in project.refused(code=2)
