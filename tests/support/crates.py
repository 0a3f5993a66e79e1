"""The validator of RO-Crates, in an environment of its own: it wants another rich than envlock."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.tools import UV, run

_CHECK = Path(__file__).with_name("crate_check.py")


def validator(factory: pytest.TempPathFactory) -> Path:
    """A Python that has it, from the index that uv is configured to use."""
    folder = factory.mktemp("validator") / "venv"
    run([UV, "venv", "--quiet", "--python", sys.executable, folder])
    python = folder / "bin" / "python"
    packages = ("roc-validator>=0.13,<0.14", "rocrate>=0.16,<0.17")
    run([UV, "pip", "install", "--quiet", "--python", python, *packages], timeout=300)
    return python


def check(python: Path, crate: Path, severity: str) -> list[str]:
    """What is wrong with a crate, a line each."""
    done = run([python, _CHECK, crate, severity], timeout=300)
    lines = done.stdout.splitlines()
    [last] = [line for line in lines if line.startswith("passed: ")]
    found = [line for line in lines if line.startswith(("REQUIRED", "RECOMMENDED", "OPTIONAL"))]
    assert (last == "passed: True") == (not found)
    return found
