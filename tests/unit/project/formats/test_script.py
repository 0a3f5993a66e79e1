"""PEP 723 blocks: found as the standard's pattern finds them, with lines of the script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.project.formats.script import parse_script, read_script, read_script_part

Write = Callable[[str, str], Path]

SCRIPT = """#!/usr/bin/env python
# /// other
# [x]
# ///
'''text'''
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "Rich",
#   "httpx<1; os_name == 'posix'",
# ]
#
# [tool.envlock]
# python = "3.12"
# ///
import rich
"""


def test_metadata() -> None:
    document = parse_script(SCRIPT, shown="tool.py")
    part = read_script_part(document, root=Path("/nowhere"))
    assert [(w.text, w.origin) for w in part.wishes] == [
        ("rich", "tool.py:9"),
        ('httpx<1; os_name == "posix"', "tool.py:10"),
    ]
    assert part.requires_python == ">=3.11"
    assert document.place(("tool", "envlock", "python")) == "tool.py:14"


def test_line_endings_of_windows(write: Write) -> None:
    path = write("t.py", SCRIPT.replace("\n", "\r\n"))
    assert read_script(path, shown="t.py").texts("dependencies")[0] == "Rich"


def test_local_sources_count_from_the_scripts_folder(write: Write, tmp_path: Path) -> None:
    write("lib/pyproject.toml", '[project]\nname = "lib"\n')
    text = (
        '# /// script\n# dependencies = ["lib"]\n# [tool.uv.sources]\n'
        '# lib = { path = "lib", editable = true }\n# ///\n'
    )
    (wish,) = read_script_part(parse_script(text, shown="t.py"), root=tmp_path).wishes
    assert (wish.text, wish.editable) == ("lib @ file:lib", True)


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("import os\n", "no inline metadata", "t.py"),
        ("# /// script\n# a = 1\n", "no inline metadata", "t.py"),
        ("# /// script\n# x = 1\n# ///\n\n# /// script\n# x = 1\n# ///\n", "a second", "t.py:5"),
        ("import a\n# /// script\n# x = \n# ///\n", "not TOML", "t.py:3"),
        ("# /// script\n# deps = []\n# ///\n", "unknown key 'deps'", "t.py:2"),
        ("# /// script\n# dependencies = 'x'\n# ///\n", "expected a list of texts", "t.py:2"),
        ("# /// script\n# dependencies = ['x =>1']\n# ///\n", "'x =>1' is not a", "t.py:2"),
        ("# /// script\n# requires-python = 'new'\n# ///\n", "expected a version", "t.py:2"),
    ],
)
def test_refused(text: str, what: str, where: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_script_part(parse_script(text, shown="t.py"), root=Path("/nowhere"))
    assert what in caught.value.what
    assert caught.value.where == where


def test_the_remedy_for_a_script_without_metadata() -> None:
    with pytest.raises(UsageError) as caught:
        parse_script("", shown="t.py")
    assert "envlock init --script t.py" in (caught.value.remedy or "")
