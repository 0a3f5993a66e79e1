"""Real Nix with a store of its own, and a stand-in for nixpkgs in place of the locked one.

Nix takes an input of a flake from its store when a tree with the locked narHash is there. So the
stand-in is put there, the lock says its hash, and the flake stays as it is.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from envlock.lock.toolchain import Found, Nixpkgs
from support.tools import run

STANDIN = Path(__file__).parent / "nixpkgs"
SYSTEM = f"{platform.machine().replace('arm64', 'aarch64')}-{sys.platform}"
REV = "0123456789abcdef0123456789abcdef01234567"
CONFIGURATION = """\
build-users-group =
experimental-features = nix-command flakes
flake-registry =
sandbox = false
substituters =
"""


def host() -> dict[str, str]:
    """What the stand-in's host.json says of this machine."""
    version = platform.python_version()
    return {
        "attribute": "python" + "".join(version.split(".")[:2]),
        "libc": platform.libc_ver()[1] or "2.36",
        "python": os.path.realpath(
            Path(sys.base_exec_prefix, "bin", "python{}.{}".format(*sys.version_info[:2]))
        ),
        "system": SYSTEM,
        "version": version,
    }


@dataclass(slots=True)
class Nix:
    """Nix on a store in ``root``, which holds the stand-in as the revision ``nixpkgs`` says."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    nixpkgs: Nixpkgs = field(init=False)

    def __post_init__(self) -> None:
        names = ("store", "state", "log", "conf", "home", "cache", "tmp")
        folders = {name: self.root / name for name in names}
        for name in ("conf", "home", "tmp"):
            folders[name].mkdir()
        self.variables |= {
            "NIX_STORE_DIR": str(folders["store"]),
            "NIX_STATE_DIR": str(folders["state"]),
            "NIX_LOG_DIR": str(folders["log"]),
            "NIX_CONF_DIR": str(folders["conf"]),
            "NIX_CONFIG": CONFIGURATION,
            "NIX_REMOTE": "local",
            "HOME": str(folders["home"]),
            "TMPDIR": str(folders["tmp"]),
            "XDG_CACHE_HOME": str(folders["cache"]),
        }
        tree = self.standin(self.root / "nixpkgs", host())
        self.nixpkgs = Nixpkgs(
            branch="nixos-stand-in",
            rev=REV,
            last_modified=datetime(2024, 5, 1, tzinfo=UTC),
            nar_hash=self.run("hash", "path", tree).strip(),
            found=Found.TABLE,
        )
        self.run("store", "add-path", "--name", "source", tree)

    @staticmethod
    def standin(folder: Path, host: Mapping[str, str]) -> Path:
        """A copy of the stand-in for the machine that ``host`` describes."""
        shutil.copytree(STANDIN, folder)
        (folder / "host.json").write_text(json.dumps(host, sort_keys=True))
        return folder

    def run(self, *arguments: str | Path, **variables: str) -> str:
        """``nix …``, which must succeed; what it printed."""
        return self.attempt(*arguments, **variables, check="1").stdout

    def attempt(
        self, *arguments: str | Path, check: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """``nix …``, whatever comes of it."""
        environment = self.variables | variables
        return run(["nix", *arguments], env=environment, check=bool(check), timeout=300)

    def build(self, flake: Path, output: str = "default", *options: str, **variables: str) -> Path:
        """``nix build``, which must succeed; the store path."""
        printed = self.run(
            "build",
            f"path:{flake}#{output}",
            "--no-link",
            "--json",
            *options,
            **variables,
        )
        return Path(json.loads(printed)[0]["outputs"]["out"])

    def nar_hash(self, path: Path) -> str:
        """The digest of what is in the store now."""
        return self.run("hash", "path", path).strip()

    def evaluate(self, expression: str, **variables: str) -> Any:
        """``nix-instantiate --eval`` of an expression, as JSON."""
        argv = ["nix-instantiate", "--eval", "--strict", "--json", "--expr", expression]
        return json.loads(run(argv, env=self.variables | variables).stdout)


def write_flake(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files of a flake, in a folder."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@contextmanager
def running() -> Iterator[Nix]:
    """A store for some tests; its folder has a short name, since scripts name it on line one."""
    root = Path(tempfile.mkdtemp(prefix="nix-", dir="/tmp"))
    try:
        yield Nix(root)
    finally:
        # What is in a store is read-only.
        for parent, _folders, _files in os.walk(root):
            os.chmod(parent, 0o755)
        shutil.rmtree(root)
