"""Formats by their names, and the files that they give for a lock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from envlock.errors import SourceError, UsageError
from envlock.export.exporter import NamesLockfile
from envlock.export.marks import Mark, marked, owner

if TYPE_CHECKING:
    from envlock.export.exporter import Exporter, FileTree
    from envlock.lock.model import Lock
    from envlock.project.locate import Project

BUILT_IN = frozenset(
    {"cyclonedx", "docker", "guix", "nix", "provenance", "requirements", "sbom", "spdx"}
)
_EXTRAS = {"cyclonedx": "sbom", "sbom": "sbom", "spdx": "sbom"}
"""A format → the extra of envlock that brings the libraries it needs."""


class NoLibraryError(SourceError):
    """A format cannot be made here: what it needs is not installed."""


def owner_of(project: Project) -> str:
    """What of a command says whose lock it is: see ``marks.owner``."""
    script = None
    if project.kind == "script":
        script = os.path.relpath(project.source, project.lock_path.parent)
    return owner(name=project.name, script=script)


def make(lock: Lock, mark: Mark, *, lock_name: str) -> FileTree:
    """The files of a format.

    Raises:
        UsageError: no such format; or the lock is not for the target, or cannot be said in it.
        NoLibraryError: what the format needs is not installed.
    """
    from envlock.cli.common import locked_target

    target = None if mark.target is None else locked_target(lock, mark.target)
    exporter = load_exporter(mark.format)
    if isinstance(exporter, NamesLockfile):
        exporter.lock_name = lock_name
    files = exporter.export(lock, target)
    return marked(files, mark, lock_name=lock_name)


def load_exporter(name: str) -> Exporter:
    """The format called ``name``.

    Raises:
        UsageError: there is none; names those there are.
        NoLibraryError: it cannot be loaded.
    """
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group="envlock.exporters")}
    if name not in found:
        raise UsageError(f"unknown format {name!r}", remedy=f"known: {', '.join(sorted(found))}")
    try:
        exporter: Exporter = found[name].load()()
    except (ImportError, AttributeError) as error:
        extra = _EXTRAS.get(name)
        raise NoLibraryError(
            f"the exporter {name!r} ({found[name].value}) cannot be loaded: {error}",
            remedy=f'pip install "envlock[{extra}]"'
            if extra
            else "reinstall the package that provides it",
        ) from None
    return exporter
