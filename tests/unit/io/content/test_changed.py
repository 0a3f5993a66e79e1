"""What changed in a folder since a moment, by times that no program can set."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from envlock.io.content import changed
from envlock.io.content.changed import changed_since


def test_what_was_made_renamed_and_linked(tmp_path: Path) -> None:
    names = ("same", "renamed", "touched", ".git/x", "a/__pycache__/m.pyc", "env/pyvenv.cfg")
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    time.sleep(0.02)
    since = time.time()
    time.sleep(0.02)
    (tmp_path / "renamed").rename(tmp_path / "a" / "moved")
    for name in ("new", ".git/y", "a/__pycache__/n.pyc", "env/installed", "records/r.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    os.utime(tmp_path / "touched", (1, 1))
    found, whole = changed_since(str(tmp_path), since, leave=(str(tmp_path / "records"),))
    assert whole
    assert [os.path.relpath(path, tmp_path) for path in found] == [
        *("a/moved", "link", "new", "touched"),
    ]
    assert changed_since(str(tmp_path), time.time() + 9, leave=()) == ([], True)
    assert changed_since(str(tmp_path / "missing"), since, leave=()) == ([], True)


def test_no_more_than_so_many_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        (tmp_path / str(number)).write_text("")
    monkeypatch.setattr(changed, "MOST", 3)
    found, whole = changed_since(str(tmp_path), 0, leave=())
    assert (len(found), whole) == (3, False)
