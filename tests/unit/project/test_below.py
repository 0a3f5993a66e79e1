"""Requirements in folders below, for the error of a folder that has none."""

from __future__ import annotations

from pathlib import Path

from envlock.project.below import advice, requirements_below, scripts_in


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


def test_lists_and_projects_are_found(tmp_path: Path) -> None:
    make(
        tmp_path,
        "backend/requirements-dev.txt",
        "backend/notes.txt",
        "requirements/base.in",
        "tools/deep/setup.cfg",
        "tools/deep/er/requirements.txt",
        ".git/requirements.txt",
        "venv/requirements.txt",
        "requirements.txt",
    )
    assert requirements_below(tmp_path) == (
        "backend/requirements-dev.txt",
        "requirements/base.in",
        "tools/deep/setup.cfg",
    )


def test_a_large_folder_is_not_walked_to_its_end(tmp_path: Path) -> None:
    make(tmp_path, *(f"p{number:02}/requirements.txt" for number in range(20)))
    assert len(requirements_below(tmp_path)) == 6


def test_advice_says_what_works(tmp_path: Path) -> None:
    assert advice(()) == ""
    assert advice(("a/pyproject.toml",)) == (
        "There is a/pyproject.toml: work in its folder: envlock -C a lock.\n"
    )
    said = advice(("a/requirements/base.txt", "b/requirements.txt"))
    assert 'requirements = ["b/requirements.txt"], or work in its folder: envlock -C b' in said


def test_scripts_with_metadata_are_found(tmp_path: Path) -> None:
    block = "# /// script\n# dependencies = []\n# ///\n"
    (tmp_path / "b.py").write_text("#!/usr/bin/env python3\n" + block)
    (tmp_path / "a.py").write_bytes(block.replace("\n", "\r\n").encode())
    (tmp_path / "none.py").write_text("print('# /// script')\n")
    (tmp_path / "folder.py").mkdir()
    assert scripts_in(tmp_path) == ("a.py", "b.py")
