"""The flake: ``flake.nix``, ``flake.lock``, its data and the little logic that it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

from envlock.errors import UsageError
from envlock.export.exporter import FileTree
from envlock.export.nix.content import data
from envlock.export.nix.text import nix_string, without_nul
from envlock.lock import codec
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.target import Target
from envlock.lock.toolchain import Nixpkgs

STATIC = ("build_wheel.py", "check_imports.py", "environment.nix", "install.py", "shell.sh")
"""Files that are the same in every flake."""

_FLAKE = """\
# Made by envlock; make it again with `envlock export nix`. What is built stands in env.json.
{
  description = @description@;

  inputs.nixpkgs.url = @nixpkgs@;

  outputs = { self, nixpkgs }: import ./environment.nix {
    env = builtins.fromJSON (builtins.readFile ./env.json);
    inherit (nixpkgs) legacyPackages;
  };
}
"""


class NixExporter:
    """``envlock.exporters: nix``."""

    name = "nix"

    def export(self, lock: Lock, target: Target | None = None) -> FileTree:
        """See ``Exporter.export``. The flake has an output for each Linux and macOS target.

        Raises:
            UsageError: the lock has no nixpkgs; a package or its name in nixpkgs is missing.
        """
        nixpkgs = lock.nixpkgs
        if nixpkgs is None:
            raise UsageError(
                "the lock has no nixpkgs",
                remedy="add this to pyproject.toml and run `envlock lock`:\n[tool.envlock.nix]",
            )
        content = data(lock, nixpkgs, target)
        return {
            **{name: _static(name) for name in STATIC},
            "env.json": _json(content, sort=True),
            "flake.lock": _json(_flake_lock(nixpkgs)),
            "flake.nix": _flake(lock, nixpkgs),
            "lock.toml": codec.dump(lock).encode(),
        }


def _flake(lock: Lock, nixpkgs: Nixpkgs) -> bytes:
    description = f"Python environment {environment_hash(lock).root}, made by envlock"
    text = _FLAKE.replace("@description@", nix_string(description))
    return text.replace("@nixpkgs@", nix_string(f"github:NixOS/nixpkgs/{nixpkgs.rev}")).encode()


def _flake_lock(nixpkgs: Nixpkgs) -> dict[str, Any]:
    """Version 7 of the format, as Nix writes it (Nix manual, `nix flake`, "Lock files")."""
    original = {"owner": "NixOS", "repo": "nixpkgs", "rev": nixpkgs.rev, "type": "github"}
    locked = {
        "lastModified": int(nixpkgs.last_modified.timestamp()),
        "narHash": nixpkgs.nar_hash,
        **original,
    }
    return {
        "nodes": {
            "nixpkgs": {"locked": locked, "original": original},
            "root": {"inputs": {"nixpkgs": "nixpkgs"}},
        },
        "root": "root",
        "version": 7,
    }


def _json(value: dict[str, Any], *, sort: bool = False) -> bytes:
    # Written in ASCII, with everything else escaped, so that no reader's idea of text matters.
    for text in _texts(value):
        without_nul(text)
    return json.dumps(value, indent=2, sort_keys=sort).encode() + b"\n"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _static(name: str) -> bytes:
    # What other exports have, too, is above this one.
    places = (resources.files(f"{__package__}.files"), resources.files("envlock.export"))
    return next(p for place in places if (p := place / name).is_file()).read_bytes()
