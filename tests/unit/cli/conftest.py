"""Run one command line in this process: unit tests start none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from envlock.cli.app import run
from envlock.lock import codec
from envlock.lock.model import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command line gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that only has a requirements file."""
    (tmp_path / "requirements.in").write_text("aa\n")
    return tmp_path


@pytest.fixture
def envlock(folder: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs ``envlock -C folder …``; with ``lock`` given, that is the project's lock first."""

    def call(*arguments: str | Path, lock: Lock | None = None) -> Ran:
        if lock is not None:
            (folder / "pylock.toml").write_text(codec.dump(lock))
        capfd.readouterr()
        code = run(["-C", str(folder), *(str(a) for a in arguments)])
        out, err = capfd.readouterr()
        return Ran(code=code, out=out, err=err)

    return call
