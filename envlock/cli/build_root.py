"""What wheels are built in: a root of the locked packages, or this machine, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envlock.cli.rebuilding.python import with_mirrors
from envlock.errors import SourceError
from envlock.io.interpreters import Interpreter
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter
from envlock.io.rooted import why_no_roots
from envlock.lock.artifacts import UsedFiles
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage
from envlock.lock.target import Target
from envlock.realise.rebuild.choose import glibc_minor
from envlock.realise.rebuild.gather import Gathered, Places, gather
from envlock.realise.rebuild.os_python import own_c_library
from envlock.realise.source.root import (
    BuildRoot,
    NoRootError,
    RootPython,
    kept_root,
    locked_glibc,
    make_root,
    root_packages,
    root_python,
)

LOCK, MACHINE = "lock", "machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where wheels are built.

    ``root`` and its Python; None for this machine, and ``reason`` says why. ``packages`` are those
    that had to be brought for it, ``gathered`` where each came from, or that nobody has it.
    """

    root: tuple[BuildRoot, RootPython] | None = None
    reason: str | None = None
    glibc_minor: int = field(default_factory=glibc_minor)
    packages: tuple[OsPackage, ...] = ()
    gathered: dict[str, Gathered] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the packages that nobody has."""
        lacking = {sha256 for sha256, one in self.gathered.items() if one.origin is None}
        return tuple(package.name for package in self.packages if package.sha256 in lacking)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``: docs/json.md."""
        root, python = self.root or (None, None)
        return {
            "from": MACHINE if root is None else LOCK,
            "digest": None if root is None else root.digest,
            "packages": None if root is None else root.packages,
            "scripts": None if root is None else root.scripts,
            "python": None if python is None else python.version,
            "python-path": None if python is None else python.path,
            "reason": self.reason,
        }

    def told(self) -> str:
        """For people."""
        if self.root is None:
            return f"with this machine's programs, not with locked ones: {self.reason}"
        root, python = self.root
        shown = " of this machine" if python.shown else ""
        return (
            f"in a root of {root.packages} locked packages ({root.digest[:12]}), by CPython"
            f" {python.version}{shown}"
        )


def choose_root(
    lock: Lock,
    folder: Path,
    target: Target,
    python: Interpreter,
    places: Places,
    wanted: str | None,
    reporter: Reporter,
) -> Surroundings:
    """The root of the locked packages, made where it is not there; else this machine.

    Args:
        lock: the lock.
        folder: the project's.
        target: what is built for.
        python: what the environment is made from.
        places: where packages may be had.
        wanted: ``lock``, ``machine``; None for the root where there can be one.
        reporter: told what is done.

    Raises:
        SourceError: ``lock`` is wanted and cannot be; or the disk cannot take the root.
        UsageError, VerificationError: a package is not what it must be.
    """
    if wanted == MACHINE:
        return Surroundings(reason="--build-root machine")
    architecture = target.platform.partition("/")[2]
    packages = root_packages(lock, architecture)
    reason = _hindrance(packages, architecture, python, wanted)
    remedy: str | None = "--build-root machine builds with this machine's programs"
    if reason is None:
        try:
            return _rooted(lock, folder, target, python, places, packages, reporter)
        except NoRootError as error:
            reason, remedy = error.what, error.remedy
    if wanted == LOCK:
        raise SourceError(
            f"there is no root of the locked packages to build in: {reason}", remedy=remedy
        )
    return Surroundings(reason=reason)


def _hindrance(
    packages: tuple[OsPackage, ...], architecture: str, python: Interpreter, wanted: str | None
) -> str | None:
    """Why there is to be no root, in words."""
    if not packages:
        return f"the lock has no packages to build with ([tool.envlock.os]) for {architecture}"
    why = why_no_roots()
    if why is not None:
        return f"this system lets programs have no other root ({why})"
    locked, own = locked_glibc(packages), glibc_minor()
    if wanted is None and locked > own and not _has_own_c_library(python):
        return (
            f"what is built in the locked packages needs their C library (2.{locked}), and this"
            f" machine's is older (2.{own})"
        )
    return None


def _has_own_c_library(python: Interpreter) -> bool:
    """Whether it is the distribution's, unpacked into the cache with its C library."""
    root = python.base_prefix.parent
    return cache_dir() / "pythons" in root.parents and own_c_library(root)


def _rooted(
    lock: Lock,
    folder: Path,
    target: Target,
    python: Interpreter,
    places: Places,
    packages: tuple[OsPackage, ...],
    reporter: Reporter,
) -> Surroundings:
    assert lock.os is not None  # noqa: S101 - packages are of its layer
    minor = locked_glibc(packages)
    root = kept_root(lock.os.base, packages)
    gathered: dict[str, Gathered] = {}
    brought: tuple[OsPackage, ...] = ()
    if root is None:
        brought = packages
        where = with_mirrors(lock, folder, places)
        gathered = gather(lock, UsedFiles(os=packages), folder, where, reporter)
        if any(one.origin is None for one in gathered.values()):
            return Surroundings(packages=brought, gathered=gathered, glibc_minor=minor)
        root = make_root(lock.os.base, packages, reporter)
    own = root_python(lock, target, root, packages, python)
    return Surroundings(root=(root, own), packages=brought, gathered=gathered, glibc_minor=minor)
