"""Why two runs differ: every layer is looked at, causes first."""

from __future__ import annotations

import copy
import json
from typing import Any

from envlock.runs.difference import Layer, differences

BLOBS = {
    "a": [["numpy", "2.1.3", "0" * 64], ["six", "1.16.0", ""]],
    "b": [["numpy", "2.2.0", "1" * 64], ["six", "1.16.0", ""], ["zeta", "1", ""]],
    "c": [["libc6", "amd64", "2.36", "installed"]],
    "d": [["libc6", "amd64", "2.36", "unpacked"]],
}
RECORD: dict[str, Any] = {
    "code": {"commit": "1" * 40, "untracked": [{"path": "x.py", "sha256": "x", "size": 1}]},
    "command": {"argv": ["job"], "directory": "."},
    "environment": {
        "python": {"version": "3.11.2", "packages-sha256": "a"},
        "os": {"packages-sha256": "c"},
    },
    "environment-hash": "env1-1",
    "exit": {"code": 0},
    "host": {"cpu": {"model": "one", "features": "avx sse"}, "variables": {"OMP_NUM_THREADS": "1"}},
    "inputs": [{"path": "data.csv", "sha256": "i"}],
    "metrics": {"loss": 1},
    "outputs": [{"path": "model", "sha256": "o"}],
    "parameters": {"lr": {"value": 0.1, "from": "argv"}},
}


def blob(sha256: str) -> bytes:
    if sha256 not in BLOBS:
        raise FileNotFoundError(sha256)
    return json.dumps(BLOBS[sha256]).encode()


def changed(**edits: Any) -> list[tuple[str, str, Any, Any]]:
    other = copy.deepcopy(RECORD)
    for path, value in edits.items():
        *parents, last = path.split("__")
        table = other
        for parent in parents:
            table = table[parent]
        table[last] = value
    found = differences(RECORD, other, blob=blob)
    assert [d.layer for d in found] == sorted((d.layer for d in found), key=list(Layer).index)
    return [(d.layer.value, d.subject, d.before, d.after) for d in found]


def test_the_same_run_does_not_differ() -> None:
    assert changed() == []
    assert differences({}, {}, blob=blob) == ()


def test_packages_one_by_one() -> None:
    assert changed(environment__python__version="3.11.3") == [
        ("environment", "python", "3.11.2", "3.11.3")
    ]
    edits = {"environment__python": {"version": "3.11.2", "packages-sha256": "b"}}
    edits["environment__os"] = {"packages-sha256": "d"}
    assert changed(**edits) == [
        ("environment", "numpy", f"2.1.3 (RECORD {'0' * 12})", f"2.2.0 (RECORD {'1' * 12})"),
        ("environment", "os:libc6:amd64", "2.36", "2.36 (unpacked)"),
        ("environment", "zeta", None, "1"),
    ]


def test_every_layer_and_its_order() -> None:
    assert changed(
        code__commit="2" * 40,
        code__untracked=[],
        inputs=[{"path": "data.csv", "problem": "missing"}],
        parameters={"lr": {"value": 0.2, "from": "given"}},
        command__argv=["job", "x"],
        host__variables={},
        metrics={"loss": 2, "auc": 1},
        outputs=[{"path": "model", "sha256": "p"}],
        exit={"code": 1},
    ) == [
        ("code", "commit", "1" * 40, "2" * 40),
        ("code", "x.py", "x", None),
        ("data", "data.csv", "i", "missing"),
        ("parameters", "lr", 0.1, 0.2),
        ("command", "argv", ["job"], ["job", "x"]),
        ("host", "variables.OMP_NUM_THREADS", "1", None),
        ("result", "exit", {"code": 0}, {"code": 1}),
        ("result", "metric auc", None, 1),
        ("result", "metric loss", 1, 2),
        ("result", "output model", "o", "p"),
    ]


def test_a_list_that_is_lost_says_less_and_no_wrong() -> None:
    found = changed(environment__python={"version": "3.11.2", "packages-sha256": "lost"})
    assert {(layer, before is None) for layer, _, before, _ in found} == {("environment", False)}
