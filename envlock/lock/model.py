"""The lock's values: what was pinned, for which targets, with which artifacts.

Shapes follow PEP 751 (pylock.toml) and PEP 440/503/508; the file's own shape lives in ``codec``.
Everything is frozen and holds tuples, so that equal locks are equal values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envlock.lock.bootstrap import Seed
    from envlock.lock.builds import Build
    from envlock.lock.image import BaseImage
    from envlock.lock.interpreter import StandalonePython
    from envlock.lock.os import OsLayer
    from envlock.lock.request import Request
    from envlock.lock.target import Target
    from envlock.lock.toolchain import GuixChannel, Nixpkgs

FORMAT_VERSION = 1
"""Version of the ``[tool.envlock]`` table that this envlock writes and reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file with a digest: a wheel or an sdist.

    Exactly one of ``url`` (without credentials) and ``path`` (relative to the lockfile, POSIX
    separators) is set. ``sha256`` is 64 lower-case hex digits. ``size`` is in bytes.
    ``upload_time`` is UTC.
    """

    name: str
    url: str | None = None
    path: str | None = None
    sha256: str
    size: int | None = None
    upload_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A direct URL or local file given as a requirement (PEP 751 ``packages.archive``)."""

    url: str | None = None
    path: str | None = None
    sha256: str
    size: int | None = None
    subdirectory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vcs:
    """A version-control requirement, pinned to a commit (PEP 751 ``packages.vcs``).

    ``kind`` is ``git``; ``commit`` the full object id; ``requested`` the branch or tag asked for.
    """

    kind: str
    url: str
    commit: str
    requested: str | None = None
    subdirectory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A local source tree (PEP 751 ``packages.directory``); ``path`` relative to the lockfile."""

    path: str
    editable: bool = False
    subdirectory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Dependency:
    """A package that another one needs: PEP 503 normalized name, and version where it has one."""

    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonPackage:
    """One pinned distribution and its artifacts.

    ``name`` is PEP 503 normalized. ``version`` is absent only for source trees without a static
    one. ``marker`` is a PEP 508 marker; None means every target. ``index`` is the base URL of the
    simple index that listed the files, without credentials. Of ``wheels``/``sdist``, ``archive``,
    ``vcs`` and ``directory``, one kind is present.
    """

    name: str
    version: str | None = None
    marker: str | None = None
    requires_python: str | None = None
    index: str | None = None
    dependencies: tuple[Dependency, ...] = ()
    sdist: Artifact | None = None
    wheels: tuple[Artifact, ...] = ()
    archive: Archive | None = None
    vcs: Vcs | None = None
    directory: Directory | None = None

    @property
    def sort_key(self) -> tuple[str, str, str]:
        """Order in the file and in the hash: name, version, marker."""
        return (self.name, self.version or "", self.marker or "")

    @property
    def files(self) -> tuple[Artifact, ...]:
        """Every wheel and sdist, sdist last."""
        return self.wheels + ((self.sdist,) if self.sdist else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Metadata that no longer parses and was read in a stated way.

    Example: ``Repair(subject="pandas==0.24.2", found="pytz (>=2011k)", used="pytz>=2011")``.
    """

    subject: str
    found: str
    used: str


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
