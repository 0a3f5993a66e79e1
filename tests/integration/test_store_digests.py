"""Digests in the stores' base 32, as Nix itself writes them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from support.tools import run

from envlock.export.store import base32


def test_nix_writes_the_same(tmp_path: Path) -> None:
    digests = [hashlib.sha256(bytes([n])).hexdigest() for n in range(200)]
    digests += ["0" * 64, "f" * 64, "0" * 63 + "1", "8" + "0" * 63]
    variables = {name: str(tmp_path) for name in ("NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_CONF_DIR")}
    command = ["nix", "--extra-experimental-features", "nix-command", "hash", "to-base32"]
    said = run([*command, "--type", "sha256", *digests], env=variables)
    assert said.stdout.split() == [base32(digest) for digest in digests]
