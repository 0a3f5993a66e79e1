"""``envlock lock --check`` where nothing changed since the last time, before anything is loaded.

A verdict "fresh" is kept with all that it was made from (``io.unchanged``). In CI and in hooks the
same question comes again and again; the start of Python is then most of what it costs. Every other
command line, and every other verdict, goes the whole way.
"""

from __future__ import annotations

import os
import sys

from envlock import __version__

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable

_QUIET = ("-q", "--quiet")


def answer(arguments: list[str]) -> bool:
    """Say that the lock is fresh and give True, if that is what was asked and is known."""
    said = [argument for argument in arguments if argument not in _QUIET]
    if said != ["lock", "--check"]:
        return False
    from envlock.io import unchanged

    if not unchanged.holds(_key()):
        return False
    if len(said) == len(arguments):
        sys.stderr.write(message("pylock.toml") + "\n")
    return True


def message(lock_name: str) -> str:
    """What is said of a fresh lock."""
    return f"{lock_name} answers the request"


def remember(*, files: Iterable[str], root: str, since: int) -> None:
    """Keep the verdict that pylock.toml of the project in ``root``, asked for from here, is fresh.

    ``files`` are all that were read; what else there could be (another pyproject.toml on the way
    up, a ``.python-version``) shows in the folders.
    """
    from envlock.io import unchanged

    files = list(files)
    folders = {os.path.dirname(file) for file in files}
    folder = os.getcwd()
    while True:
        folders.add(folder)
        parent = os.path.dirname(folder)
        if folder == root or parent == folder:
            break
        folder = parent
    unchanged.keep(_key(), files=files, folders=folders, since=since)


def _key() -> str:
    """Another envlock, or another installation of it, may judge otherwise."""
    here = os.stat(__file__)
    return "\0".join(
        ("lock --check", __version__, __file__, f"{here.st_mtime_ns} {here.st_size}", os.getcwd())
    )
