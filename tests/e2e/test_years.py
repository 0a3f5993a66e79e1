"""Old projects come back from their date, and the page says what became of each."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from support.tools import run, script

ROOT = Path(__file__).parents[2]
PROJECTS = {path.parent.name: path.parent for path in ROOT.glob("examples/years/*/check.py")}
RELEASES = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie"}
SERIES = f"{sys.version_info[0]}.{sys.version_info[1]}"


def test_the_page_has_a_row_for_every_project() -> None:
    rows = {
        cells[0]: cells
        for line in (ROOT / "docs/years.md").read_text().splitlines()
        if len(cells := [cell.strip() for cell in line.strip("|").split(" | ")]) == 9
    }
    rows.pop("project")
    rows.pop("---")
    since = tomllib.loads((ROOT / "examples/years/since.toml").read_text())
    assert set(rows) == set(PROJECTS) == set(since)
    assert len(rows) >= 30
    for name, folder in PROJECTS.items():
        said = tomllib.loads((folder / "envlock.toml").read_text())
        wishes = (folder / "requirements.txt").read_text().split()
        release = RELEASES.get(said["python"])
        python = said["python"] + (f" of {release}" if release else "")
        assert rows[name][1:4] == [", ".join(wishes), said["as-of"], python]
        assert name.startswith(said["as-of"][:4])
        assert rows[name][5] == "works"
        assert rows[name][8] == since[name]
        # What changed is told where something broke, and nowhere else.
        fine = rows[name][6] == rows[name][7] == "works"
        assert fine == (since[name] == "nothing that it uses"), name


@pytest.mark.network
@pytest.mark.parametrize(
    ("name", "package", "locked"),
    [
        ("2021-letters", "markupsafe", r"2\.0\.1"),
        ("2023-retries", "urllib3", r"1\.26\.15"),
    ],
)
def test_it_works_as_of_its_date(name: str, package: str, locked: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(PROJECTS[name], folder)
    settings = folder / "envlock.toml"
    # With the Python at hand: what breaks them without a date does so with any.
    settings.write_text(re.sub(r'python = ".*"', f'python = "{SERIES}"', settings.read_text()))
    run([script("envlock"), "lock"], cwd=folder, timeout=300)
    packages = {
        entry["name"]: entry["version"]
        for entry in tomllib.loads((folder / "pylock.toml").read_text())["packages"]
    }
    assert re.fullmatch(locked, packages[package])
    run([script("envlock"), "rebuild", "--into", "then"], cwd=folder, timeout=300)
    run([str(folder / "then/bin/python"), "check.py"], cwd=folder, timeout=60)
