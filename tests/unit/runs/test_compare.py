"""Runs side by side: which columns, in which order, and how they are told."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from envlock.cli.runs import tables
from envlock.runs.compare import Part, columns
from envlock.runs.parameters import arguments, from_argv

IDS = ["20231114T221320Z-00000000000a", "20231114T221321Z-00000000000b"]
HOSTILE = '=cmd|"x"\n\x1b[31m<b>`|'


def record(**more: Any) -> dict[str, Any]:
    return {
        "command": {"argv": ["python", "train.py", "--lr", "0.1"], "directory": "."},
        "exit": {"code": 0},
        "host": {"cpu": {"model": "one"}},
        "parameters": {"lr": {"value": 0.1, "from": "argv"}, "seed": {"value": 1, "from": "x"}},
        "metrics": {"loss": 0.5},
        **more,
    }


def found(*records: dict[str, Any], **more: Any) -> list[tuple[str, str, tuple[Any, ...]]]:
    return [(c.part.value, c.name, c.values) for c in columns(records, blob=no_blob, **more)]


def no_blob(sha256: str) -> bytes:
    raise FileNotFoundError(sha256)


def test_only_what_differs() -> None:
    other = record(
        command={"argv": ["python", "train.py", "--lr", "0.2"], "directory": "."},
        parameters={"lr": {"value": 0.2, "from": "argv"}, "seed": {"value": 1, "from": "x"}},
        metrics={"loss": 0.25, "more": True},
        exit={"signal": 9, "name": "SIGKILL", "core": False},
        inputs=[{"path": "in", "sha256": "a"}],
        outputs=[{"path": "out", "sha256": "b"}],
    )
    assert found(record(), other) == [
        ("parameters", "lr", (0.1, 0.2)),
        ("metrics", "loss", (0.5, 0.25)),
        ("metrics", "more", (None, True)),
        ("exit", "exit", ("0", "SIGKILL")),
        ("data", "in", (None, "a")),
        ("output", "out", (None, "b")),
    ]
    assert found(record(), record()) == []
    assert found(record(), other, parts=[Part.EXIT]) == [("exit", "exit", ("0", "SIGKILL"))]
    everything = found(record(), other, everything=True)
    assert ("parameters", "seed", (1, 1)) in everything
    assert [row[0] for row in everything] == sorted(
        (row[0] for row in everything), key=[part.value for part in Part].index
    )


def test_one_and_true_are_not_the_same() -> None:
    values = [record(metrics={"m": value}) for value in (1, True, 1.0)]
    assert found(*values) == [("metrics", "m", (1, True, 1.0))]


def test_a_command_differs_by_what_is_no_parameter() -> None:
    for argv in (["python", "other.py", "--lr", "0.1"], ["python", "train.py", "more"]):
        [(part, name, _)] = found(record(), record(command={"argv": argv, "directory": "."}))
        assert (part, name) == ("command", "argv")
    argv = ["p", "a", "--n", "1", "b", "--flag", "-v", "--x=2", "y=3", "--", "--z", "4"]
    assert arguments(argv) == ["a", "b", "-v", "--", "--z", "4"]
    assert from_argv(argv) == {"n": 1, "flag": True, "x": 2, "y": 3}


def parsed(*values: Any) -> Any:
    records = [record(parameters={"k": {"value": v, "from": "x"}}) for v in values]
    return columns(records, blob=no_blob, parts=[Part.PARAMETERS])


def test_tables_hold_hostile_values() -> None:
    made = parsed(HOSTILE, "-1")
    [head, *rows] = list(csv.reader(io.StringIO(tables.csv_text(IDS, made), newline="")))
    assert head == ["run", "parameters k"]
    assert rows == [[IDS[0], '\'=cmd|"x"\\n\\x1b[31m<b>`|'], [IDS[1], "'-1"]]
    assert tables.csv_text(IDS, parsed(-1, 2)).splitlines()[1:] == [f"{IDS[0]},-1", f"{IDS[1]},2"]
    lines = tables.markdown(IDS, made).splitlines()
    assert len(lines) == 4
    assert "<b>" not in lines[2]
    assert lines[2].replace("\\|", "").count("|") == 3
    for width in (None, 40):
        text = "\n".join(tables.plain(IDS, made, width=width))
        assert "\x1b[31m" not in text


def test_values_that_differ_never_look_alike() -> None:
    for values in (
        ["x" * 100, "x" * 101],
        ["a" * 40 + "1" + "b" * 90, "a" * 40 + "2" + "b" * 90],
        ["0" * 64, "0" * 63 + "1"],
        ["1", 1.5],
    ):
        [column] = parsed(*values)
        *_, one, other = (line.split()[-1] for line in tables.plain(IDS, [column], width=60))
        assert one != other
        assert max(len(one), len(other)) <= 28


def test_what_does_not_fit_stands_below() -> None:
    other = record(metrics={f"metric-{n}": n for n in range(9)})
    made = columns([record(), other], blob=no_blob)
    wide = list(tables.plain(IDS, made, width=None))
    assert len(wide) == 4
    narrow = list(tables.plain(IDS, made, width=30))
    assert max(map(len, narrow)) <= 30
    assert sum("metric-" in line for line in narrow) == 9
    assert sum("00000000000b" in line for line in narrow) == narrow.count("") + 1


def test_parts_with_many_columns_are_cut_for_people() -> None:
    other = record(metrics={f"{n:03}": n for n in range(30)})
    made = columns([record(), other], blob=no_blob)
    shown, hidden = tables.most_telling(made)
    assert hidden == {"metrics": 19}
    assert len(shown) == 12
    assert json.dumps(hidden)
