"""[tool.envlock]: every key, every wrong type, named environments, and the messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from envlock.errors import UsageError
from envlock.lock.target import parse_target
from envlock.project.document import parse_toml
from envlock.project.settings.table import Settings, read_settings

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BASE = ("tool", "envlock")


def read(body: str, name: str | None = None) -> Settings:
    document = parse_toml(f"[tool.envlock]\n{body}\n", "pyproject.toml")
    return read_settings(document, BASE, name=name, now=NOW)


def fail(body: str, name: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(body, name)
    return caught.value


def test_nothing_is_all_defaults() -> None:
    settings = read_settings(parse_toml("", "p"), BASE, name=None, now=NOW)
    assert settings.as_of is None
    assert settings.requirements is None
    assert settings.targets == settings.python == settings.groups == ()
    assert settings.needs_python


@pytest.mark.parametrize(
    ("body", "attribute", "value"),
    [
        ('as-of = "2026-03-01"', "as_of", datetime(2026, 3, 1, tzinfo=UTC)),
        ("as-of = 2026-03-01", "as_of", datetime(2026, 3, 1, tzinfo=UTC)),
        ("as-of = 2026-03-01T12:00:00+02:00", "as_of", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("as-of = 2026-03-01 12:00:00Z", "as_of", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("as-of = 2026-03-01T12:00:00.75Z", "as_of", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ('python = "3.11"', "python", ("3.11",)),
        ('python = ["3.11", "3.12.4"]', "python", ("3.11", "3.12.4")),
        ('groups = ["Dev_Tools", "dev.tools", "a"]', "groups", ("a", "dev-tools")),
        ('extras = ["Plot"]', "extras", ("plot",)),
        ('requirements = ["requirements.in"]', "requirements", ("requirements.in",)),
        ("requirements = []", "requirements", ()),
        ('constraints = ["numpy<2"]', "constraints", ("numpy<2",)),
        ('overrides = ["numpy"]', "overrides", ("numpy",)),
        ('only-binary = [":all:"]', "only_binary", (":all:",)),
        ('no-binary = ["My_Pkg"]', "no_binary", ("my-pkg",)),
        ('allow-undated = ["./wheels"]', "allow_undated", ("./wheels",)),
        ('conda-ignore = ["MKL"]', "conda_ignore", ("mkl",)),
        ("prereleases = true", "prereleases", True),
        ("sources = false", "prereleases", False),
        ("[tool.envlock.os]\n[tool.envlock.nix]\n[tool.envlock.guix]", "python", ()),
    ],
)
def test_accepted(body: str, attribute: str, value: Any) -> None:
    assert getattr(read(body), attribute) == value


@pytest.mark.parametrize(
    ("body", "what", "line", "remedy"),
    [
        ('tragets = ["linux/amd64"]', "unknown key tool.envlock.tragets", 2, '"targets"'),
        ("as_of = 2026-01-01", "unknown key tool.envlock.as_of", 2, '"as-of"'),
        ("xyzzy = 1", "unknown key tool.envlock.xyzzy", 2, "known: "),
        ("groups = 'dev'", 'groups: expected a list of texts such as ["name"]', 2, ""),
        ("groups = [1]", "tool.envlock.groups[0]: expected a text", 2, ""),
        ("groups = ['']", "tool.envlock.groups[0]: expected a text", 2, ""),
        ("prereleases = 1", "prereleases: expected true or false", 2, ""),
        ("python = 3.10", "python: expected a text, not a number", 2, "quotes"),
        ("python = 3", "python: expected a text", 2, ""),
        ("python = []", "python: expected a text", 2, ""),
        ('python = ">=3.11"', "not '>=3.11'", 2, "requires-python"),
        ('python = "pypy3.10"', "not 'pypy3.10'", 2, "only CPython 3"),
        ('python = "2.7"', "not '2.7'", 2, "only CPython 3"),
        ("targets = []", "targets: expected at least one", 2, ""),
        ('targets = ["linux/x86_64"]', "unknown platform 'linux/x86_64'", 2, '"linux/amd64"'),
        ('targets = ["darwin/aarch64"]', "unknown platform", 2, '"macos/arm64"'),
        ('targets = ["linx/amd64"]', "unknown platform", 2, 'did you mean "linux/amd64"?'),
        (
            'targets = [\n "linux/amd64",\n "linux/arm64@3"]',
            "unknown Python '3'",
            4,
            '"linux/arm64@3.11"',
        ),
        ("as-of = 2026-03-01T12:00:00", "an instant without a zone", 2, "zone"),
        ("as-of = 12:00:00", "expected a date", 2, ""),
        ("as-of = 20260301", "expected a date", 2, ""),
        ('as-of = "2 weeks ago"', "'2 weeks ago' is not an absolute date", 2, "--as-of only"),
        ('as-of = "today"', "is not an absolute date", 2, "another date each day"),
        ("as-of = 2026-06-02", "in the future", 2, "past or the present"),
        ("as-of = 1980-01-01", "before 1990", 2, ""),
        ('as-of = "2026-02-30"', "day is out of range", 2, ""),
        ('sources = "yes"', "tool.envlock.sources: expected true or false", 2, ""),
        ("os = 1", "tool.envlock.os: expected a table", 2, ""),
        ("env = 1", "tool.envlock.env: expected tables", 2, ""),
        ('env.a = "b"', "tool.envlock.env.a: expected a table", 2, ""),
        ('[tool.envlock.env."a.b"]', "'a.b' cannot name an environment", 2, "no dots"),
        ("[tool.envlock.env.a]\nenv = {}", "unknown key tool.envlock.env.a.env", 3, ""),
        ("[tool.envlock.env.a]\ngruops = []", "unknown key tool.envlock.env.a.gruops", 3, "groups"),
    ],
)
def test_refused(body: str, what: str, line: int, remedy: str) -> None:
    error = fail(body)
    assert what in error.what
    assert error.where == f"pyproject.toml:{line}"
    assert remedy in (error.remedy or "")
    assert error.exit_code == 2


def test_table_itself_must_be_one() -> None:
    with pytest.raises(UsageError, match=r"tool\.envlock: expected a table"):
        read_settings(parse_toml("tool.envlock = 1", "p"), BASE, name=None, now=NOW)


def test_keys_at_top_level_in_envlock_toml() -> None:
    document = parse_toml('python = "3.12"\nbad = 1\n', "envlock.toml")
    with pytest.raises(UsageError, match="unknown key bad") as caught:
        read_settings(document, (), name=None, now=NOW)
    assert caught.value.where == "envlock.toml:2"


NAMED = """python = "3.11"
groups = ["dev"]
[tool.envlock.env.docs]
groups = ["docs"]
[tool.envlock.env.gpu]
targets = ["linux/amd64@3.12"]
"""


def test_named_environment_replaces_keys() -> None:
    docs = read(NAMED, "docs")
    assert (docs.groups, docs.python, docs.targets) == (("docs",), ("3.11",), ())
    assert docs.place("groups") == "pyproject.toml:5"
    assert docs.place("python") == "pyproject.toml:2"
    gpu = read(NAMED, "gpu")
    assert (gpu.groups, gpu.targets) == (("dev",), ("linux/amd64@3.12",))
    assert not gpu.needs_python
    assert read(NAMED).groups == ("dev",)


def test_unknown_environment() -> None:
    error = fail(NAMED, "dcos")
    assert error.what == 'there is no environment "dcos"'
    assert 'did you mean "docs"?' in (error.remedy or "")
    assert "docs, gpu" in (error.remedy or "")
    assert "[tool.envlock.env.docs]" in (fail("", "docs").remedy or "")


def test_errors_in_environments_show_even_when_not_chosen() -> None:
    assert "env.docs" in fail(NAMED.replace('groups = ["docs"]', "groups = 1")).what


def test_targets_are_the_product_with_pythons() -> None:
    settings = read('python = ["3.11", "3.12"]\ntargets = ["macos/arm64", "linux/amd64@3.13"]')
    found = settings.locked_targets(platform="linux/arm64", pythons=settings.python)
    keys = ["linux/amd64@3.13", "macos/arm64@3.11", "macos/arm64@3.12"]
    assert found == tuple(parse_target(key) for key in keys)


def test_no_targets_means_this_platform() -> None:
    found = read("").locked_targets(platform="linux/arm64", pythons=("3.13",))
    assert [t.key for t in found] == ["linux/arm64@3.13"]
