"""envlock init keeps files: old text first, nothing else changes its meaning, in any layout."""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli
import tomli_w
from hypothesis import assume, given
from hypothesis import strategies as st

from envlock.errors import UsageError
from envlock.project.formats.script import find_block
from envlock.project.init import InitPlan, insert_table, plan_init

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TABLE = ["python = '3.11'", "groups = ['dev']"]
keys = st.sampled_from(["tool", "project", "a", "b.c", "x y", "envlock", "ruff"])
scalars = st.one_of(st.text(max_size=6), st.integers(), st.booleans(), st.dates())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)
comments = st.text(alphabet="# abc[]=\"'é", max_size=12).map(lambda text: f"# {text}")


@st.composite
def toml_texts(draw: st.DrawFn) -> str:
    """TOML with comments, blank lines, other newlines, maybe no final one, maybe a BOM."""
    table = draw(st.dictionaries(keys, values, max_size=4))
    lines = tomli_w.dumps(table).split("\n")
    for _ in range(draw(st.integers(0, 3))):
        lines.insert(draw(st.integers(0, len(lines))), draw(st.one_of(comments, st.just(""))))
    text = draw(st.sampled_from(["\n", "\r\n"])).join(lines)
    if draw(st.booleans()):
        text = text.rstrip("\r\n")
    return draw(st.sampled_from(["", "\ufeff"])) + text


def parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomli.loads(text.removeprefix("\ufeff"))
    except tomli.TOMLDecodeError:
        return None


@given(toml_texts())
def test_a_table_is_added_and_nothing_else(text: str) -> None:
    old = parsed(text)
    assume(old is not None)
    assert old is not None
    tool = old.get("tool")
    assume(not (isinstance(tool, dict) and "envlock" in tool))
    try:
        new_text = insert_table(text, TABLE, shown="p")
    except UsageError:
        # Only where `tool` is there in a closed form.
        assert tool is not None
        return
    assert new_text.startswith(text)
    assert new_text.endswith("\n")
    added = new_text[len(text) :].replace("\r\n", "\n").lstrip("\n")
    assert added == "".join(f"{line}\n" for line in ["[tool.envlock]", *TABLE])
    if "\r\n" in text and "\n" not in text.replace("\r\n", ""):
        assert "\n" not in new_text.replace("\r\n", "")
    new = parsed(new_text)
    assert new is not None
    assert new["tool"].pop("envlock") == {"python": "3.11", "groups": ["dev"]}
    if not new["tool"] and tool is None:
        del new["tool"]
    assert new == old


def attempt(folder: Path) -> InitPlan | UsageError:
    """The plan for ``t.py``, or the error that planning raises."""
    try:
        return plan_init(
            folder,
            python=None,
            running="3.11",
            platforms=("linux/amd64",),
            script=Path("t.py"),
            now=NOW,
        )
    except UsageError as error:
        return error


code = st.lists(
    st.sampled_from(["import os", "", "# note", "#", "x = '''", "'''", "\x0c", "# ///", "if x:"]),
    max_size=5,
)
blocks = st.lists(
    st.sampled_from(["#", "# dependencies = []", "# [tool.x]", "# ///", "# # c", "# [tool.y]"]),
    max_size=4,
    unique=True,
)


@given(
    code,
    st.one_of(st.none(), blocks),
    code,
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from(["", "\ufeff"]),
)
def test_a_script_keeps_its_lines(
    before: list[str],
    block: list[str] | None,
    after: list[str],
    newline: str,
    final: bool,
    mark: str,
) -> None:
    middle = [] if block is None else ["# /// script", *block, "# ///"]
    text = mark + newline.join([*before, *middle, *after]) + (newline if final else "")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.py"
        path.write_bytes(text.encode())
        plan = attempt(Path(folder))
    if isinstance(plan, UsageError):
        # A block of ours may be no TOML; one that we write always is.
        assert block is not None or "not TOML" not in plan.what
        return
    old_lines = re.findall(r"[^\n]*\n|[^\n]+", text.removeprefix(mark))
    new_lines = re.findall(r"[^\n]*\n|[^\n]+", plan.content.removeprefix(mark))
    assert plan.content.startswith(mark)
    rest = iter(new_lines)
    for line in old_lines:
        assert any(new.rstrip("\r\n") == line.rstrip("\r\n") for new in rest)
    match = find_block(plan.content.replace("\r\n", "\n").removeprefix("\ufeff"), shown="t.py")
    assert match is not None
    metadata = tomli.loads(re.sub(r"(?m)^# ?", "", match["content"]))
    assert metadata["tool"]["envlock"] == {"python": "3.11", "targets": ["linux/amd64"]}
