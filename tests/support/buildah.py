"""Real buildah without privileges, and Debian's registry on loopback."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SETTINGS = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot", "REGISTRY_AUTH_FILE": ""}


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


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Debian's docker-registry, empty; its address: ``127.0.0.1:PORT``."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": address},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "registry.yml").write_text(json.dumps(settings))  # JSON is YAML
    with (
        (folder / "registry.log").open("wb") as log,
        subprocess.Popen(
            ["docker-registry", "serve", str(folder / "registry.yml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as server,
    ):
        try:
            _wait(address, server, folder / "registry.log")
            yield address
        finally:
            server.terminate()


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.partition(":")
    for _ in range(100):
        assert server.poll() is None, log.read_text()
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the registry does not answer: {log.read_text()}")
