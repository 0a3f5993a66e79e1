"""Parameters as they are given and guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.errors import UsageError
from envlock.runs import parameters


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python t.py --lr 0.1 --epochs=3 --fast -v out", {"lr": 0.1, "epochs": 3, "fast": True}),
        ("x --offset -3 --next --last", {"offset": -3, "next": True, "last": True}),
        ("x model=big +opt.lr=1e-3 a/b=2", {"model": "big", "opt.lr": 0.001, "a/b": 2}),
        ("x https://h/?q=1 -- --no 1", {}),
        ("--x 1", {}),
    ],
)
def test_from_a_command_line(line: str, expected: dict[str, object]) -> None:
    assert parameters.from_argv(line.split()) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1", 1), ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("true", True), ("True", "True")),
        *(("null", "null"), ('"x"', '"x"'), ("[1]", "[1]"), ("NaN", "NaN"), ("1e999", "1e999")),
        *(("007", "007"), ("", ""), ("1_000", "1_000"), ("+1.5e-3", 0.0015), ("5.", 5.0)),
    ],
)
def test_typed(text: str, value: object) -> None:
    found = parameters.typed(text)
    assert (type(found), found) == (type(value), value)


@given(st.lists(st.text(min_size=1)))
def test_no_command_line_is_too_strange(argv: list[str]) -> None:
    parameters.from_argv(["x", *argv])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.json", '{"a": {"b": 1, "c": [1, {"d": 2}]}, "e": null}'),
        ("p.yaml", "a:\n  b: 1\n  c: [1, {d: 2}]\ne:\n"),
        ("p.toml", "[a]\nb = 1\nc = [1, {d = 2}]\n"),
    ],
)
def test_files(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    found = parameters.from_file(str(path))
    assert found.pop("e", None) is None
    assert found == {"a.b": 1, "a.c": [1, {"d": 2}]}


@pytest.mark.parametrize(
    ("name", "content"),
    [("p.json", b"["), ("p.json", b"[1]"), ("p.toml", b"\xff"), ("p.yaml", b"a: [\n"), ("p", b"")],
)
def test_what_is_no_file_of_parameters(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError):
        parameters.from_file(str(path))


def test_given_twice() -> None:
    assert parameters.given(["a=1", "a=1"]) == {"a": 1}
    for wrong in (["a=1", "a=2"], ["a"], ["=1"]):
        with pytest.raises(UsageError):
            parameters.given(wrong)
