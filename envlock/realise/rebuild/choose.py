"""Which of a lock's files the environment of one machine is made of."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from envlock.io.store import named
from envlock.lock.artifacts import PythonFile, best_wheel, package_files
from envlock.lock.model import Lock
from envlock.lock.package import Artifact, PythonPackage
from envlock.lock.selection import wanted_packages
from envlock.lock.target import NEWEST_GLIBC_MINOR, Target, tag_ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Files to install, sorted by package, and the packages that are no file.

    ``without`` are repositories and folders, which no digest of bytes covers.
    """

    files: tuple[PythonFile, ...]
    without: tuple[PythonPackage, ...]


def choose_files(lock: Lock, target: Target, version: str | None) -> Chosen:
    """Of each package the wheel that this machine installs, else its sdist.

    Where the machine is not Linux, every wheel that fits the target: its installer takes one.

    Args:
        lock: the lock.
        target: the target that serves this machine.
        version: the interpreter's full version, None where that is not known.
    """
    ranks = tag_ranks(target, glibc_minor())
    linux = target.platform.startswith("linux/")
    files: list[PythonFile] = []
    without: list[PythonPackage] = []
    for package in wanted_packages(lock, target, version):
        found = package_files(package, target)
        wheel = best_wheel(package, target, ranks) if linux and not package.archive else None
        if wheel is not None:
            found = (wheel,)
        elif linux and package.sdist is not None:
            found = (package.sdist,)  # what wheels there are need a newer C library
        if not found:
            without.append(package)
        files += [PythonFile(package=package, file=file) for file in found]
    return Chosen(files=tuple(files), without=tuple(without))


def glibc_minor() -> int:
    """The minor version of this machine's C library (36 of ``glibc 2.36``)."""
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):  # another C library
        return NEWEST_GLIBC_MINOR
    number = text.rpartition(".")[2]
    return int(number) if number.isdigit() else NEWEST_GLIBC_MINOR


def local_lock(lock: Lock, chosen: Chosen, root: str) -> Lock:
    """The lock as an installer reads it that is to take every file from the store.

    Args:
        lock: the lock.
        chosen: what to install; all its files are in the store.
        root: the folder (absolute) that the lock's own relative paths count from.
    """
    packages: dict[tuple[str, str, str], PythonPackage] = {}
    for entry in chosen.files:
        key = entry.package.sort_key
        known = packages.get(key) or replace(
            entry.package, marker=None, dependencies=(), wheels=(), sdist=None
        )
        packages[key] = _with(known, entry.file)
    for package in chosen.without:
        moved = package.directory and replace(
            package.directory,
            path=os.path.join(root, package.directory.path),  # noqa: PTH118
        )
        packages[package.sort_key] = replace(package, marker=None, dependencies=(), directory=moved)
    kept = tuple(packages[key] for key in sorted(packages))
    return replace(lock, packages=kept, builds=(), build_packages=())


def _with(package: PythonPackage, file: Artifact) -> PythonPackage:
    path = str(named(file.sha256, file.name))
    if package.archive is not None:
        return replace(package, archive=replace(package.archive, url=None, path=path))
    local = replace(file, url=None, path=path)
    if file.name.endswith(".whl"):
        return replace(package, wheels=(*package.wheels, local))
    return replace(package, sdist=local)
