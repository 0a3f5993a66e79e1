"""What building the locked sdists needs: one graph of pins per sdist, and their files.

A build is keyed by package and version; its pins are ordinary packages with files, so that the
sdists among those can have builds of their own in the same list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from envlock.lock.canonical import digest

if TYPE_CHECKING:
    from envlock.lock.package import Archive, Artifact, PythonPackage, Repair
    from envlock.lock.request import Request

LEGACY_BACKEND = "setuptools.build_meta:__legacy__"
"""What builds a source tree that names no backend (PEP 517)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPin:
    """One package of a build environment; its files are in ``Lock.build_packages``.

    ``marker`` is a PEP 508 marker; None means every target that the sdist is locked for.
    """

    name: str
    version: str
    marker: str | None = None

    @property
    def sort_key(self) -> tuple[str, str, str]:
        """Order in the file and in the hash: name, version, marker."""
        return (self.name, self.version, self.marker or "")

    def __str__(self) -> str:
        text = f"{self.name}=={self.version}"
        return text if self.marker is None else f"{text} ; {self.marker}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """How one sdist is built (PEP 517, PEP 518).

    ``package`` is PEP 503 normalized; ``sdist`` the sdist's (or archive's) sha256, 64 lower-case
    hex digits. ``backend`` is ``module:object``; ``backend_path`` the folders in the source tree
    that it is found in, where it is part of the sdist. ``static`` are the requirements that
    pyproject.toml states, ``dynamic`` those that the backend's hook asked for, with an empty
    ``PATH``, on each target of ``asked_on`` (``linux/amd64@3.11``); both are PEP 508 texts,
    sorted. ``pins`` is the whole environment to build in; builds with equal pins share one.

    ``generator`` is what the published wheel says it was made by (``hatchling 1.27.0``), and
    ``preferred`` the pins that follow from it and were taken (``hatchling==1.27.0``). ``as_of`` is
    the instant (UTC, whole seconds) that the pins were resolved as of; None: the lock's.
    ``programs`` are packages of Debian that the build is known to need (``gcc``, ``cargo``),
    sorted; what is not known is not there.
    """

    package: str
    version: str
    sdist: str
    backend: str
    backend_path: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()
    asked_on: tuple[str, ...] = ()
    pins: tuple[BuildPin, ...] = ()
    generator: str | None = None
    preferred: tuple[str, ...] = ()
    as_of: datetime | None = None
    programs: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Package and version; no two builds of a lock have the same."""
        return (self.package, self.version)

    @property
    def graph(self) -> str:
        """The name of ``pins``, the same for equal ones: see ``graph_id``."""
        return graph_id(self.pins)


def pins_content(pins: Iterable[BuildPin]) -> list[dict[str, str | None]]:
    """The pins of one build environment, as JSON values."""
    return [
        {"marker": pin.marker, "name": pin.name, "version": pin.version}
        for pin in sorted(pins, key=lambda pin: pin.sort_key)
    ]


def graph_id(pins: Iterable[BuildPin]) -> str:
    """16 hex digits: the beginning of the SHA-256 of the pins' canonical JSON, sorted."""
    return digest(pins_content(pins))[:16]


Key = tuple[str, str]
"""Name and version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A package that is taken as its published wheel, and why (a key of ``bootstrap.REASONS``).

    With ``cycle``, ``cycle`` are the builds that lead to one another, itself included, as
    ``name==version``, sorted: it is taken so where one of these is built, and built for all others.
    """

    package: str
    version: str
    reason: str
    cycle: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """Package and version; a lock has one entry for each."""
        return (self.package, self.version)

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """Builds with the files of their pins, what had to be repaired in those's metadata, and what of
    the lock and of the pins is taken as a wheel."""

    builds: tuple[Build, ...] = ()
    packages: tuple[PythonPackage, ...] = ()
    bootstrap: tuple[Seed, ...] = ()
    repairs: tuple[Repair, ...] = ()


def source_of(package: PythonPackage) -> Artifact | Archive | None:
    """The file with the package's source: its sdist, or an archive that is no wheel."""
    archive = package.archive
    if archive is not None and not urlsplit(archive.url or "").path.endswith(".whl"):
        return None if (archive.path or "").endswith(".whl") else archive
    return package.sdist


def wanted_builds(packages: Iterable[PythonPackage], request: Request) -> tuple[PythonPackage, ...]:
    """The packages that have to have a build, where the request asks for ``sources``."""
    return tuple(p for p in packages if source_of(p) and not wheels_stay(p.name, request))


def declared_requires(name: str, request: Request) -> tuple[str, ...] | None:
    """What the project says that a build needs beyond ``[build-system]``; None: it says nothing.

    ``Request.build_requires`` has a line ``NAME: REQUIREMENT`` for each, or ``NAME:`` for nothing.
    """
    found = [line.partition(":") for line in request.build_requires]
    mine = [text.strip() for package, _, text in found if package == name]
    return tuple(sorted(text for text in mine if text)) if mine else None


def wheels_stay(name: str, request: Request) -> bool:
    """Whether the request excepts the package from being built: by name, or by a pattern."""
    return any(fnmatchcase(name, pattern) for pattern in request.build_exceptions)


def declared(name: str, request: Request) -> str:
    """That a package is excepted, with the project's own reason where it gives one.

    ``Request.build_exception_reasons`` has a line ``PATTERN: REASON`` for each; the longest pattern
    that the name has is the nearest.
    """
    lines = [line.partition(": ") for line in request.build_exception_reasons]
    fitting = [(len(pattern), reason) for pattern, _, reason in lines if fnmatchcase(name, pattern)]
    said = "declared in build-exceptions"
    return f"{said}: {max(fitting)[1]}" if fitting else said
