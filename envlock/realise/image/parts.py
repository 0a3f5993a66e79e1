"""What an image of one target is made of: chosen from the lock, before anything is fetched."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.version import Version

from envlock.errors import UsageError
from envlock.lock.artifacts import PythonFile, UsedFiles, best_wheel
from envlock.lock.interpreter import StandalonePython
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage
from envlock.lock.package import PythonPackage
from envlock.lock.provider import standalone
from envlock.lock.selection import wanted_packages
from envlock.lock.target import NEWEST_GLIBC_MINOR, Target, ranked_tags
from envlock.lock.unbuilt import project_folder
from envlock.realise.image.sources import Source, choose_source

PREFIX = "opt/venv"
"""Where the environment is in the image."""

STANDALONE = "/opt/python"
"""Where an archive of Python goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One target's image: packages of the base and beyond, its Python, and wheels.

    ``interpreter`` is an archive of Python, ``python`` the path, series and full version of the
    interpreter that the environment uses; both None where only the OS is built. ``sources`` are
    packages that have to be built first, ``folders`` those that are folders of the project, with
    their paths in it.
    """

    target: Target
    base: str
    base_packages: tuple[OsPackage, ...]
    packages: tuple[OsPackage, ...]
    interpreter: StandalonePython | None = None
    python: tuple[str, str, str] | None = None
    wheels: tuple[PythonFile, ...] = ()
    sources: tuple[Source, ...] = ()
    folders: tuple[tuple[PythonPackage, str], ...] = ()

    @property
    def os_files(self) -> UsedFiles:
        """The distribution's packages."""
        return UsedFiles(os=(*self.base_packages, *self.packages))

    @property
    def wheel_files(self) -> UsedFiles:
        """The wheels, and what others are built from and with."""
        built = (file for source in self.sources for file in source.files)
        return UsedFiles(python=(*self.wheels, *built))

    @property
    def interpreter_files(self) -> UsedFiles:
        """The archive of Python, if there is one."""
        return UsedFiles(interpreters=(self.interpreter,) if self.interpreter else ())


def choose_targets(lock: Lock, names: tuple[Target, ...]) -> tuple[Target, ...]:
    """The targets to build for: those named, else the newest Python of each Linux platform.

    Raises:
        UsageError: there are none of Linux, or two of one platform.
    """
    chosen: dict[str, Target] = {}
    for target in names:
        if not target.platform.startswith("linux/"):
            raise UsageError(
                f"there are no images of {target.platform}", remedy="name a Linux target"
            )
        if target.platform in chosen:
            raise UsageError(
                f"two targets of {target.platform}: an image has one Python a platform",
                remedy="name one of them",
            )
        chosen[target.platform] = target
    if names:
        return tuple(sorted(chosen.values()))
    for target in lock.targets:
        there = chosen.get(target.platform)
        if target.platform.startswith("linux/") and (
            there is None or Version(there.python) < Version(target.python)
        ):
            chosen[target.platform] = target
    if not chosen:
        raise UsageError(
            "the lock is for no Linux platform",
            remedy='add "linux/amd64" to targets in [tool.envlock], then run `envlock lock`',
        )
    return tuple(sorted(chosen.values()))


def choose_parts(lock: Lock, target: Target, *, only_os: bool) -> Parts:
    """What goes into the image of a target.

    Raises:
        UsageError: the lock does not say what the image's system or Python is, or how a package
            without a wheel is built.
    """
    if lock.os is None:
        raise UsageError(
            "the lock has no OS packages to make an image from",
            remedy='set base = "debian:bookworm" in [tool.envlock.os], then run `envlock lock`',
        )
    architecture = target.platform.partition("/")[2]
    own = [p for p in sorted(lock.os.packages) if p.architecture == architecture]
    parts = Parts(
        target=target,
        base=lock.os.base,
        base_packages=tuple(p for p in own if p.base),
        packages=tuple(p for p in own if not p.base),
    )
    if only_os:
        return parts
    build = standalone(lock, target)
    python = _interpreter(lock, target, own, build)
    wheels, others = _wheels(lock, target, python[2], _glibc(own))
    folders = [(package, project_folder(package)) for package in others if package.directory]
    return Parts(
        target=target,
        base=parts.base,
        base_packages=parts.base_packages,
        packages=parts.packages,
        interpreter=build,
        python=python,
        wheels=wheels,
        sources=tuple(choose_source(lock, p, target) for p in others if not p.directory),
        folders=tuple((package, path) for package, path in folders if path is not None),
    )


def _interpreter(
    lock: Lock, target: Target, packages: list[OsPackage], build: StandalonePython | None
) -> tuple[str, str, str]:
    if build is not None:
        return f"{STANDALONE}/bin/python{target.series}", target.series, build.version
    found = next((p for p in packages if p.name == f"python{target.series}"), None)
    if found is None:
        says = lock.request.interpreter
        raise UsageError(
            f"the lock has no Python to put into an image for {target.key}"
            + (f" (interpreter = {says!r})" if says else ""),
            remedy='set interpreter = "standalone" in [tool.envlock], or remove the setting to take'
            " the distribution's, then run `envlock lock`; --only os builds without Python",
        )
    upstream = found.version.rpartition(":")[2].partition("-")[0]
    return f"/usr/bin/python{target.series}", target.series, upstream


def _glibc(packages: list[OsPackage]) -> int:
    """The minor version of the image's C library: 36 for ``2.36-9+deb12u10``."""
    for package in packages:
        if package.name == "libc6":
            number = package.version.partition("-")[0].split(".")[1]
            return int(number) if number.isdigit() else NEWEST_GLIBC_MINOR
    return NEWEST_GLIBC_MINOR


def _wheels(
    lock: Lock, target: Target, version: str, glibc_minor: int
) -> tuple[tuple[PythonFile, ...], tuple[PythonPackage, ...]]:
    """The best wheel of each package, and the packages that have none."""
    ranks = {tag: rank for rank, tag in enumerate(ranked_tags(target, glibc_minor))}
    found, without = [], []
    for package in wanted_packages(lock, target, version):
        wheel = best_wheel(package, target, ranks)
        if wheel is None:
            without.append(package)
        else:
            found.append(PythonFile(package=package, file=wheel))
    return tuple(found), tuple(without)
