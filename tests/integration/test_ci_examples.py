"""examples/ci and .pre-commit-hooks.yaml: valid for those who read them, with options there are."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest
from support.tools import run

from envlock.cli.app import COMMANDS

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"


@pytest.mark.parametrize(
    ("schema", "name"),
    [("github-workflows", "github.yml"), ("gitlab-ci", "gitlab-ci.yml")],
)
def test_jobs_are_valid_by_their_services_schema(schema: str, name: str) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    run([*check, CI / name])


def test_hooks_are_valid_for_pre_commit(tmp_path: Path) -> None:
    pre_commit = [sys.executable, "-m", "pre_commit"]
    env = {"PRE_COMMIT_HOME": str(tmp_path)}
    run([*pre_commit, "validate-manifest", ROOT / ".pre-commit-hooks.yaml"], env=env)
    run([*pre_commit, "validate-config", CI / "pre-commit-config.yaml"], env=env)
    hooks = re.findall(r"^- id: (.*)$", (ROOT / ".pre-commit-hooks.yaml").read_text(), re.M)
    used = re.findall(r"^ +- id: (.*)$", (CI / "pre-commit-config.yaml").read_text(), re.M)
    assert set(used) <= set(hooks)


def test_every_command_and_option_in_them_is_there() -> None:
    called = re.compile(rf"\benvlock ((?:{'|'.join(COMMANDS)})\b[^\n|>&#`]*)")
    files = [*CI.iterdir(), ROOT / ".pre-commit-hooks.yaml"]
    calls = [call for path in files for call in called.findall(path.read_text())]
    assert len(calls) > 8
    for call in calls:
        name, *words = call.split()
        command = importlib.import_module(f"envlock.cli.{name}").command
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, call
