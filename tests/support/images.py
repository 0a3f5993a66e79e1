"""Images for tests: what is in a layout, read without envlock, and a root made from one."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from support.tools import run


def blob(layout: Path, digest: str) -> Path:
    """The file of a digest (``sha256:…``), which it has."""
    path = layout / "blobs" / digest.replace(":", "/")
    with path.open("rb") as file:
        assert f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" == digest
    return path


def document(layout: Path, digest: str) -> Any:
    """A JSON document of a layout."""
    return json.loads(blob(layout, digest).read_bytes())


def manifest(layout: Path) -> Any:
    """The manifest of a layout's only image."""
    index = json.loads((layout / "index.json").read_bytes())
    (entry,) = index["manifests"]
    return document(layout, entry["digest"])


def unpack(layout: Path, folder: Path) -> Path:
    """The image's root, unpacked by umoci; as root, owners and all."""
    run(["umoci", "raw", "unpack", "--image", f"{layout}:latest", folder])
    return folder


def inside(root: Path, *argv: str, user: str | None = None) -> str:
    """What a command says in a root."""
    as_user = ["--userspec", user] if user else []
    done = subprocess.run(
        ["chroot", *as_user, str(root), *argv],
        env={"PATH": "/opt/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def listing(root: Path) -> dict[str, tuple[str, ...]]:
    """Path → kind, mode, owner, and target or digest, of all below a folder, as find sees it."""
    said = run(
        ["find", ".", "-mindepth", "1", "-printf", r"%P\t%y\t%m\t%U:%G\t%l\n"], cwd=root
    ).stdout
    found = {}
    for line in said.splitlines():
        path, kind, *rest = line.split("\t")
        if kind == "f":
            rest[-1] = hashlib.sha256((root / path).read_bytes()).hexdigest()
        found[path] = (kind, *rest)
    return found
