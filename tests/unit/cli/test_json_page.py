"""docs/json.md says what ``--json`` gives: the keys of every example."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.samples import package, small_lock

from envlock.cli.app import COMMANDS
from envlock.lock import codec
from envlock.lock.diff import ChangeKind

PAGE = (Path(__file__).parents[3] / "docs" / "json.md").read_text()
LOCK = small_lock(
    package("aa", needs=("bb",)), package("bb", marker="python_version < '3.98'"), wishes=("aa",)
)


def section(command: str) -> str:
    match = re.search(rf"^## envlock {command}\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M)
    assert match, f"no section for {command}"
    return match[1]


def example(command: str, number: int = 0) -> Any:
    return json.loads(re.findall(r"^```json\n(.*?)^```", section(command), re.S | re.M)[number])


def shape(value: Any) -> Any:
    """Keys, at every depth; of a list, those of its first element."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return None


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "completion"])
def test_every_command_has_an_example_with_sorted_keys(command: str) -> None:
    found = example(command)
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("init", ["--dry-run", "--platform", "linux/amd64", "--python", "3.11"]),
        ("check", ["--python-only"]),
        ("explain", ["PY003"]),
        ("diff", ["pylock.other.toml"]),
        ("why", ["bb"]),
        ("tree", []),
        ("hash", []),
        ("export", ["requirements", "-o", "out.txt"]),
        ("cache", ["size"]),
    ],
)
def test_the_examples_have_the_keys_that_the_commands_give(
    envlock: Any, folder: Path, command: str, arguments: list[str]
) -> None:
    other = small_lock(package("aa", "0.9", needs=("bb",)), package("bb"))
    (folder / "pylock.other.toml").write_text(codec.dump(other))
    ran = envlock(command, *arguments, "--json", lock=LOCK)
    expected = example(command)
    if command == "diff":
        expected["settings"] = []
    assert _filled(shape(ran.json), shape(expected)) == shape(expected)
    assert ran.out == json.dumps(ran.json, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _filled(found: Any, expected: Any) -> Any:
    """An empty list may stand where the example has elements."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return {key: _filled(value, expected.get(key)) for key, value in found.items()}
    if found == [] and isinstance(expected, list):
        return expected
    if isinstance(found, list) and isinstance(expected, list) and expected:
        return [_filled(found[0], expected[0])]
    return found


def test_the_table_of_changes_is_whole() -> None:
    [table] = re.findall(r"^\| kind .*?(?=\n\n|\Z)", section("diff"), re.S | re.M)
    assert {k.value for k in ChangeKind} <= set(re.findall(r"`([a-z]+)`", table))
