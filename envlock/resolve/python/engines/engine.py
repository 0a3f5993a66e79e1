"""The protocol of Python resolvers, and the values that go in and out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from envlock.io.progress import Reporter
from envlock.lock.package import PythonPackage, Repair
from envlock.lock.request import Request
from envlock.resolve.python.sources import Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """Which existing pins may move: all of them, or the named ones (normalized)."""

    everything: bool = False
    names: frozenset[str] = frozenset()


NO_UPGRADE = Upgrade()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an engine is asked.

    ``root`` is the project's folder, for relative local paths. ``as_of`` is UTC. ``pins`` are the
    existing lock's packages, to keep where they still answer and ``upgrade`` does not free them.
    """

    request: Request
    root: Path
    as_of: datetime
    sources: Sources
    pins: tuple[PythonPackage, ...] = ()
    upgrade: Upgrade = NO_UPGRADE
    build: bool = True
    refresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What an engine answers. Packages are complete but for sizes that the index did not state."""

    packages: tuple[PythonPackage, ...]
    repairs: tuple[Repair, ...] = ()


class Engine(Protocol):
    """A Python resolver. Implementations are found by entry point ``envlock.engines``."""

    name: str

    def resolve(self, question: Question, reporter: Reporter) -> Resolution:
        """Choose versions and files for every target; never a file uploaded after ``as_of``.

        Raises:
            NoSolutionError: the requirements exclude one another, or nothing is old enough.
            SourceError: an index or the tool failed, or an index has no upload times.
            VerificationError: bytes do not match a digest.
        """
        ...
