"""The project of a run is that of ``envlock.project.locate``, and there is always an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from envlock.project.locate import locate
from envlock.runs.place import find_place


@pytest.mark.parametrize(
    ("files", "root"),
    [
        ({"pyproject.toml": "[project]\nname = 'a'\nversion = '1'\n"}, "."),
        (
            {"pyproject.toml": "[dependency-groups]\na = []\n", "a/pyproject.toml": "[x]\n"},
            ".",
        ),
        ({"envlock.toml": "", "a/b/pyproject.toml": "[tool.ruff]\n"}, "."),
        ({"pyproject.toml": "[project]\n", "a/pyproject.toml": "[tool.envlock.os]\nx = 1\n"}, "a"),
    ],
)
def test_as_locate(tmp_path: Path, files: dict[str, str], root: str) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = find_place(str(deep), None)
    assert Path(found.root) == tmp_path / root == locate(deep).root
    assert Path(found.lock) == locate(deep).lock_path
    assert Path(find_place(str(deep), "x").lock).name == "pylock.x.toml"


def test_without_a_project(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_place(str(deep), None).root == str(deep)
    (tmp_path / ".git").mkdir()
    assert find_place(str(deep), None).root == str(tmp_path)
    (tmp_path / "a" / ".envlock").mkdir()
    assert find_place(str(deep), None).root == str(tmp_path / "a")
    assert find_place(str(deep), None).fallback != find_place(str(tmp_path), None).fallback
