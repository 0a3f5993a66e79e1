"""What a lock says of packages without a wheel: how their sdist is built, where their folder is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from packaging.markers import Marker

from envlock.errors import UsageError
from envlock.lock.builds import Build, source_of, wheels_stay
from envlock.lock.model import Lock
from envlock.lock.package import Archive, Artifact, PythonPackage
from envlock.lock.target import Target


def locked_build(
    lock: Lock, package: PythonPackage, target: Target
) -> tuple[Artifact | Archive, Build]:
    """The source of a package that has no wheel for the target, and how it is built.

    Raises:
        UsageError: that is not locked; says what to do.
    """
    if package.vcs is not None:
        raise UsageError(
            f"{package.name} comes from a repository, and what builds it is not locked",
            remedy="ask for the archive of that commit instead, with sources = true in"
            f' [tool.envlock]: "{package.name} @ https://…/{package.vcs.commit}.tar.gz"',
        )
    file, build = source_of(package), lock.build(package.name, package.version)
    if file is None:
        raise UsageError(
            f"{package.name} has no wheel for {target.key}, and no sdist",
            remedy="take a release that has one of them",
        )
    if build is None:
        declined = wheels_stay(package.name, lock.request)
        raise UsageError(
            f"{package.name} has no wheel for {target.key}, and what builds it is not locked",
            remedy=f'take what names "{package.name}" out of build-exceptions in [tool.envlock]'
            " and run `envlock lock`"
            if declined
            else "set sources = true in [tool.envlock] and run `envlock lock`, or take a release"
            " that has a wheel",
        )
    return file, build


def build_packages(lock: Lock, build: Build, target: Target) -> Iterator[PythonPackage]:
    """The packages of the environment that ``build`` happens in on the target, with their files."""
    environment = target.environment()
    files = {(package.name, package.version): package for package in lock.build_packages}
    for pin in build.pins:
        if pin.marker is None or Marker(pin.marker).evaluate(environment):
            yield files[pin.name, pin.version]


def project_folder(package: PythonPackage) -> str | None:
    """Of a package that is a source folder, its path below the project's; None: it is the project.

    Raises:
        UsageError: it lies outside of the project, where an image cannot take it from.
    """
    directory = package.directory
    if directory is None:
        return None
    path = PurePosixPath(directory.path, directory.subdirectory or "")
    if path.is_absolute() or ".." in path.parts:
        raise UsageError(
            f"{package.name} is a source folder outside of the project: {path}",
            remedy="move it into the project's folder, or ask for a wheel of it",
        )
    return str(path) if path.parts else None
