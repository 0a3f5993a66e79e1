"""Records and events as values, read from what a store has. The file's shape: docs/runs.md."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envlock.errors import UsageError
from envlock.io.host import boot_id, start_of
from envlock.runs.ids import FORMAT

OUTCOMES = ("good", "bad", "unsure")
"""What a run can turn out to be, besides a word of one's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What was said of a run later.

    ``kind`` is ``comment``, ``tag`` or ``outcome``; ``at`` RFC 3339. ``text`` is the comment or
    the outcome, ``add`` and ``remove`` are tags.
    """

    id: str
    run: str
    kind: str
    at: str
    text: str = ""
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def dump(self) -> bytes:
        """The event's file: JSON with sorted keys."""
        table: dict[str, Any] = {
            "at": self.at,
            "format": FORMAT,
            "id": self.id,
            "kind": self.kind,
            "run": self.run,
        }
        if self.kind == "tag":
            table |= {"add": list(self.add), "remove": list(self.remove)}
        else:
            table["text"] = self.text
        return (json.dumps(table, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode(
            "utf-8", "backslashreplace"
        )


def parse(content: bytes, *, where: str) -> dict[str, Any]:
    """A record's or event's table.

    Raises:
        UsageError: it is none, or of a format that a later envlock writes.
    """
    try:
        table = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"cannot be read: {error}", where=where) from None
    if not isinstance(table, dict) or not isinstance(table.get("id"), str):
        raise UsageError("no record of a run", where=where)
    number = table.get("format")
    if not isinstance(number, int) or number > FORMAT:
        raise UsageError(f"format {number!r} is not known", where=where, remedy="upgrade envlock")
    if isinstance(table.get("parameters"), dict):
        # Once, what looked like a secret was a mere word.
        table["parameters"] = {
            name: one if isinstance(one, dict) else {"from": "", "value": one}
            for name, one in table["parameters"].items()
        }
    return table


def parse_event(content: bytes, *, where: str) -> Event:
    """An event.

    Raises:
        UsageError: it is none.
    """
    table = parse(content, where=where)
    fields = {key: table.get(key, "") for key in ("run", "kind", "at", "text")}
    lists = {key: table.get(key, []) for key in ("add", "remove")}
    if not all(isinstance(value, str) for value in fields.values()) or not all(
        isinstance(value, list) and all(isinstance(one, str) for one in value)
        for value in lists.values()
    ):
        raise UsageError("no event of a run", where=where)
    return Event(id=table["id"], **fields, add=tuple(lists["add"]), remove=tuple(lists["remove"]))


def ending(table: Mapping[str, Any]) -> str:
    """In a word: ``0``, an exit code, a signal's name, ``not started``; empty for a first note."""
    found = table.get("exit")
    if not isinstance(found, Mapping):
        return ""
    if "code" in found:
        return str(found["code"])
    return str(found.get("name") or "not started")


def state_of_note(recorder: Mapping[str, Any]) -> str:
    """What became of a run of which there is only a first note.

    ``running``: its recorder lives on this machine. ``killed``: it did, and is gone, or the
    machine was restarted. ``unknown``: it ran on another machine.
    """
    if recorder.get("hostname") != os.uname().nodename:
        return "unknown"
    pid = recorder.get("pid")
    if recorder.get("boot") != boot_id() or not isinstance(pid, int):
        return "killed"
    start = start_of(pid)
    return "running" if start is not None and start == recorder.get("pid-start") else "killed"
