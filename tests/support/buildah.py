"""Real buildah, which builds images without a daemon."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

_SETTINGS = {"BUILDAH_ISOLATION": "chroot", "REGISTRY_AUTH_FILE": ""}


@cache
def storage_driver() -> str:
    """How layers are kept: overlay where the system allows it, else copies of everything."""
    with tempfile.TemporaryDirectory() as folder:
        places = ["--root", f"{folder}/store", "--runroot", f"{folder}/run"]
        for driver in ("overlay", "vfs"):
            asked = ["buildah", "--storage-driver", driver, *places, "from", "scratch"]
            if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
                subprocess.run(
                    ["buildah", "--storage-driver", driver, *places, "rm", "--all"],
                    capture_output=True,
                    check=False,
                )
                return driver
    raise AssertionError("buildah works neither with overlay nor with vfs: is it installed?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Buildah:
    """buildah with a store of its own.

    ``variables`` are set for each run; ``TMPDIR``, where cache mounts are, is the folder's own.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        *arguments: str | Path,
        check: bool = True,
        umask: int = 0o022,
        through: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run it; with ``check``, a failure shows what it said.

        ``through`` is a command that runs the one that follows it.
        """
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        given = {**os.environ, **_SETTINGS, "TMPDIR": str(temporary), **self.variables}
        done = subprocess.run(
            [
                *through,
                "buildah",
                "--storage-driver",
                storage_driver(),
                "--root",
                str(self.folder / "store"),
                "--runroot",
                str(self.folder / "run"),
                *(str(argument) for argument in arguments),
            ],
            env={key: value for key, value in given.items() if value},
            umask=umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if check:
            assert done.returncode == 0, (
                f"{arguments}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
            )
        return done

    def inspect(self, image: str) -> dict[str, Any]:
        """An image's manifest, digest and configuration."""
        found: dict[str, Any] = json.loads(self.run("inspect", "--type=image", image).stdout)
        return found

    def remove(self) -> None:
        """Its store, which is large."""
        self.run("rm", "--all", check=False)
        self.run("rmi", "--all", "--force", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
