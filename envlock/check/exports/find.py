"""Generated files beside a lock, found by what they say of their making."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from envlock.export.marks import MADE, Mark, read_mark

DEPTH = 2
"""Folders are looked into down to here; the lock's own is 0."""
ENTRIES = 2000
"""Of a folder with more than these, the rest is passed over: it holds data."""
_BYTES = 64 * 1024 * 1024
_HEAD = 8192

_NAMES = {
    "Dockerfile": "docker",
    "apptainer.def": "docker",
    "channels.scm": "guix",
    "compose.yaml": "docker",
    "environment.nix": "nix",
    "environment.scm": "guix",
    "flake.nix": "nix",
    "manifest.scm": "guix",
}
"""Files that are exports by their names, wherever they are, and the format."""
_TELLING = re.compile(
    r".*\.(cdx|intoto|spdx)\.json|.*provenance.*\.json|.*requirements.*\.txt|"
    + "|".join(map(re.escape, _NAMES))
)
_OTHERS = re.compile(r"pyvenv\.cfg|pylock.*\.toml")
"""What makes a folder a virtual environment, or another project."""
_SUFFIXES = (".json", ".txt", ".in")
"""Beside the lock itself, formats of one file may have any name that ends so."""
_PASSED_OVER = ("__pycache__", "node_modules", "site-packages")
_BLOCK = b">>> envlock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A generated file: its path from the lock's folder (POSIX separators) and its mark."""

    path: str
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The files, sorted by path, and the folders (absolute) that were looked into."""

    files: tuple[Found, ...]
    folders: tuple[str, ...]


def find_exports(root: Path) -> Search:
    """Generated files in ``root`` (the lock's folder) and two levels of folders in it.

    Passed over: hidden folders, virtual environments, folders with a lock of their own, links.
    """
    folders: list[str] = []
    files = [
        Found(path=path, mark=mark)
        for path in _candidates(str(root.absolute()), "", 0, folders)
        if (mark := _mark(root / path)) is not None
    ]
    return Search(files=tuple(sorted(files, key=lambda f: f.path)), folders=tuple(folders))


def _candidates(folder: str, prefix: str, depth: int, seen: list[str]) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            listed = list(islice(entries, ENTRIES))
    except OSError:
        return
    if depth and any(_OTHERS.fullmatch(entry.name) for entry in listed):
        return
    seen.append(folder)
    for entry in listed:
        try:
            if entry.is_dir(follow_symlinks=False):
                if depth < DEPTH and not entry.name.startswith((".", *_PASSED_OVER)):
                    inner = f"{prefix}{entry.name}/"
                    yield from _candidates(entry.path, inner, depth + 1, seen)
            elif _may_be(entry.name, depth) and entry.is_file():
                yield prefix + entry.name
        except OSError:
            continue


def _may_be(name: str, depth: int) -> bool:
    known = (depth == 0 and name.endswith(_SUFFIXES)) or _TELLING.fullmatch(name)
    return bool(known) and name.isprintable()  # another one could not even be told


def _mark(path: Path) -> Mark | None:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if MADE not in head and _BLOCK not in head:
            # In JSON, the sentence may stand anywhere.
            if path.suffix != ".json" or path.stat().st_size > _BYTES:
                return None
            head = path.read_bytes()
    except OSError:
        return None
    known = _NAMES.get(path.name)
    return read_mark(head) or (Mark(format=known) if known and _BLOCK in head else None)
