"""The files of a lock that its targets use: what has to be at hand to install without any index."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envlock.lock.interpreter import StandalonePython
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage, OsSource, OsSourceFile
from envlock.lock.package import Artifact, PythonPackage
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target, wheel_tags

if TYPE_CHECKING:
    from packaging.tags import Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonFile:
    """A wheel, an sdist or an archive given directly, and the package that it is of.

    ``file`` says where it is; of an archive given directly it has the address's last part as name.
    """

    package: PythonPackage
    file: Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of a source package of the distribution, and that package."""

    source: OsSource
    file: OsSourceFile


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedFiles:
    """What targets use, each list sorted; a file of several targets is there once.

    ``interpreters`` are archives of Python; ``os_sources`` belong to the packages of ``os``.
    ``without`` names the packages that no file
    with a digest is locked for (a repository, a folder), as ``name`` or ``name==version``.
    """

    interpreters: tuple[StandalonePython, ...] = ()
    python: tuple[PythonFile, ...] = ()
    os: tuple[OsPackage, ...] = ()
    os_sources: tuple[SourceFile, ...] = ()
    without: tuple[str, ...] = ()


def used_files(
    lock: Lock,
    targets: Iterable[Target],
    *,
    python: bool = True,
    os: bool = True,
    sources: bool = False,
) -> UsedFiles:
    """The files that some machine of the targets may install.

    Of Python packages every wheel that fits one of the targets, else the sdist; of OS packages
    those of the targets' architectures.

    Args:
        python: with Python packages, and archives of Python.
        os: with OS packages.
        sources: with what building the same from source needs: every sdist, the packages that
            they are built with (and those's sdists), the OS packages that are only needed to build,
            and the source packages of the others.
    """
    targets = tuple(targets)
    found, without = _python_files(lock, targets, sources=sources) if python else ((), ())
    debs = _os_packages(targets, lock.os.packages) if os and lock.os else ()
    more = _os_packages(targets, lock.os.build_packages) if os and lock.os and sources else ()
    return UsedFiles(
        interpreters=tuple(b for b in sorted(lock.standalone) if python and b.target in targets),
        python=found,
        os=(*debs, *more),
        os_sources=_os_sources(lock, debs) if sources else (),
        without=without,
    )


def _python_files(
    lock: Lock, targets: Iterable[Target], *, sources: bool
) -> tuple[tuple[PythonFile, ...], tuple[str, ...]]:
    found: dict[str, PythonFile] = {}
    without: set[str] = set()
    for target in targets:
        build = lock.build_packages if sources else ()
        for package in (*_packages(lock, target), *build):
            files = package_files(package, target)
            if not files:
                without.add(package.name + (f"=={package.version}" if package.version else ""))
            if sources and package.sdist is not None:
                files = (*files, package.sdist)
            for file in files:
                found.setdefault(file.sha256, PythonFile(package=package, file=file))
    ordered = sorted(found.values(), key=lambda f: (f.package.sort_key, f.file.name))
    return tuple(ordered), tuple(sorted(without))


def package_files(package: PythonPackage, target: Target) -> tuple[Artifact, ...]:
    """Of one package: the wheels that fit the target, else its sdist; its archive given directly.

    Which of several wheels is taken, the machine's own C library decides.
    """
    if package.archive is not None:
        archive = package.archive
        place = archive.url or archive.path or ""
        name = place.partition("?")[0].rpartition("/")[2]
        return (
            Artifact(
                name=name,
                url=archive.url,
                path=archive.path,
                sha256=archive.sha256,
                size=archive.size,
            ),
        )
    tags = wheel_tags(target)
    fitting = [w for w in package.wheels if not tags.isdisjoint(_wheel_tags(w.name))]
    if fitting:
        return tuple(fitting)
    return () if package.sdist is None else (package.sdist,)


def best_wheel(package: PythonPackage, target: Target, ranks: Mapping[Tag, int]) -> Artifact | None:
    """The wheel that an installer takes on a machine whose tags have these ranks, 0 the best."""
    from packaging.utils import parse_wheel_filename

    best: tuple[tuple[object, ...], Artifact] | None = None
    for file in package_files(package, target):
        if not file.name.endswith(".whl"):
            continue
        _name, _version, build, tags = parse_wheel_filename(file.name)
        rank = min((ranks[tag] for tag in tags if tag in ranks), default=None)
        if rank is None:
            continue
        number, suffix = build or (0, "")
        order = (rank, -number, [-ord(sign) for sign in suffix], file.name)
        if best is None or order < best[0]:
            best = (order, file)
    return None if best is None else best[1]


@functools.cache
def _wheel_tags(name: str) -> frozenset[Tag]:
    from packaging.utils import parse_wheel_filename

    return parse_wheel_filename(name)[3]


def _os_packages(targets: Iterable[Target], packages: Iterable[OsPackage]) -> tuple[OsPackage, ...]:
    platforms = {target.platform for target in targets}
    found: dict[str, OsPackage] = {}
    for package in sorted(packages):
        if f"linux/{package.architecture}" in platforms:
            found.setdefault(package.sha256, package)
    return tuple(found.values())


def _os_sources(lock: Lock, packages: Iterable[OsPackage]) -> tuple[SourceFile, ...]:
    built_from = {(package.source, package.source_version) for package in packages}
    found: dict[str, SourceFile] = {}
    for source in sorted(lock.os.sources if lock.os else ()):
        if (source.name, source.version) in built_from:
            for file in source.files:
                found.setdefault(file.sha256, SourceFile(source=source, file=file))
    return tuple(found.values())


def _packages(lock: Lock, target: Target) -> Iterable[PythonPackage]:
    # A marker on the patch release may hold for some patches only: either counts.
    first = wanted_packages(lock, target)
    if target.python != target.series:
        return first
    return dict.fromkeys((*first, *wanted_packages(lock, target, f"{target.series}.99")))
