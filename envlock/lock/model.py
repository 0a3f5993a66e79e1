"""The lock's values: what was pinned, for which targets, with which artifacts.

Shapes follow PEP 751 (pylock.toml) and PEP 440/503/508; the file's own shape lives in ``codec``.
Everything is frozen and holds tuples, so that equal locks are equal values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envlock.lock.builds import Build, Seed
    from envlock.lock.image import BaseImage
    from envlock.lock.interpreter import StandalonePython
    from envlock.lock.os import OsLayer
    from envlock.lock.package import PythonPackage, Repair
    from envlock.lock.request import Request
    from envlock.lock.target import Target
    from envlock.lock.toolchain import GuixChannel, Nixpkgs

FORMAT_VERSION = 1
"""Version of the ``[tool.envlock]`` table that this envlock writes and reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """All that is pinned, and the request it answers.

    ``as_of`` is UTC, whole seconds. ``engine`` is the entry point's name. ``built`` lists
    ``name==version`` of what no wheel serves on some target: its sdist is built, to learn its
    metadata and to install it. ``builds`` says
    how each sdist is built, where the request asks for ``sources``; ``build_packages`` are the
    files of all their pins, without markers and dependencies, and ``bootstrap`` says what of
    both kinds of packages is taken as a wheel where all else is built. ``standalone`` are the
    archives of Python that are locked, one a target, sorted; ``provider`` says of every target
    where its Python comes from. ``environment_hash`` is derived: see ``hashing.environment_hash``.
    """

    as_of: datetime
    engine: str
    request: Request
    targets: tuple[Target, ...]
    packages: tuple[PythonPackage, ...]
    built: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = field(default=())
    os: OsLayer | None = None
    nixpkgs: Nixpkgs | None = None
    guix: GuixChannel | None = None
    builds: tuple[Build, ...] = ()
    build_packages: tuple[PythonPackage, ...] = ()
    bootstrap: tuple[Seed, ...] = ()
    standalone: tuple[StandalonePython, ...] = ()
    image: BaseImage | None = None

    def package(self, name: str) -> tuple[PythonPackage, ...]:
        """Entries called ``name`` (normalized); several when targets differ."""
        return tuple(p for p in self.packages if p.name == name)

    def build(self, name: str, version: str | None) -> Build | None:
        """How the sdist of that package and version is built; None where that is not locked."""
        return next((b for b in self.builds if b.key == (name, version)), None)
