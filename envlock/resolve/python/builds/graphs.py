"""Resolves build environments, each for itself, and equal questions once."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from envlock.errors import SourceError
from envlock.io.progress import SilentReporter
from envlock.lock.builds import BuildPin
from envlock.lock.model import Lock
from envlock.lock.package import Artifact, PythonPackage, Repair
from envlock.lock.request import Request, Wish
from envlock.lock.target import Target
from envlock.resolve.python.engines.engine import Engine, Question
from envlock.resolve.python.sources import Sources

Preference = tuple[str, str, str | None]
"""Name and version that are taken where they serve, and the index that lists them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildGraph:
    """One answer: the pins, and the packages with files and markers."""

    pins: tuple[BuildPin, ...]
    packages: tuple[PythonPackage, ...]
    repairs: tuple[Repair, ...] = ()


class Notes(SilentReporter):
    """Collects what engines have to say from several threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._texts: set[str] = set()

    def note(self, text: str) -> None:
        """Keep it, once."""
        with self._guard:
            self._texts.add(text)

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them, sorted."""
        with self._guard:
            return tuple(sorted(self._texts))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where and when all build environments of one lock are resolved.

    ``root`` is the project's folder; ``as_of`` UTC; ``refresh`` asks the index whatever is cached.
    """

    engine: Engine
    root: Path
    as_of: datetime
    sources: Sources
    refresh: bool = False


_Key = tuple[tuple[str, ...], tuple[Target, ...], tuple[Preference, ...], datetime]


class Graphs:
    """Resolves in a world; may be used from several threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._guard = threading.Lock()
        self._known: dict[_Key, Future[BuildGraph]] = {}
        self.notes = Notes()

    def resolve(
        self,
        requirements: Iterable[str],
        targets: Iterable[Target],
        preferences: Iterable[Preference] = (),
        *,
        as_of: datetime | None = None,
    ) -> BuildGraph:
        """The graph that satisfies ``requirements`` (PEP 508) on every target.

        ``as_of`` is an earlier instant than the world's to resolve as of.

        Raises:
            NoSolutionError: there is none as of the date.
            SourceError: an index or tool failed.
        """
        key = (
            tuple(sorted(set(requirements))),
            tuple(sorted(targets)),
            tuple(sorted(set(preferences), key=str)),
            as_of or self._world.as_of,
        )
        with self._guard:
            future = self._known.get(key)
            mine = future is None
            if future is None:
                future = self._known[key] = Future()
        if mine:
            try:
                future.set_result(self._resolve(*key))
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def environment(self, graph: BuildGraph, target: Target) -> Lock:
        """The graph as a lock that one target's environment is installed from."""
        return Lock(
            as_of=self._world.as_of,
            engine=self._world.engine.name,
            request=Request(targets=(target,)),
            targets=(target,),
            packages=graph.packages,
        )

    def _resolve(
        self,
        requirements: tuple[str, ...],
        targets: tuple[Target, ...],
        preferences: tuple[Preference, ...],
        as_of: datetime,
    ) -> BuildGraph:
        if not requirements:
            return BuildGraph(pins=(), packages=())
        world = self._world
        question = Question(
            request=Request(wishes=tuple(Wish(text=t) for t in requirements), targets=targets),
            root=world.root,
            as_of=as_of,
            sources=world.sources,
            pins=tuple(PythonPackage(name=n, version=v, index=i) for n, v, i in preferences),
            refresh=world.refresh,
        )
        resolution = world.engine.resolve(question, self.notes)
        pins = [
            BuildPin(name=p.name, version=p.version or "", marker=p.marker)
            for p in resolution.packages
        ]
        return BuildGraph(
            pins=tuple(sorted(pins, key=lambda pin: pin.sort_key)),
            packages=resolution.packages,
            repairs=resolution.repairs,
        )


def all_files(packages: Iterable[PythonPackage]) -> tuple[PythonPackage, ...]:
    """One entry per name and version, with the wheels that any of ``packages`` has; sorted.

    Raises:
        SourceError: two of them have another sdist under one version.
    """
    found: dict[tuple[str, str | None], PythonPackage] = {}
    wheels: dict[tuple[str, str | None], dict[str, Artifact]] = {}
    for package in packages:
        key = (package.name, package.version)
        known = found.setdefault(key, package)
        if known.sdist and package.sdist and known.sdist.sha256 != package.sdist.sha256:
            raise SourceError(
                f"{package.name} {package.version} has two sdists: {known.sdist.sha256} and"
                f" {package.sdist.sha256}",
                where=package.index,
                remedy="use indexes that agree, or lock everything again with --upgrade",
            )
        wheels.setdefault(key, {}).update({wheel.sha256: wheel for wheel in package.wheels})
    return tuple(
        PythonPackage(
            name=package.name,
            version=package.version,
            requires_python=package.requires_python,
            index=package.index,
            sdist=package.sdist,
            wheels=tuple(sorted(wheels[key].values(), key=lambda w: (w.name, w.sha256))),
        )
        for key, package in sorted(found.items(), key=lambda item: item[1].sort_key)
    )
