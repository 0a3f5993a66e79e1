"""What is remembered of where Python was found, and what makes it be asked for again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from envlock.io.found import known_python, remember_python


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENVLOCK_CACHE_DIR", str(tmp_path / "cache"))
    for folder in ("bin", "pyenv/shims", "pyenv/versions", "project/below", "asdf/shims"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "uv").write_bytes(b"uv")
    (tmp_path / "pyenv/version").write_text("3.11.7\n")
    monkeypatch.chdir(tmp_path / "project/below")
    time.sleep(0.03)
    return tmp_path


def variables(machine: Path, *folders: str, **more: str) -> dict[str, str]:
    path = os.pathsep.join(str(machine / f) for f in ("pyenv/shims", "bin", *folders))
    return {"PATH": path, "PYENV_ROOT": str(machine / "pyenv"), "HOME": str(machine)} | more


def known(machine: Path, *folders: str, series: str = "3.11", **more: str) -> Path | None:
    return known_python(series, machine / "uv", variables(machine, *folders, **more))


def remember(machine: Path, *folders: str) -> None:
    told = variables(machine, *folders)
    remember_python("3.11", machine / "uv", told, Path("/found"), time.time_ns())


def test_what_was_found_is_known_while_nothing_changes(machine: Path) -> None:
    assert known(machine) is None
    remember(machine)
    (machine / "project/below/result").mkdir()
    assert known(machine) == Path("/found")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: (m / "bin/python3.11").touch(),
        lambda m: (m / "pyenv/version").write_text("3.11.8\n"),
        lambda m: (m / "pyenv/version").unlink(),
        lambda m: (m / "pyenv/versions/3.11.9").mkdir(),
        lambda m: (m / "pyenv/shims/python3.11").touch(),
        lambda m: (m / "project/.python-version").write_text("3.11.9\n"),
        lambda m: (m / ".local/share/uv/python").mkdir(parents=True),
        lambda m: (m / "uv").write_bytes(b"another uv"),
    ],
)
def test_any_change_makes_it_be_asked_for_again(
    machine: Path, change: Callable[[Path], object]
) -> None:
    remember(machine)
    change(machine)
    assert known(machine) is None


def test_another_question_is_another(machine: Path) -> None:
    remember(machine)
    assert known(machine, series="3.12") is None
    assert known(machine, PYENV_VERSION="3.11.2") is None
    assert known(machine, UV_PYTHON_INSTALL_DIR="/elsewhere") is None
    assert known(machine, LANG="de_DE.UTF-8") == Path("/found")


def test_nothing_is_known_of_shims_of_other_makers(machine: Path) -> None:
    remember(machine, "asdf/shims")
    assert known(machine, "asdf/shims") is None
