"""The project that a run belongs to: where its lock is, and where its record goes.

The same answer as ``envlock.project.locate`` gives, without parsing anything; and where that one
finds nothing to lock, a run is recorded all the same.
"""

from __future__ import annotations

import os
import re

from envlock.io import once
from envlock.io.paths import state_folder
from envlock.io.sha256 import hex_of

FOLDER = ".envlock"
# A pyproject.toml that only configures tools is no project.
_PROJECT = rb"(?m)^\s*\[\s*(?:project|dependency-groups|tool\s*\.\s*envlock)\b"


class Place:
    """``root`` is absolute; ``lock`` the lockfile's path, which need not exist.

    ``home`` is the project that keeps the records: ``root``, but for a run elsewhere on its behalf.
    """

    __slots__ = ("home", "lock", "root")

    def __init__(self, root: str, lock: str, home: str | None = None) -> None:
        self.root = root
        self.lock = lock
        self.home = home or root

    @property
    def records(self) -> str:
        """The folder of the project's store."""
        return os.path.join(self.home, FOLDER)

    @property
    def venv(self) -> str:
        """Where ``envlock sync`` installs: ``.venv``, ``.venv-NAME`` of a named environment."""
        name = os.path.basename(self.lock).removeprefix("pylock").removesuffix(".toml")
        return os.path.join(self.root, f".venv{name.replace('.', '-', 1)}")

    @property
    def fallback(self) -> str:
        """A folder of the user's own, for records of a project that cannot be written."""
        key = hex_of(os.fsencode(self.home))[:16]
        return os.path.join(state_folder(), "records", key)


def find_place(start: str, name: str | None) -> Place:
    """The place of a run in the folder ``start``; ``name`` is the named environment's.

    The nearest folder upwards with a project, a lock or records; else the work tree of git; else
    ``start`` itself.
    """
    start = os.path.abspath(start)
    lock = f"pylock.{name}.toml" if name else "pylock.toml"
    work_tree = None
    folder = start
    while True:
        if any(_is_there(folder, one) for one in (FOLDER, lock, "envlock.toml")):
            break
        if _is_project(os.path.join(folder, "pyproject.toml")):
            break
        if work_tree is None and _is_there(folder, ".git"):
            work_tree = folder
        parent = os.path.dirname(folder)
        if parent == folder:
            folder = work_tree or start
            break
        folder = parent
    return Place(folder, os.path.join(folder, lock))


def _is_there(folder: str, name: str) -> bool:
    return os.path.lexists(os.path.join(folder, name))


def _is_project(path: str) -> bool:
    try:
        return re.search(_PROJECT, once.read(path)) is not None
    except OSError:
        return False
