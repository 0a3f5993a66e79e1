"""Places in TOML files: the line of a key, of a list item, of a syntax error."""

from __future__ import annotations

from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.project.document import nearest, parse_toml, read_toml, shown_path

TEXT = '''# tool.envlock = 1
[project]
name = "demo"
description = """
[tool.envlock]
groups = ["not here"]
"""
dependencies = [
  "numpydoc",
  "numpy",
]

[tool]
"envlock".groups = ["dev"]

[[tool.uv.index]]
url = "https://one.example.org"

[[ tool.uv.index ]]  # the second one
url = "https://two.example.org"
[tool.'quoted.name'.sub]
key = 1
'''


@pytest.mark.parametrize(
    ("path", "item", "line"),
    [
        (("project",), None, 2),
        (("project", "name"), None, 3),
        (("project", "dependencies"), None, 8),
        (("project", "dependencies"), "numpydoc", 9),
        (("project", "dependencies"), "numpy", 10),
        (("tool", "envlock", "groups"), None, 14),
        (("tool", "uv", "index"), "https://two.example.org", 20),
        (("tool", "quoted.name", "sub", "key"), None, 22),
        # Nothing of its own: the deepest table that is there.
        (("project", "missing"), None, 2),
    ],
)
def test_place(path: tuple[str, ...], item: str | None, line: int) -> None:
    document = parse_toml(TEXT, "pyproject.toml")
    assert document.place(path, item) == f"pyproject.toml:{line}"


def test_place_counts_lines_before_the_text() -> None:
    assert parse_toml("a = 1\nb = 2\n", "s.py", before=10).place(("b",)) == "s.py:12"


def test_nowhere_names_the_file() -> None:
    assert parse_toml("a = 1", "x.toml").place(("tool", "envlock")) == "x.toml"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a = 1\nb = \n", 2, 5), ("a = [1\n", 2, 1), ("a = 1\na = 2\n", 2, 6), ("[x\n", 1, 3)],
)
def test_syntax_error(text: str, line: int, column: int) -> None:
    with pytest.raises(UsageError, match="not TOML") as caught:
        parse_toml(text, "pyproject.toml")
    assert caught.value.where == f"pyproject.toml:{line}"
    assert f"line {line}, column {column}" in caught.value.what


def test_an_unfinished_merge_is_called_so() -> None:
    text = "a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> other\n"
    with pytest.raises(UsageError, match="unfinished merge") as caught:
        parse_toml(text, "pyproject.toml", before=10)
    assert caught.value.where == "pyproject.toml:12"


def test_not_a_table_on_the_way() -> None:
    with pytest.raises(UsageError, match="tool: expected a table") as caught:
        parse_toml("x = 1\ntool = 3\n", "p.toml").get("tool", "envlock")
    assert caught.value.where == "p.toml:2"


def test_list_of_texts() -> None:
    document = parse_toml('a = ["x"]\nb = [1]\n', "p.toml")
    assert document.texts("a") == ("x",)
    assert document.texts("none") == ()
    with pytest.raises(UsageError, match="b: expected a list of texts"):
        document.texts("b")


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_toml(tmp_path / "x.toml", "x.toml")
    (tmp_path / "x.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_toml(tmp_path / "x.toml", "x.toml")


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert read_toml(tmp_path / "x.toml", "x.toml").table == {"a": 1}


def test_shown_path(tmp_path: Path) -> None:
    assert shown_path(tmp_path / "a" / ".." / "b.txt", tmp_path) == "b.txt"
    assert shown_path(tmp_path.parent / "b.txt", tmp_path) == str(tmp_path.parent / "b.txt")


def test_nearest() -> None:
    assert nearest("tragets", ["targets", "groups"]) == 'did you mean "targets"?'
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    assert nearest("zzz", []) == "there are none here"
