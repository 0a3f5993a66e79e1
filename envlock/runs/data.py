"""Inputs and outputs that were declared: files and folders with their digests and sizes."""

from __future__ import annotations

import os

from envlock.errors import UsageError
from envlock.io.content import digests
from envlock.io.sha256 import Sha256

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    _States = dict[str, tuple[int, int, int, int] | None]


_TICK = 0.01
"""Seconds by which the stamps of a file system lag behind the clock."""


class Declared:
    """Paths as given, with the state of every file there before the run."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = list(dict.fromkeys(paths))
        self._before: dict[str, _States | None] = {path: _states(path) for path in self.paths}

    def add(self, path: str, before: tuple[int, int, int, int] | None) -> None:
        """One more, with its state when it was first used; None is not known."""
        if path not in self._before:
            self.paths.append(path)
            self._before[path] = None if before is None else {"": before}

    def require(self) -> None:
        """Raise UsageError where an input is not there: the run would be for nothing."""
        for path in self.paths:
            if not os.path.exists(path):
                raise UsageError("no such input", where=path, remedy="check --input")

    def facts(self, root: str, *, inputs: bool, since: float) -> list[dict[str, Any]]:
        """What is there now, for the record; paths below ``root`` are relative to it.

        ``since`` is when the run started, in seconds since 1970.
        """
        return [self._fact(path, root, inputs, since) for path in self.paths]

    def _fact(self, path: str, root: str, inputs: bool, since: float) -> dict[str, Any]:
        fact: dict[str, Any] = {"path": shown_path(path, root), "found": "declared"}
        try:
            fact |= folder_digest(path) if os.path.isdir(path) else _file(path)
        except (OSError, ValueError) as error:
            missing = isinstance(error, FileNotFoundError)
            fact["problem"] = "missing" if missing else str(getattr(error, "strerror", error))
            return fact
        before, now = self._before[path], _states(path)
        changed = now != before
        if before is None:
            late = any(
                state is not None and state[1] >= (since - _TICK) * 1e9 for state in now.values()
            )
            changed = late and not inputs
        if inputs and changed:
            fact["changed-during-run"] = True
        elif not inputs:
            fact["written"] = changed
        return fact


def _states(path: str) -> _States:
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
