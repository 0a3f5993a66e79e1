"""``envlock rebuild --backend image``: the same image, from whatever place has the files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.image_world import World

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("image")]


def test_an_image_comes_back_from_a_folder_of_files(built_world: World, tmp_path: Path) -> None:
    project = built_world.project
    store = Path(project.variables["ENVLOCK_CACHE_DIR"], "sha256")
    again = str(tmp_path / "again")
    arguments = ["rebuild", "--backend", "image", "--into", again, "--offline"]
    empty = {"ENVLOCK_CACHE_DIR": str(tmp_path / "empty")}
    done = project.run(*arguments, **empty)
    assert done.returncode == 3
    assert "files are missing" in done.stderr
    assert not Path(again).exists()
    done = project.run(*arguments, "--json", "--from", str(store), **empty)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told["fetched"].values()) == {"bundle"}
    there = {path.name for path in (tmp_path / "empty" / "sha256").rglob("*")}
    assert set(told["fetched"]) <= there
    usual = built_world.build("--no-project", "--output", str(tmp_path / "usual"))
    assert told["digest"] == usual["digest"]
