"""Inputs and outputs that were declared: files and folders with their digests and sizes."""

from __future__ import annotations

import os

from envlock.errors import UsageError
from envlock.io import digests
from envlock.io.sha256 import Sha256

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class Declared:
    """Paths as given, with the state of every file there before the run."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = list(dict.fromkeys(paths))
        self._before = {path: _states(path) for path in self.paths}

    def require(self) -> None:
        """Raise UsageError where an input is not there: the run would be for nothing."""
        for path in self.paths:
            if not os.path.exists(path):
                raise UsageError("no such input", where=path, remedy="check --input")

    def facts(self, root: str, *, inputs: bool) -> list[dict[str, Any]]:
        """What is there now, for the record; paths below ``root`` are relative to it."""
        return [self._fact(path, root, inputs=inputs) for path in self.paths]

    def _fact(self, path: str, root: str, *, inputs: bool) -> dict[str, Any]:
        fact: dict[str, Any] = {"path": shown_path(path, root), "found": "declared"}
        try:
            fact |= folder_digest(path) if os.path.isdir(path) else _file(path)
        except (OSError, ValueError) as error:
            missing = isinstance(error, FileNotFoundError)
            fact["problem"] = "missing" if missing else str(getattr(error, "strerror", error))
            return fact
        changed = _states(path) != self._before[path]
        if inputs and changed:
            fact["changed-during-run"] = True
        elif not inputs:
            fact["written"] = changed
        return fact


def _states(path: str) -> dict[str, tuple[int, int, int, int] | None]:
    if os.path.isdir(path):
        return {name: digests.state(os.path.join(path, name)) for name in digests.files_below(path)}
    return {"": digests.state(path)}


def _file(path: str) -> dict[str, Any]:
    return {"kind": "file", "sha256": digests.digest(path), "size": os.stat(path).st_size}


def folder_digest(path: str) -> dict[str, Any]:
    """A folder's digest is that of the lines ``<sha256>  <path>`` (``sha256sum``), by path."""
    whole = Sha256()
    size = 0
    names = digests.files_below(path)
    for name in names:
        file = os.path.join(path, name)
        whole.update(f"{digests.digest(file)}  ".encode() + os.fsencode(name) + b"\n")
        size += os.stat(file).st_size
    return {"kind": "folder", "sha256": whole.hexdigest(), "size": size, "files": len(names)}


def shown_path(path: str, root: str) -> str:
    """A path as it is written down: relative to ``root`` where it is below it, ``/`` between."""
    whole = os.path.abspath(path)
    inside = whole == root or whole.startswith(root.rstrip(os.sep) + os.sep)
    text = os.path.relpath(whole, root) if inside else whole
    return text.encode("utf-8", "backslashreplace").decode()
