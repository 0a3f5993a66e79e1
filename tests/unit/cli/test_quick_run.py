"""``envlock run`` is read by hand, quickly: the same options as click has."""

from __future__ import annotations

import importlib
from typing import Any

import click
import pytest

from envlock.cli.quick_run import CAPTURE, SEVERAL, SINGLE, TRACE, parse

command = importlib.import_module("envlock.cli.run").command
WITH_VALUE = {*SINGLE, *SEVERAL, "--capture", "--trace"}


def test_both_know_the_same_options() -> None:
    options = [o for o in command.params if isinstance(o, click.Option) and not o.hidden]
    named = {name for option in options for name in option.opts}
    assert named == {*WITH_VALUE, "--strict"}
    assert {n for o in options if o.multiple for n in o.opts} == set(SEVERAL)
    choices = [o.type for o in options if isinstance(o.type, click.Choice)]
    assert [tuple(choice.choices) for choice in choices] == [CAPTURE, TRACE]


@pytest.mark.parametrize(
    "line",
    [
        "run -- cmd -m x --strict",
        "run cmd -- --tag x",
        "run -m why --tag=a --tag b --param k=v=w --strict -- cmd",
        "run --capture never --input a --output=b --params p --metrics m --group g --name n cmd",
        "run --message=why -- -- cmd",
        "run --tag= --trace never cmd",
    ],
)
def test_both_read_a_line_alike(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = line.split()
    parsed = parse(arguments)
    assert parsed is not None
    seen: list[Any] = []
    monkeypatch.setattr("envlock.cli.run.execute", lambda order, quiet: seen.append(order) or 0)
    from envlock.cli.app import run

    assert run(arguments) == 0
    assert vars(parsed[0]) == vars(seen[0])


@pytest.mark.parametrize(
    "line",
    [
        *("run", "run --", "run --help", "run --unknown x", "run -m", "run -mx cmd", "run --tag"),
        *("run --capture loud x", "lock run", "runs list", "run --strict=yes x", "-C there run x"),
    ],
)
def test_what_is_not_plain_goes_to_click(line: str) -> None:
    assert parse(line.split()) is None


def test_quiet() -> None:
    for line in ("-q run x", "run --quiet x"):
        parsed = parse(line.split())
        assert parsed is not None
        assert parsed[1]
    assert parse(["run", "x", "-q"]) is not None
