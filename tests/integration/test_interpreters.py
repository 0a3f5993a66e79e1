"""Interpreters are asked what they are; those that do not work are named or passed over."""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from packaging.version import Version
from support.install import new_venv
from support.tools import script

from envlock.check.python.strays import _VIRTUALENV_DIGESTS
from envlock.errors import SourceError, UsageError
from envlock.io.interpreters import installed, newest_installed, pyenv_folders, query
from envlock.io.machine import machine_platform
from envlock.io.tools import find_uv
from envlock.resolve.python.builds.hook import find_python

SERIES = f"{sys.version_info[0]}.{sys.version_info[1]}"


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_this_interpreter() -> None:
    found = query(Path(sys.executable))
    assert found.version == ".".join(str(part) for part in sys.version_info[:3])
    assert found.series == SERIES
    assert found.implementation == sys.implementation.name
    assert found.platform == machine_platform()
    assert found.prefix == Path(sys.prefix)
    assert found.purelib == Path(sysconfig.get_path("purelib"))


def test_a_virtual_environments_interpreter(tmp_path: Path) -> None:
    found = query(new_venv(tmp_path / "env"))
    assert found.prefix == tmp_path / "env"
    assert found.purelib == tmp_path / "env" / "lib" / f"python{SERIES}" / "site-packages"
    assert found.base_prefix == Path(sys.base_prefix)
    assert found.isolated


def test_what_surrounds_it_does_not_change_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "platform.py").write_text("raise SystemExit('not this one')")
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "json.py"))
    assert query(Path(sys.executable)).series == SERIES


def test_a_pth_file_that_talks_is_not_the_answer(tmp_path: Path) -> None:
    python = new_venv(tmp_path / "env")
    folder = query(python).purelib
    (folder / "talk.pth").write_text("import sys; sys.stdout.write('hello')\n")
    assert query(python).series == SERIES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#!/bin/sh\nexit 127\n", "exit code 127"),
        ("#!/bin/sh\necho 'pyenv: command not found' >&2; exit 127\n", "pyenv: command not found"),
        ("#!/bin/sh\necho 3.11\n", "not a working Python 3"),
        ("#!/bin/sh\necho '[]'\n", "not a working Python 3"),
        ("#!/bin/sh\n", "not a working Python 3"),
        ("#!/nowhere/python\n", "no Python that starts"),
    ],
)
def test_what_is_no_python_is_said_to_be_so(tmp_path: Path, text: str, words: str) -> None:
    path = program(tmp_path / "python", text)
    with pytest.raises(UsageError) as caught:
        query(path)
    assert words in caught.value.what
    assert caught.value.where == str(path)


def test_a_missing_one_is_no_python(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no Python that starts"):
        query(tmp_path / "python")


@pytest.fixture
def only_this_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with the running Python alone; gives a folder called ``shims`` before it."""
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "none"))
    folder = Path(os.path.realpath(sys.executable)).parent
    shims = tmp_path / "shims"
    shims.mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join([str(shims), str(folder)]))
    return shims


@pytest.mark.usefixtures("only_this_python")
def test_what_is_installed_is_listed_newest_first() -> None:
    found = installed()
    assert Version(".".join(str(part) for part in sys.version_info[:3])) in found
    assert list(found) == sorted(found, reverse=True)


@pytest.mark.usefixtures("only_this_python")
def test_the_newest_that_the_project_allows() -> None:
    assert newest_installed(None) == SERIES
    assert newest_installed(f"=={SERIES}.*") == SERIES
    assert newest_installed(">=3.98") is None


def test_shims_that_fail_are_passed_over(only_this_python: Path) -> None:
    log = only_this_python.parent / "asked"
    for minor in (7, 98, 99):
        text = f"#!/bin/sh\necho {minor} >> {log}\nexit 127\n"
        program(only_this_python / f"python3.{minor}", text)
    start = time.monotonic()
    assert newest_installed(">=3.8") == SERIES
    assert time.monotonic() - start < 30
    # Newest first, and not those that are older than what is known to work.
    assert log.read_text().split() == ["99", "98"]
    assert newest_installed("<3.99,>=3.98") is None
    assert log.read_text().split() == ["99", "98", "98"]


def test_a_shim_that_works_counts(only_this_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(only_this_python))
    real = os.path.realpath(sys.executable)
    program(only_this_python / f"python{SERIES}", f'#!/bin/sh\nexec {real} "$@"\n')
    assert newest_installed(None) == SERIES


def test_uv_is_where_the_tests_have_it() -> None:
    from envlock.io.tools import find_uv

    assert find_uv() == Path(script("uv"))


@pytest.mark.usefixtures("only_this_python")
def test_what_only_pyenv_has_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "pyenv"
    real = Path(os.path.realpath(sys.executable)).parent
    for name in ("2.7.18", "3.3.7", "3.3.12", "my-project", "pypy3.10-7.3.12"):
        (root / "versions" / name / "bin").mkdir(parents=True)
    own = root / "versions" / ".".join(map(str, sys.version_info[:3]))
    own.mkdir()
    (own / "bin").symlink_to(real)
    monkeypatch.setenv("PYENV_ROOT", str(root))
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    assert [Path(f).parent.name for f in pyenv_folders()] == [own.name, "3.3.12", "3.3.7"]
    assert find_python(SERIES).series == SERIES
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    with pytest.raises(SourceError, match="is not installed"):
        find_python(SERIES)


def test_what_uv_puts_into_environments_of_old_pythons_is_known() -> None:
    """uv carries the text of its hook; another one would be told as a stray start-up hook."""
    program = find_uv().read_bytes()
    start = program.index(b'"""Patches that are applied at runtime to the virtual environment.')
    end = b"sys.meta_path.insert(0, _Finder())\n"
    text = program[start : program.index(end, start) + len(end)]
    assert hashlib.sha256(text).hexdigest() in _VIRTUALENV_DIGESTS["_virtualenv.py"]
