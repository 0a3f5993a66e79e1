"""Two files that should be the same: what is close, and where they differ."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from envlock.runs.judge.files import judge_files
from envlock.runs.judge.findings import Found, Tolerance, Verdict

TOLERANCE = Tolerance(relative=1e-6, absolute=0.0)


def judged(folder: Path, name: str, one: bytes, other: bytes) -> Found:
    before, after = folder / "one", folder / "other"
    before.write_bytes(one)
    after.write_bytes(other)
    return judge_files(before, after, TOLERANCE, name=name, pythons=())


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("a.csv", b"x,y\n1,0.1\n", b"x,y\r\n1.0,0.10000000001\r\n"),
        ("a.csv", b'"a"\nnan\n-inf\n', b"a\nNaN\n-Infinity\n"),
        ("a.tsv", b"x\ty\n1e3\t2\n", b"x\ty\n1000\t2\n"),
        ("A.JSON", b'{"a": [1, 2.0], "b": null}', b'{"b": null,\n "a": [1.0, 2]}'),
        ("a.jsonl", b'{"a": 1}\n{"a": 0.5}\n', b'{"a": 1}\n{"a":0.50000000001}\n\n'),
        ("a.csv.gz", gzip.compress(b"x\n1\n", mtime=1), gzip.compress(b"x\n1\n", mtime=2)),
        ("a.csv.gz", gzip.compress(b"x\n1\n", mtime=3), gzip.compress(b"x\n1.0\n", mtime=3)),
    ],
)
def test_close(tmp_path: Path, name: str, one: bytes, other: bytes) -> None:
    assert judged(tmp_path, name, one, one).verdict is Verdict.IDENTICAL
    found = judged(tmp_path, name, one, other)
    assert (found.verdict, found.where) == (Verdict.CLOSE, None)


@pytest.mark.parametrize(
    ("name", "one", "other", "where"),
    [
        ("a.csv", b"x,y\n1,0.1\n", b"x,y\n1,0.2\n", "row 2, column 2 (y): 0.1 → 0.2"),
        ("a.csv", b"x\n1\n", b"x\n1\n2\n", "row 3: only in the repeat's"),
        ("a.csv", b"x\n1\n", b"x\n1,2\n", "row 2: 1 → 2 cells"),
        ("a.csv", b"x\n1_0\n", b"x\n10\n", "row 2, column 1 (x): 1_0 → 10"),
        ("a.csv", b"\xff\n", b"1\n", "byte 0 (2 → 2 bytes); not to be read as csv"),
        ("a.json", b'{"a": {"b": [1, 2]}}', b'{"a": {"b": [1, 3]}}', "$.a.b[1]: 2 → 3"),
        ("a.json", b'{"a": 1}', b'{"a": true}', "$.a: 1 → true"),
        ("a.json", b'{"a": 1}', b"{}", "$.a: 1 → nothing"),
        ("a.json", b'{"a": 1}', b'{"a": ', "; not to be read as json"),
        ("a.json", b"[" * 99999, b"1", "not to be read as json"),
        ("a.jsonl", b"1\n2\n", b"1\n", "line 2: $: 2 → nothing"),
        ("a.txt", b"one\ntwo\nthree\n", b"one\ntwo\n", "line 3: three → nothing"),
        ("a.bin", b"\0\1\2", b"\0\1\3\4", "byte 2 (3 → 4 bytes)"),
        ("a.gz", b"no gzip", b"nor this", "cannot be unpacked"),
        ("a.npy", b"one", b"two", "line 1: one → two; not compared as npy: no Python to do it"),
    ],
)
def test_different(tmp_path: Path, name: str, one: bytes, other: bytes, where: str) -> None:
    found = judged(tmp_path, name, one, other)
    assert found.verdict is Verdict.DIFFERENT
    assert found.where is not None
    assert where in found.where


def test_a_notebook_that_is_run_again_is_close(tmp_path: Path) -> None:
    """When and how long its cells were run, and their random ids, do not count; all else does."""

    def notebook(second: int, name: str, result: str) -> bytes:
        when = {"start_time": f"10:00:{second}", "end_time": "11:00", "duration": second}
        cell = {
            "cell_type": "code",
            "id": name,
            "metadata": {"execution": {"iopub.status.busy": second}, "papermill": when},
            "outputs": [{"output_type": "stream", "text": [result]}],
            "source": ["print(x)"],
        }
        told = {"papermill": {**when, "parameters": {"lr": 0.1}}}
        return json.dumps({"cells": [cell], "metadata": told, "nbformat": 4}).encode()

    found = judged(tmp_path, "a.ipynb", notebook(1, "a", "x"), notebook(2, "b", "x"))
    assert (found.verdict, found.how, found.where) == (Verdict.CLOSE, "notebook", None)
    found = judged(tmp_path, "a.ipynb", notebook(1, "a", "x"), notebook(1, "a", "y"))
    assert (found.verdict, found.where) == (
        Verdict.DIFFERENT,
        '$.cells[0].outputs[0].text[0]: "x" → "y"',
    )
    for odd in (b"[]", b'{"cells": {"a": []}}', b'{"cells": [1], "metadata": []}'):
        assert judged(tmp_path, "a.ipynb", odd, b"{}").verdict is Verdict.DIFFERENT


def test_the_largest_error_is_told(tmp_path: Path) -> None:
    found = judged(tmp_path, "a.csv", b"1000000,1\n", b"1000000.5,1.0000001\n")
    assert found.absolute == 0.5
    assert found.relative == pytest.approx(5e-7)
