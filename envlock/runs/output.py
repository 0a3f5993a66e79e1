"""What a program said: how much, its digest, its last lines, and the metrics in it."""

from __future__ import annotations

import json
import re

from envlock.io.sha256 import Sha256

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from typing import Any

    from envlock.runs.secrets import Hider

TAIL = 4096
"""Bytes of a stream's end that stand in the record."""
LONGEST_LINE = 65536
"""Bytes of a line in which metrics are looked for."""
MOST_POINTS = 10_000
"""Values of one metric that are kept one by one; of more, the last ones."""

_MARK = b"ENVLOCK {"
_METRICS = rb"(?m)^[ \t]*ENVLOCK (\{.*\})[ \t\r]*$"


class Listener:
    """Hears one stream, piece by piece."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._digest = Sha256()
        self._size = 0
        self._tail = b""
        self._line = b""

    def take(self, piece: bytes) -> None:
        """The next bytes."""
        self._size += len(piece)
        self._digest.update(piece)
        self._tail = (self._tail + piece)[-TAIL:] if len(piece) < TAIL else piece[-TAIL:]
        data = self._line + piece
        end = data.rfind(b"\n") + 1
        if end and _MARK in data:
            self._metrics.take_lines(data[:end])
        rest = data[end:]
        # Only a line that can still become one of ours is waited for.
        self._line = rest if len(rest) <= LONGEST_LINE else b""

    def facts(self, hider: Hider) -> dict[str, Any]:
        """For the record; call it when the stream has ended."""
        if _MARK in self._line:
            self._metrics.take_lines(self._line)
            self._line = b""
        text = self._tail.decode("utf-8", "replace")
        if self._size > len(self._tail):
            # Not from the middle of a character or, if lines are not too long, of a line.
            text = text.partition("\n")[2] or text.lstrip("\ufffd")
        return {
            "bytes": self._size,
            "sha256": self._digest.hexdigest(),
            "tail": hider.said(text),
        }


class Metrics:
    """Numbers that a run says about itself: ``ENVLOCK {"loss": 0.25, "step": 3}`` in a line."""

    def __init__(self) -> None:
        self._points: dict[str, list[Any]] = {}

    def take_lines(self, data: bytes) -> None:
        """Whole lines of output; what is not JSON is the program's own business."""
        for match in re.finditer(_METRICS, data):
            try:
                values = json.loads(match[1])
            except (ValueError, RecursionError):
                continue
            self.take(values)

    def take(self, values: Any, prefix: str = "") -> None:
        """A table of values, nested ones by dotted names; lists and nulls are left out."""
        if not isinstance(values, dict):
            return
        for name, value in values.items():
            if isinstance(value, dict):
                self.take(value, f"{prefix}{name}.")
            elif isinstance(value, bool | int | float | str):
                points = self._points.setdefault(f"{prefix}{name}", [])
                points.append(_plain(value))
                del points[:-MOST_POINTS]

    def last(self) -> dict[str, Any]:
        """The last value of each."""
        return {name: points[-1] for name, points in self._points.items()}

    def series(self) -> dict[str, list[Any]]:
        """All values of those that came more than once."""
        return {name: points for name, points in self._points.items() if len(points) > 1}


def _plain(value: Any) -> Any:
    """JSON has no infinities: they become the words that Python's ``float`` reads."""
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return str(value)
    return value
