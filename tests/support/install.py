"""Locks of real files on a loopback index, and what installers made of them."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from envlock.io.machine import machine_platform
from envlock.lock import codec
from envlock.lock.model import Lock
from envlock.lock.package import Artifact, PythonPackage
from envlock.lock.target import Target
from support.index import LoopbackIndex
from support.pages import StoredFile
from support.project import PYTHON
from support.samples import small_lock
from support.tools import run

HERE = Target(platform=machine_platform(), python=PYTHON)
"""The target that the Python running the tests is of."""


def artifact(index: LoopbackIndex, stored: StoredFile) -> Artifact:
    """A stored file as a lock names it."""
    return Artifact(
        name=stored.name,
        url=index.file_url(stored),
        sha256=hashlib.sha256(stored.content).hexdigest(),
        size=len(stored.content),
        upload_time=stored.uploaded,
    )


def locked(index: LoopbackIndex, *files: StoredFile, marker: str | None = None) -> PythonPackage:
    """The entry of one version with these files."""
    return PythonPackage(
        name=files[0].project,
        version=files[0].version,
        marker=marker,
        index=index.url,
        wheels=tuple(artifact(index, f) for f in files if f.name.endswith(".whl")),
        sdist=next((artifact(index, f) for f in files if not f.name.endswith(".whl")), None),
    )


def write_lock(
    folder: Path,
    *packages: PythonPackage,
    wishes: Iterable[str] = (),
    targets: tuple[Target, ...] = (HERE,),
    name: str = "pylock.toml",
) -> Lock:
    """Write a lock of ``packages`` for this machine, as envlock writes it; gives it."""
    lock = small_lock(*packages, wishes=wishes)
    request = dataclasses.replace(lock.request, targets=targets)
    lock = dataclasses.replace(lock, targets=targets, request=request)
    (folder / name).write_text(codec.dump(lock), encoding="utf-8")
    return lock


def new_venv(prefix: Path, *, pip: bool = False) -> Path:
    """A virtual environment by the standard library, as a user makes it; gives its Python."""
    options = [] if pip else ["--without-pip"]
    run([sys.executable, "-m", "venv", *options, prefix])
    return prefix / "bin" / "python"


# Files that tell who installed, or when, and not what.
_TRACES = (
    *("INSTALLER", "REQUESTED", "RECORD", "direct_url.json"),
    *("uv_cache.json", "uv_build.json", "envlock.json"),
)


def contents(prefix: Path) -> dict[str, dict[str, str]]:
    """Distribution (``name-version``) → path → digest of its installed files, from RECORD.

    Read and verified here, without envlock: each digest is computed from the file. Bytecode and
    traces of the installer are left out; so is pip itself.
    """
    site = prefix / "lib" / f"python{PYTHON}" / "site-packages"
    found: dict[str, dict[str, str]] = {}
    for info in sorted(site.glob("*.dist-info")):
        if info.name.startswith(("pip-", "setuptools-")):
            continue
        rows = csv.reader(io.StringIO((info / "RECORD").read_text()))
        files: dict[str, str] = {}
        for path, digest, _ in rows:
            if path.endswith(".pyc") or path.rsplit("/", 1)[-1] in _TRACES:
                continue
            computed = hashlib.sha256((site / path).read_bytes()).digest()
            encoded = "sha256=" + base64.urlsafe_b64encode(computed).rstrip(b"=").decode()
            assert digest in ("", encoded), f"{path} is not what RECORD says"
            files[path] = encoded
        found[info.name.removesuffix(".dist-info")] = files
    return found


def works(python: Path, module: str) -> str:
    """``module.__version__`` as that interpreter sees it."""
    code = f"import {module}; print({module}.__version__)"
    done = subprocess.run(
        [str(python), "-I", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
