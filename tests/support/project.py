"""A small project on disk, and the real envlock run on it in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tomli_w

from envlock.lock import codec
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from support.index import LoopbackIndex

ENVLOCK = (sys.executable, "-m", "envlock")
AS_OF = "2024-06-01"
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


@dataclass(slots=True)
class Project:
    """A folder with a pyproject.toml that asks the given index, and helpers to lock it.

    ``variables`` are added to the environment of every run.
    """

    root: Path
    index: LoopbackIndex
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def lock_path(self) -> Path:
        """``pylock.toml``."""
        return self.root / "pylock.toml"

    def write(
        self,
        *dependencies: str,
        settings: Mapping[str, Any] | None = None,
        extras: Mapping[str, list[str]] | None = None,
        groups: Mapping[str, list[str]] | None = None,
        requires_python: str | None = None,
    ) -> Project:
        """Write pyproject.toml; ``settings`` is ``[tool.envlock]``, for this Python by default."""
        project: dict[str, Any] = {"name": "sample", "version": "1"}
        project["dependencies"] = list(dependencies)
        if requires_python is not None:
            project["requires-python"] = requires_python
        if extras is not None:
            project["optional-dependencies"] = dict(extras)
        tables: dict[str, Any] = {"project": project}
        if groups is not None:
            tables["dependency-groups"] = dict(groups)
        tables["tool"] = {"envlock": {"python": PYTHON, **(settings or {})}}
        # In one step: in some tests another envlock reads it at this moment.
        whole = self.root / "pyproject.toml.new"
        whole.write_text(tomli_w.dumps(tables), encoding="utf-8")
        whole.replace(self.root / "pyproject.toml")
        return self

    def start(
        self, *arguments: str, through: Sequence[str] = (), **variables: Any
    ) -> subprocess.Popen[str]:
        """Start envlock and do not wait for it; ``through`` as for ``run``."""
        return subprocess.Popen(
            [*through, *ENVLOCK, *arguments],
            cwd=self.root,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        *arguments: str,
        cwd: Path | None = None,
        through: Sequence[str] = (),
        **variables: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run envlock to its end; whatever it says, it is never a traceback.

        ``through`` is a command that runs the one that follows it.
        """
        done = subprocess.run(
            [*through, *ENVLOCK, *arguments],
            cwd=cwd or self.root,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        # A build's own traceback may be shown; one through our command line may not.
        assert "envlock/cli/app.py" not in done.stderr, done.stderr
        assert done.returncode in range(5), (done.returncode, done.stderr)
        return done

    def lock(self, *arguments: str, as_of: str | None = AS_OF, **variables: Any) -> Lock:
        """``envlock lock``, which must succeed; the lock that it wrote."""
        date = () if as_of is None else ("--as-of", as_of)
        done = self.run("lock", *date, *arguments, **variables)
        assert done.returncode == 0, done.stderr
        return self.read()

    def refused(
        self, *arguments: str, code: int, as_of: str | None = AS_OF, **variables: Any
    ) -> str:
        """``envlock lock``, which must fail with ``code`` and leave the lock; what it said."""
        before = self.lock_path.read_bytes() if self.lock_path.exists() else None
        date = () if as_of is None else ("--as-of", as_of)
        done = self.run("lock", *date, *arguments, **variables)
        assert done.returncode == code, (done.returncode, done.stderr)
        after = self.lock_path.read_bytes() if self.lock_path.exists() else None
        assert after == before
        assert not [p for p in self.root.iterdir() if p.name.startswith(".pylock")]
        return done.stderr

    def json(self, *arguments: str) -> Any:
        """What a command prints with ``--json``."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def read(self) -> Lock:
        """The lock on disk."""
        return codec.load(self.lock_path.read_text("utf-8"), where="pylock.toml")

    def environment(self, variables: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
        chosen = {"UV_DEFAULT_INDEX": self.index.url, **self.variables, **variables}
        return {**os.environ, **chosen}


def pins(lock: Lock) -> dict[str, str | None]:
    """Name → version; for locks with one entry a name."""
    found = {package.name: package.version for package in lock.packages}
    assert len(found) == len(lock.packages)
    return found


def only(lock: Lock, name: str) -> PythonPackage:
    """The one entry called ``name``."""
    [found] = lock.package(name)
    return found


def errors_in(said: str) -> int:
    """How many errors stderr tells; one is right."""
    return sum(line.startswith("error: ") for line in said.splitlines())
