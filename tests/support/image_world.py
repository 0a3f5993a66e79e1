"""A project of which images are built: real .debs served on loopback, wheels made for the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import images
from support.index import LoopbackIndex
from support.packages import NEAR_PROJECT, toy_backend, toy_sdist
from support.project import Project
from support.real_debs import real_debs
from support.snapshot import SnapshotServer
from support.tiny_archive import signer
from support.tools import run

PACKAGES = ("ca-certificates", "libgomp1", "tzdata")
NATIVE = b"\x7fELF, or so it says"
HELLO = """\
import sys

def main():
    print("hello from", sys.prefix, "on", sys.base_prefix)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A project whose files are in a cache, its lock, and the image that was built of it."""

    project: Project
    image: Path
    told: dict[str, Any]
    root: Path

    def build(self, *arguments: str, **variables: Any) -> dict[str, Any]:
        """``envlock build image``, which must succeed."""
        done = self.project.run("build", "image", "--json", *arguments, **variables)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextmanager
def image_world(folder: Path) -> Iterator[World]:
    """A project with real .debs and wheels of the test's own: locked, built and unpacked."""
    (folder / "debs").mkdir()
    debs = real_debs(folder / "debs", (*PACKAGES, "python3.11"))
    root = folder / "project"
    root.mkdir()
    with SnapshotServer(debs.states(signer())) as archive, LoopbackIndex("json") as index:
        index.add(
            "hello",
            "1",
            "2024-01-01",
            requires=["native"],
            files={
                "hello/cli.py": HELLO,
                "hello-1.dist-info/entry_points.txt": "[console_scripts]\nhello = hello.cli:main\n",
                "hello-1.data/scripts/old": "#!python\nprint('old')\n",
                "hello-1.data/data/share/hello.txt": "data\n",
            },
        )
        for tag in ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_39_x86_64"):
            index.add("native", "2", "2024-01-01", tag=tag, files={f"native/{tag}.so": NATIVE})
        # What has no wheel is built with what is locked for that.
        index.add("helper", "1", "2024-01-01")
        index.add("toyback", "1", "2024-01-01", files=toy_backend("helper"))
        index.add("toyback", "2", "2024-08-01", files={"toyback/__init__.py": "1 // 0"})
        built = toy_sdist("gamma", "1.0", code="text = 'made = True'")
        index.add("gamma", "1.0", "2024-01-01", sdist=True, files=built)
        project = Project(root, index, {"ENVLOCK_CACHE_DIR": str(folder / "cache")})
        (root / "archive.pgp").write_bytes(signer().public)
        os_settings = {
            "base": "debian:bookworm",
            "packages": list(PACKAGES),
            "keyring": "archive.pgp",
            "mirrors": [archive.template],
        }
        settings = {"targets": ["linux/amd64"], "python": "3.11", "os": os_settings}
        settings |= {"sources": True, "requirements": ["local.txt"], "allow-undated": ["libs/near"]}
        project.write("hello", "gamma", settings=settings)
        with (root / "pyproject.toml").open("a") as file:
            file.write("\n[project.scripts]\nsample = 'tool:main'\n")
        (root / "local.txt").write_text("-e ./libs/near\n")
        (root / "libs" / "near").mkdir(parents=True)
        (root / "libs" / "near" / "pyproject.toml").write_text(NEAR_PROJECT)
        (root / "libs" / "near" / "near.py").write_text("def main(): print('near')\n")
        (root / "tool.py").write_text("def main(): print('sample')\nprint('the project')\n")
        (root / "secret.env").write_text("PASSWORD=x\n")
        (root / "pack").mkdir()
        (root / "pack" / "run.sh").write_text("#!/bin/sh\necho run\n")
        (root / "pack" / "run.sh").chmod(0o755)
        (root / "link").symlink_to("pack/run.sh")
        run(["git", "init", "-q"], cwd=root)
        run(["git", "add", "libs", "tool.py", "pack", "link", "pyproject.toml"], cwd=root)
        project.lock(as_of="2024-06-02")
        done = project.run("build", "image", "--output", "image", "--json")
        assert done.returncode == 0, done.stderr
        unpacked = images.unpack(root / "image", folder / "root")
        yield World(
            project=project, image=root / "image", told=json.loads(done.stdout), root=unpacked
        )
