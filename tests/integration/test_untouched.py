"""Whether a tree has the stamps it had: asked of several processes, held to a new scan."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_ASKED = """
import sys
from pathlib import Path
from envlock.io.content import untouched
from envlock.io.content.scan import scan

untouched._FEW = 2
untouched._cores = lambda: int(sys.argv[1])
root = Path(sys.argv[2])
others = (str(root / "nowhere"), str(root / "link"))
kept = scan([str(root)], others)
folder = Path.cwd()
for line in sys.stdin:
    again = scan([str(root)], others)
    same = kept.paths == again.paths and kept.stamps == again.stamps
    packed = untouched.packed(kept.paths)
    print(int(untouched.untouched(packed, memoryview(kept.stamps))), int(same), flush=True)
    assert Path.cwd() == folder
"""


def _replace(root: Path) -> None:
    (root / "a/other").write_text("text\n")
    os.replace(root / "a/other", root / "a/file-3")


def _target(root: Path) -> None:
    (root / "target").write_text("more\n")


CHANGES: tuple[Callable[[Path], object], ...] = (
    lambda root: None,
    lambda root: (root / "a/file-9").write_text("text!"),
    _replace,
    lambda root: (root / "a/b/new").touch(),
    lambda root: (root / "a/b/file-0").unlink(),
    lambda root: (root / "a/b/file-0").rename(root / "a/b/file-x"),
    lambda root: (root / "a/b/file-1").chmod(0o600),
    lambda root: shutil.rmtree(root / "a/b"),
    _target,
    lambda root: (root / "nowhere").touch(),
    lambda root: (root / "target").unlink(),
)


def test_every_change_is_seen(tmp_path: Path) -> None:
    for cores in ("1", "3"):
        for number, change in enumerate(CHANGES):
            root = tmp_path / cores / str(number)
            for folder in ("a", "a/b", "a/c"):
                (root / folder).mkdir(parents=True)
                for file in range(10):
                    (root / folder / f"file-{file}").write_text("text\n")
            (root / "target").write_text("text\n")
            (root / "link").symlink_to("target")
            (root / "dangling").symlink_to("gone")
            argv = [sys.executable, "-c", _ASKED, cores, str(root)]
            with subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as asked:
                assert asked.stdin is not None
                assert asked.stdout is not None
                asked.stdin.write("\n")
                asked.stdin.flush()
                assert asked.stdout.readline() == "1 1\n"
                change(root)
                asked.stdin.write("\n")
                asked.stdin.flush()
                expected = "1 1\n" if number == 0 else "0 0\n"
                assert asked.stdout.readline() == expected, number
