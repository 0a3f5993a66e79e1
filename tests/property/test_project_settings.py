"""Settings and places: any TOML value is read or refused by name; places point at the key."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

from envlock.errors import UsageError
from envlock.project.document import parse_toml
from envlock.project.formats.pyproject import read_project
from envlock.project.formats.uv_table import PYPROJECT_BASE, read_uv_dependencies, read_uv_options
from envlock.project.settings.table import read_settings

NOW = datetime(2026, 6, 1, tzinfo=UTC)
texts = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r"), max_size=8)
scalars = st.one_of(
    texts, st.integers(-5, 5), st.floats(allow_nan=False), st.booleans(), st.dates(), st.datetimes()
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
keys = st.sampled_from(
    [
        "as-of",
        "python",
        "targets",
        "groups",
        "extras",
        "requirements",
        "sources",
        "os",
        "nix",
        "env",
        "constraints",
        "overrides",
        "only-binary",
        "allow-undated",
        "prereleases",
        "other",
    ]
)


@given(st.dictionaries(keys, values, max_size=3))
@settings(deadline=None)
def test_any_settings_are_read_or_refused_by_name(table: dict[str, Any]) -> None:
    document = parse_toml(tomli_w.dumps({"tool": {"envlock": table}}), "pyproject.toml")
    error = None
    try:
        read_settings(document, ("tool", "envlock"), name=None, now=NOW)
    except UsageError as raised:
        error = raised
    if error is not None:
        assert (error.where or "").startswith("pyproject.toml:")
        assert error.remedy or "expected" in error.what


project_keys = st.sampled_from(
    ["name", "dependencies", "optional-dependencies", "dynamic", "requires-python"]
)
uv_keys = st.sampled_from(
    [
        "sources",
        "index",
        "index-url",
        "find-links",
        "prerelease",
        "no-build",
        "no-binary-package",
        "resolution",
        "constraint-dependencies",
        "override-dependencies",
        "dev-dependencies",
    ]
)


@given(
    st.one_of(values, st.dictionaries(project_keys, values, max_size=3)),
    st.one_of(values, st.dictionaries(uv_keys, values, max_size=3)),
    values,
)
@settings(deadline=None)
def test_any_pyproject_is_read_or_refused(project: Any, uv: Any, groups: Any) -> None:
    table = {"project": project, "tool": {"uv": uv}, "dependency-groups": groups}
    document = parse_toml(tomli_w.dumps(table), "pyproject.toml")
    root = Path("/nowhere")
    for read in (
        lambda: read_project(document, root=root, extras=("a",), groups=("dev",)),
        lambda: read_uv_dependencies(document, root=root),
        lambda: read_uv_options(document, PYPROJECT_BASE, root=root),
    ):
        with contextlib.suppress(UsageError):
            read()


names = st.text(alphabet="ab-_. é#=\u2028", min_size=1, max_size=4)


@given(
    st.dictionaries(names, st.one_of(values, st.dictionaries(names, values)), min_size=1),
    st.booleans(),
)
@example(table={"=": {}, "==": {"[": {}}}, multiline=False)
@example(table={"a": {"#]": {'"': 1}}, "]'": 2}, multiline=False)
@settings(deadline=None, max_examples=60)
def test_a_place_is_the_line_of_its_key(table: dict[str, Any], multiline: bool) -> None:
    """Oracle: the text before that line parses and lacks the key; the rest starts with it."""
    text = "# first\n" + tomli_w.dumps(table, multiline_strings=multiline)
    document = parse_toml(text, "f")
    lines = text.split("\n")
    for key in table:
        number = int(document.place((key,)).partition(":")[2])
        assert key not in tomli.loads("\n".join(lines[: number - 1]))
        assert next(iter(tomli.loads("\n".join(lines[number - 1 :])))) == key
