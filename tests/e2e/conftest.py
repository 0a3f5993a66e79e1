"""The wheel, built once, and a fresh environment that it is installed into."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.tools import UV, run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """envlock's own wheel, built from this checkout, the sdist in between."""
    out = tmp_path_factory.mktemp("dist")
    run([UV, "build", "--quiet", "--out-dir", out, ROOT], cwd=out, timeout=300)
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of an environment that holds the wheel and what it needs, only."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    run([UV, "venv", "--quiet", "--python", sys.executable, folder])
    python = folder / "bin" / "python"
    run([UV, "pip", "install", "--quiet", "--python", python, wheel], timeout=300)
    return folder / "bin"


@pytest.fixture
def envlock(programs: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The installed ``envlock``; nothing of the development environment is on the path."""
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(programs), "/usr/local/bin", "/usr/bin", "/bin"])
    )
    for variable in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"):
        monkeypatch.delenv(variable, raising=False)
    return str(programs / "envlock")
