"""The README's first command, in a fresh copy of the checkout: it works, twice, without a mess."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from support.tools import run

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("scripts")]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a clone of the present state would hold, as a git repository of its own."""
    folder = tmp_path / "clone"
    listed = run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    run(["git", "init", "--quiet"], cwd=folder)
    run(["git", "add", "--all"], cwd=folder)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    run(["git", *identity, "commit", "--quiet", "--message", "clone"], cwd=folder)
    return folder


def test_the_quickstart_works_and_works_again(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The development environment must not help.
    kept = [p for p in os.environ["PATH"].split(os.pathsep) if ".venv" not in p]
    monkeypatch.setenv("PATH", os.pathsep.join(kept))
    for variable in ("VIRTUAL_ENV", "PYTHONPATH"):
        monkeypatch.delenv(variable, raising=False)
    first = run(["scripts/quickstart"], cwd=checkout, timeout=600)
    again = run(["scripts/quickstart"], cwd=checkout, timeout=600)
    for said in (first, again):
        assert "no drift" in said.stderr
        assert re.search(r"1\d packages, CPython 3", said.stdout)
    assert "is up to date" in again.stderr
    assert run(["git", "status", "--porcelain"], cwd=checkout).stdout == ""
    assert (checkout / "examples" / "quickstart" / "pylock.toml").exists()
