"""What a program says of its run: every line counts by itself."""

from __future__ import annotations

import json
from pathlib import Path

from envlock.runs.notes import MOST, Notes
from envlock.runs.output import Metrics


def read(path: Path, *lines: object) -> tuple[Notes, Metrics]:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts))
    notes, metrics = Notes(), Metrics()
    notes.read(str(path), metrics)
    return notes, metrics


def test_all_that_can_be_said(tmp_path: Path) -> None:
    notes, metrics = read(
        tmp_path / "notes",
        {"metrics": {"loss": 1, "in": {"a": 2}}, "params": {"lr": 0.1, "net": {"depth": 3}}},
        {"metrics": {"loss": 0.5}, "unknown": {}},
        {"tags": ["a", 1], "log": "hello", "at": "now"},
        {"input": "/in", "state": [1, 2, 3, 4]},
        {"input": "/in", "state": [5, 6, 7, 8]},
        {"input": "/other", "state": "no"},
        {"output": "/out"},
        {"cell": {"source": "x", "number": 2}},
    )
    assert metrics.last() == {"loss": 0.5, "in.a": 2}
    assert metrics.series() == {"loss": [1, 0.5]}
    assert notes.params == {"lr": 0.1, "net.depth": 3}
    assert (notes.tags, notes.log) == (["a"], [{"at": "now", "text": "hello"}])
    assert notes.inputs == {"/in": (1, 2, 3, 4), "/other": None}
    assert (notes.outputs, notes.cells) == (["/out"], [{"source": "x", "number": 2}])
    assert notes.problems == []


def test_what_is_no_note_is_counted_and_harms_no_other(tmp_path: Path) -> None:
    deep = "[" * 100_000
    notes, metrics = read(
        tmp_path / "notes", "no json", "", "[1]", deep, '{"metrics": 3}', {"metrics": {"n": 1}}
    )
    assert metrics.last() == {"n": 1}
    assert notes.problems == ["lines of its notes that cannot be read: 3"]


def test_a_long_log_keeps_its_end(tmp_path: Path) -> None:
    notes, _ = read(tmp_path / "notes", *({"log": str(n)} for n in range(MOST + 5)))
    assert [notes.log[0]["text"], notes.log[-1]["text"]] == ["5", str(MOST + 4)]
    assert notes.problems == ["lines of its log and cells that were not kept: 5"]


def test_nothing_was_said(tmp_path: Path) -> None:
    notes = Notes()
    notes.read(str(tmp_path / "none"), Metrics())
    assert notes.problems == []
