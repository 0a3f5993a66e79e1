"""What the wheels of a lock need of the system, for one architecture."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.utils import parse_wheel_filename

from envlock.lock.model import Lock
from envlock.lock.os import OsPackage
from envlock.lock.package import PythonPackage
from envlock.lock.selection import wanted_packages
from envlock.lock.target import NEWEST_GLIBC_MINOR, Target, ranked_tags
from envlock.resolve.os.libraries.wheels import (
    Searched,
    WheelFile,
    WheelLibraries,
    WheelReader,
)

if TYPE_CHECKING:
    from packaging.tags import Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A library, and the locked Python packages that need it, sorted.

    ``partly_read``: all of those were read in part only.
    """

    soname: str
    wheels: tuple[str, ...]
    partly_read: bool


Finder = Callable[[str, Iterable[OsPackage]], "Needs"]
"""What the wheels need for an architecture, on a system of these packages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """By soname, sorted; ``unread`` are files too large to look into, as ``package: path``."""

    libraries: tuple[Need, ...]
    unread: tuple[str, ...]


def finder(lock: Lock, reader: WheelReader, root: Path) -> Finder:
    """Finds what the lock's wheels need and nobody brings, but not what its request ignores.

    A wheel's own libraries count as there, and those of the wheels that it depends on (torch
    loads those of nvidia-…), wherever in them they lie; those of another wheel, where a file's
    RPATH leads to them (PySide6 is one folder that several wheels fill).

    Args:
        lock: its packages, targets and request; the OS layer does not matter.
        reader: reads the wheels. The finder raises what ``WheelReader.read_all`` raises.
        root: the lockfile's folder.
    """

    def find(architecture: str, packages: Iterable[OsPackage]) -> Needs:
        return _needs(lock, architecture, glibc_minor(architecture, packages), reader, root)

    return find


def glibc_minor(architecture: str, packages: Iterable[OsPackage]) -> int:
    """36 for the glibc 2.36 of a base: it decides which wheels can be installed."""
    for package in packages:
        if (package.architecture, package.name) == (architecture, "libc6"):
            match = re.match(r"(?:[0-9]+:)?2\.([0-9]+)", package.version)
            if match is not None:
                return int(match[1])
    return NEWEST_GLIBC_MINOR


def _needs(
    lock: Lock, architecture: str, glibc_minor: int, reader: WheelReader, root: Path
) -> Needs:
    targets = [t for t in lock.targets if t.platform == f"linux/{architecture}"]
    chosen = [_chosen(wanted_packages(lock, t), t, glibc_minor, root) for t in targets]
    files = (file for wheels in chosen for _, file in wheels if file is not None)
    answers = reader.read_all(files)
    found: dict[str, dict[str, bool]] = {}  # soname → wheel's package → whether read in part
    unread = set()
    ignored = lock.request.os_ignore_libraries
    for wheels in chosen:
        by_name = {package.name: (package, file) for package, file in wheels}
        places = {
            place for _, file in wheels if file is not None for place in answers[file.sha256].places
        }
        for package, file in wheels:
            if file is None:
                continue
            answer = answers[file.sha256]
            unread |= {f"{package.name}: {path}" for path in answer.unread}
            brought = _brought(package, by_name, answers)
            for soname, ways in answer.needs.get(architecture, {}).items():
                if soname in brought or soname in ignored:
                    continue
                if not all(_lies_in(soname, folders, places) for folders in ways):
                    found.setdefault(soname, {})[package.name] = file.large
    return Needs(
        libraries=tuple(
            Need(soname=soname, wheels=tuple(sorted(by)), partly_read=all(by.values()))
            for soname, by in sorted(found.items())
        ),
        unread=tuple(sorted(unread)),
    )


_Chosen = list[tuple[PythonPackage, WheelFile | None]]


def _chosen(
    packages: Iterable[PythonPackage], target: Target, glibc_minor: int, root: Path
) -> _Chosen:
    """Each package with the wheel that an installer takes; None: one without ELF files, or none."""
    ranks = {tag: rank for rank, tag in enumerate(ranked_tags(target, glibc_minor))}
    chosen: _Chosen = []
    for package in packages:
        rated = [
            (*rating, file.name, file)
            for file in _files(package, root)
            if (rating := _rating(file.name, ranks)) is not None
        ]
        best = min(rated, key=lambda entry: entry[:-1])[-1] if rated else None
        # A wheel for any platform has nothing that is bound to one (PEP 425).
        chosen.append((package, best if best and not best.name.endswith("-any.whl") else None))
    return chosen


def _files(package: PythonPackage, root: Path) -> Iterator[WheelFile]:
    for wheel in package.wheels:
        path = None if wheel.path is None else root / wheel.path
        yield WheelFile(
            name=wheel.name, sha256=wheel.sha256, size=wheel.size, url=wheel.url, path=path
        )
    archive = package.archive
    if archive is None:
        return
    place = archive.path or urlsplit(archive.url or "").path
    name = unquote(place.rpartition("/")[2])
    if name.endswith(".whl"):
        path = None if archive.path is None else root / archive.path
        yield WheelFile(
            name=name, sha256=archive.sha256, size=archive.size, url=archive.url, path=path
        )


def _rating(name: str, ranks: Mapping[Tag, int]) -> tuple[int, int] | None:
    """The rank of the wheel's best tag, then the higher build number; None: not for this target."""
    _, _, build, tags = parse_wheel_filename(name)
    rank = min((ranks[tag] for tag in tags if tag in ranks), default=None)
    return None if rank is None else (rank, -build[0] if build else 0)


def _lies_in(soname: str, folders: Searched, places: set[str]) -> bool:
    return any(f"{folder}/{soname}" in places for folder in folders)


def _brought(
    package: PythonPackage,
    by_name: Mapping[str, tuple[PythonPackage, WheelFile | None]],
    answers: Mapping[str, WheelLibraries],
) -> set[str]:
    """What the package's own wheel brings, and those of all packages below it."""
    seen, waiting = {package.name}, [package.name]
    brought: set[str] = set()
    while waiting:
        current, file = by_name[waiting.pop()]
        if file is not None:
            brought |= answers[file.sha256].brings
        below = {dependency.name for dependency in current.dependencies} & by_name.keys()
        waiting += below - seen
        seen |= below
    return brought
