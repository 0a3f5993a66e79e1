"""What a program says of its own run, in any language: lines of JSON, added to the file that
``ENVLOCK_NOTES`` names. Many processes may add at once, each line with one write.

A line is a table with any of: ``metrics``, ``params`` (tables), ``tags`` (a list), ``log`` (a text,
``at`` an instant), ``input``, ``output`` (a path; of an input with ``state``, four numbers as
``io.digests.state`` gives them when it is read), ``cell`` (``source``, ``number``: of a notebook).
Other keys are left alone.
"""

from __future__ import annotations

import json

from envlock.runs.output import Metrics
from envlock.runs.parameters import flat

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from typing import Any

MOST = 1000
"""Lines of the log and cells that are kept; of more, the last ones."""
_LONGEST = 4_000_000
"""Bytes of a line."""

State = tuple[int, int, int, int]


class Notes:
    """All that was said, and ``problems`` with it."""

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self.tags: list[str] = []
        self.log: list[dict[str, str]] = []
        self.inputs: dict[str, State | None] = {}
        self.outputs: list[str] = []
        self.cells: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self._dropped = 0

    def read(self, path: str, metrics: Metrics) -> None:
        """Take the file's lines; nothing where there is none."""
        damaged = 0
        try:
            with open(path, "rb") as file:
                while line := file.readline(_LONGEST):
                    damaged += not self._take_line(line, metrics)
        except FileNotFoundError:
            return
        except OSError as error:
            self.problems.append(f"its notes cannot be read: {error.strerror}")
        if damaged:
            self.problems.append(f"lines of its notes that cannot be read: {damaged}")
        if self._dropped:
            self.problems.append(f"lines of its log and cells that were not kept: {self._dropped}")

    def _take_line(self, line: bytes, metrics: Metrics) -> bool:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            return not line.strip()
        if not isinstance(said, dict):
            return False
        metrics.take(said.get("metrics"))
        if isinstance(said.get("params"), dict):
            self.params |= flat(said["params"])
        if isinstance(said.get("tags"), list):
            self.tags += [tag for tag in said["tags"] if isinstance(tag, str)]
        if isinstance(said.get("log"), str):
            self._append(self.log, {"at": str(said.get("at", "")), "text": said["log"]})
        if isinstance(said.get("input"), str):
            self.inputs.setdefault(said["input"], _state(said.get("state")))
        if isinstance(said.get("output"), str):
            self.outputs.append(said["output"])
        if isinstance(said.get("cell"), dict) and isinstance(said["cell"].get("source"), str):
            self._append(self.cells, said["cell"])
        return True

    def _append(self, target: list[dict[str, Any]], entry: dict[str, Any]) -> None:
        target.append(entry)
        if len(target) > MOST:
            del target[0]
            self._dropped += 1


def so_far(path: str) -> dict[str, Any]:
    """What a run that has no record yet, or never gets one, said: keys as a record has them."""
    notes, metrics = Notes(), Metrics()
    notes.read(path, metrics)
    found: dict[str, Any] = {
        "log": notes.log,
        "metrics": metrics.last(),
        "parameters": {n: {"from": "program", "value": v} for n, v in notes.params.items()},
    }
    return {key: value for key, value in found.items() if value}


def _state(value: object) -> State | None:
    if isinstance(value, list) and len(value) == 4 and all(isinstance(n, int) for n in value):
        return (value[0], value[1], value[2], value[3])
    return None
