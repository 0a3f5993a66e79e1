"""``check`` asked again: what is remembered is said at once, and only while it is right."""

from __future__ import annotations

import subprocess
import sys
import time

from support.index import LoopbackIndex
from support.install import locked, write_lock
from support.project import Project

_LOADED = """
import sys
sys.argv = ["envlock", *sys.argv[1:]]
from envlock.cli import main
try:
    main()
finally:
    print("quick" if "click" not in sys.modules else "whole")
"""


def test_drift_is_never_answered_from_what_was_right_before(
    project: Project, index: LoopbackIndex
) -> None:
    stored = index.add("alpha", "1.2", "2024-01-01", files={"alpha/data.txt": "some data\n"})
    project.write("alpha")
    write_lock(project.root, locked(index, stored), wishes=("alpha",))
    assert project.run("sync").returncode == 0

    def ask(*options: str) -> tuple[int, str]:
        time.sleep(0.05)  # what was written within the last tick of the clock is not remembered
        argv = [sys.executable, "-c", _LOADED, "check", *options]
        environment = project.environment()
        done = subprocess.run(
            argv, cwd=project.root, env=environment, capture_output=True, text=True
        )
        return done.returncode, done.stdout.splitlines()[-1]

    assert [ask() for _ in range(2)] == [(0, "whole"), (0, "quick")]
    data = next(project.root.glob(".venv/lib/python*/site-packages/alpha/data.txt"))
    data.write_text("other data\n")
    assert [ask() for _ in range(3)] == [(1, "whole")] * 3
    data.write_text("some data\n")
    assert [ask() for _ in range(2)] == [(0, "whole"), (0, "quick")]
    assert ask("--paranoid") == (0, "whole")
    assert [ask() for _ in range(2)][-1] == (0, "quick")
