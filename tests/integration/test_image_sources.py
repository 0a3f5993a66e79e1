"""Sdists that ``build image`` builds: with what is locked, the same anywhere, Python alone."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.packages import toy_backend, toy_sdist
from support.project import Project

from envlock.errors import SourceError, UsageError
from envlock.io.paths import cache_dir
from envlock.io.store import stored
from envlock.lock.model import Lock
from envlock.realise.image.sources import Made, choose_source, make_wheel

OLD = "2024-01-01"
LATE = "2024-09-01"
CASES = {
    "pure": toy_sdist("pure", "1.0"),
    "compiled": toy_sdist("compiled", "1.0", tag="cp311-cp311-linux_x86_64"),
    "failing": toy_sdist("failing", "1.0", code="raise SystemExit('no luck today')"),
    "calling": toy_sdist("calling", "1.0", code="import subprocess; subprocess.run(['cc'])"),
    "placed": toy_sdist("placed", "1.0", code="import os; text = f'place = {os.getcwd()!r}'"),
    "lying": toy_sdist("other", "1.0"),
}


@pytest.fixture
def locked(project: Project, index: LoopbackIndex) -> Lock:
    """Packages that have an sdist alone, locked, and all files in the store."""
    index.add("helper", "1.0", OLD)
    index.add("toyback", "1.0", OLD, files=toy_backend("helper"))
    index.add("toyback", "2.0", LATE, files={"toyback/__init__.py": "1 // 0"})
    for name, files in CASES.items():
        index.add(name, "1.0", OLD, sdist=True, files=files)
    project.variables["ENVLOCK_CACHE_DIR"] = str(project.root.parent / "own cache")
    project.write(*CASES, settings={"sources": True})
    lock = project.lock()
    done = project.run("fetch", "--sources")
    assert done.returncode == 0, done.stderr
    index.close()  # from here on everything is at hand
    return lock


def made(lock: Lock, name: str) -> Made:
    [package] = lock.package(name)
    return make_wheel(choose_source(lock, package, lock.targets[0]))


@pytest.fixture
def here(locked: Lock, project: Project, monkeypatch: pytest.MonkeyPatch) -> Lock:
    """The lock, and this process as one that envlock runs in."""
    for name, value in project.environment().items():
        monkeypatch.setenv(name, value)
    return locked


def test_what_is_python_alone_is_built_the_same_anywhere(
    here: Lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(here, "pure")
    assert first.name == "pure-1.0-py3-none-any.whl"
    with zipfile.ZipFile(stored(first.sha256)) as wheel:
        info = "pure-1.0.dist-info"
        names = [f"{info}/METADATA", f"{info}/WHEEL", "pure.py", f"{info}/RECORD"]
        assert wheel.namelist() == names
        assert {entry.date_time for entry in wheel.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    log = stored(first.sha256).stat().st_mtime_ns
    assert made(here, "pure") == first
    assert stored(first.sha256).stat().st_mtime_ns == log

    shutil.copytree(cache_dir() / "sha256", tmp_path / "cache" / "sha256")
    (tmp_path / "tmp").mkdir()
    for name, value in {
        "ENVLOCK_CACHE_DIR": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "tmp"),
        "TZ": "Asia/Tokyo",
        "PYTHONHASHSEED": "7",
    }.items():
        monkeypatch.setenv(name, value)
    stored(first.sha256).unlink()
    before = os.umask(0o077)
    try:
        assert made(here, "pure") == first
    finally:
        os.umask(before)


def test_what_cannot_be_built_is_named(here: Lock) -> None:
    with pytest.raises(UsageError, match=r"compiled 1\.0 is compiled when"):
        made(here, "compiled")
    with pytest.raises(UsageError, match=r"placed 1\.0 .* placed\.py has the folder"):
        made(here, "placed")
    with pytest.raises(SourceError, match=r"(?s)failing 1.0: .*no luck today"):
        made(here, "failing")
    with pytest.raises(SourceError, match=r"(?s)calling 1.0: .*No such file or directory: 'cc'"):
        made(here, "calling")  # PATH is empty
    with pytest.raises(SourceError, match=r"lying 1.0: .* made other-1.0-py3"):
        made(here, "lying")
