"""What every format needs of a record."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

NAMESPACE = "https://github.com/envlock/envlock/run/v1"
"""Of names that no standard has."""

Table = Mapping[str, Any]
Blob = Callable[[str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run to be told of.

    ``record`` is its record, ``content`` the bytes of the record's file; ``blob`` gives kept
    content by digest and raises OSError where it is not there.
    """

    record: Table
    content: bytes
    blob: Blob

    @property
    def id(self) -> str:
        """The run's id."""
        found: str = self.record["id"]
        return found

    @property
    def title(self) -> str:
        """Why it was run, else the command."""
        return self.record.get("why") or self.command

    @property
    def command(self) -> str:
        """The command as a shell takes it."""
        return shlex.join((self.record.get("command") or {}).get("argv") or [])

    @property
    def ended(self) -> str | None:
        """When, RFC 3339 in UTC with microseconds; None where no end was recorded."""
        if "duration" not in self.record:
            return None
        started = datetime.fromisoformat(self.record["started"])
        moment = started + timedelta(seconds=self.record["duration"])
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    @property
    def program(self) -> tuple[str, str | None]:
        """The program's name, and its version where it is known."""
        argv = (self.record.get("command") or {}).get("argv") or [""]
        name = argv[0].rpartition("/")[2] or "?"
        version = ((self.record.get("environment") or {}).get("python") or {}).get("version")
        return name, version if name.startswith("python") else None

    def files(self, kind: str) -> Iterator[Table]:
        """``inputs`` or ``outputs`` whose content is known by digest, each path once."""
        seen = set()
        for fact in self.record.get(kind) or []:
            if "sha256" in fact and fact["path"] not in seen:
                seen.add(fact["path"])
                yield fact

    def kept(self) -> Iterator[tuple[str, str, bytes]]:
        """Name, what it is and bytes of what was kept of the run, the record itself first.

        Names are unique and relative. What is no longer there is left out.
        """
        yield f"{self.id}.json", "the record of the run", self.content
        record = self.record
        environment = record.get("environment") or {}
        code = record.get("code") or {}
        wanted = [
            ("pylock.toml", "the lock of the environment", record.get("lock") or {}, "sha256"),
            ("python-packages.json", "installed Python packages: name, version, SHA-256 of RECORD",
             environment.get("python") or {}, "packages-sha256"),
            ("os-packages.json", "installed packages of the distribution",
             environment.get("os") or {}, "packages-sha256"),
            ("metrics.json", "all values of the metrics", record, "series-sha256"),
            ("changes.diff", "changes of the code since its commit", code, "diff"),
        ]  # fmt: skip
        for number, entry in enumerate(code.get("untracked") or []):
            told = f"a file beside the commit: {entry['path']}"
            wanted.append((f"new-files/{number:04}", told, entry, "sha256"))
        for number, cell in enumerate(record.get("cells") or [], 1):
            wanted.append((f"cells/{number:04}.py", "a cell of a notebook", cell, "sha256"))
        for name, told, table, key in wanted:
            if key not in table:
                continue
            try:
                yield name, told, self.blob(table[key])
            except (OSError, ValueError):
                continue


def identity(fact: Table) -> str:
    """32 hex digits for a path with a content: two of one content are two, so that none is the
    reason of itself when a program copies a file."""
    text = f"{fact['sha256']} {fact['path']}"
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def failed(record: Table) -> str | None:
    """How a run ended that did not end well; None for exit code 0."""
    found = record.get("exit")
    if not isinstance(found, Mapping):
        return f"no end was recorded: {record.get('state')}"
    if found.get("code") == 0:
        return None
    if "code" in found:
        return f"exit code {found['code']}"
    return str(found.get("name") or found.get("error"))
