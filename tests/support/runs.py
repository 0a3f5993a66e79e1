"""A folder in which programs are run by the real ``envlock run``, and the records of that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from support.tools import script

SCHEMA = Path(__file__).parents[2] / "docs" / "run-record.schema.json"


@cache
def validator() -> Draft202012Validator:
    """The documented schema of a record."""
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@dataclass(slots=True)
class Folder:
    """A folder with records of its own; ``variables`` are added to every run's environment."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, options: Sequence[str] = (), **more: Any) -> Any:
        """``envlock run OPTIONS -- COMMAND``; a finished process with bytes."""
        return self.envlock("run", *options, "--", *command, **more)

    def envlock(
        self,
        *arguments: str,
        cwd: Path | None = None,
        through: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        **more: Any,
    ) -> subprocess.CompletedProcess[bytes]:
        """envlock's own command line, to its end."""
        if "stdout" not in more:
            more["capture_output"] = True
        if "input" not in more:
            more["stdin"] = subprocess.DEVNULL
        return subprocess.run(
            [*through, script("envlock"), *arguments],
            cwd=cwd or self.root,
            env={**os.environ, **self.variables, **(variables or {})},
            timeout=120,
            check=False,
            **more,
        )

    def start(self, *command: str, options: Sequence[str] = (), **more: Any) -> Any:
        """``envlock run`` without waiting for it."""
        return subprocess.Popen(
            [script("envlock"), "run", *options, "--", *command],
            cwd=self.root,
            env={**os.environ, **self.variables},
            **({"stdin": subprocess.DEVNULL} | more),
        )

    def files(self, kind: str = "runs") -> list[Path]:
        """The files of a kind, in no order that means anything."""
        return sorted((self.root / ".envlock" / kind).rglob("*.json"))

    def records(self) -> list[dict[str, Any]]:
        """All finished records, by time, each held against the schema."""
        found = [json.loads(path.read_text("utf-8")) for path in self.files()]
        for record in found:
            validator().validate(record)
        return sorted(found, key=lambda record: record["started"])

    def last(self) -> dict[str, Any]:
        """The newest record."""
        return self.records()[-1]

    def json(self, *arguments: str) -> Any:
        """What a command prints with ``--json``."""
        done = self.envlock(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def blob(self, sha256: str) -> bytes:
        """What was kept under a digest."""
        return (self.root / ".envlock" / "blobs" / sha256[:2] / sha256).read_bytes()


PY = (sys.executable, "-c")
"""A Python program: ``folder.run(*PY, "print(1)")``."""
