"""What of a target's packages Nix can build from source, and how: the locked builds as data."""

from __future__ import annotations

from typing import Any

from packaging.markers import Marker

from envlock.errors import UsageError
from envlock.export.nix.os_packages import OsNames
from envlock.export.nix.text import fetchable, store_name
from envlock.export.nix.wheels import choose
from envlock.lock.builds import Build
from envlock.lock.model import Lock
from envlock.lock.package import Archive, Artifact, PythonPackage
from envlock.lock.target import Target


class Sources:
    """Collects the builds that one target's packages need, and those of their tools.

    ``builds`` and ``graphs`` are ``env.json``'s: a build's key (``numpy==2.2.0``) → what is built
    and with which graph; a graph's name → the packages to install for it. ``declined`` says why
    what could be built is not: a package's name → the reason.
    """

    def __init__(self, lock: Lock, target: Target, names: OsNames) -> None:
        self._lock = lock
        self._target = target
        self._names = names
        self._packages = {(p.name, p.version): p for p in lock.build_packages}
        self.builds: dict[str, dict[str, Any]] = {}
        self.graphs: dict[str, list[dict[str, Any]]] = {}
        self.declined: dict[str, str] = {}

    def entry(self, package: PythonPackage, *, build: bool = True) -> dict[str, Any]:
        """``env.json``'s entry of a package: its wheel, its build (unless declined), or both.

        Raises:
            UsageError: it has neither, or lies where a flake cannot fetch it.
        """
        _fetched(package)
        choice = choose(_wheels(package), self._target)
        wheel = None if choice is None else file_entry(choice.file)
        if wheel is not None and choice is not None and choice.glibc is not None:
            wheel["glibc"] = choice.glibc
        locked = self._lock.build(package.name, package.version) if build else None
        if locked is not None and wheel is not None:
            unknown = self._names.unknown(locked.programs)
            if unknown:
                self.declined[package.name] = (
                    f"its build needs {', '.join(unknown)}, of which no name in nixpkgs is known"
                )
                locked = None
        return {
            "build": None if locked is None else self._add(package, locked),
            "name": package.name,
            "version": package.version,
            "wheel": wheel,
        }

    def _add(self, package: PythonPackage, build: Build) -> str | None:
        source = _sdist(package)
        if source is None or source.sha256 != build.sdist:
            return None
        key = f"{build.package}=={build.version}"
        if key in self.builds:
            return key
        entry: dict[str, Any] = {
            "backend": build.backend,
            "backend-path": list(build.backend_path),
            "graph": build.graph,
            "name": store_name(f"{build.package}-{build.version}-wheel"),
            "programs": self._names.programs(build.programs, key),
            "sdist": file_entry(source),
            "subdirectory": package.archive.subdirectory if package.archive else None,
            "tools": store_name(f"{build.package}-{build.version}-build"),
        }
        self.builds[key] = entry
        if build.graph not in self.graphs:
            self.graphs[build.graph] = []
            self.graphs[build.graph] = [self._pinned(*pin) for pin in self._pins(build)]
        return key

    def _pins(self, build: Build) -> list[tuple[str, str]]:
        environment = self._target.environment()
        return [
            (pin.name, pin.version)
            for pin in sorted(build.pins, key=lambda pin: pin.sort_key)
            if pin.marker is None or Marker(pin.marker).evaluate(environment)
        ]

    def _pinned(self, name: str, version: str) -> dict[str, Any]:
        package = self._packages[name, version]
        # What builds others is taken as a wheel where it has one, however it could be built itself.
        choice = choose(_wheels(package), self._target)
        entry = self.entry(package, build=choice is None)
        if entry["wheel"] is None and entry["build"] is None:
            raise not_buildable([f"{name} {version}"], self._target)
        return entry


def not_buildable(named: list[str], target: Target) -> UsageError:
    """What cannot be in the flake: no wheel, and nothing locked that would build one."""
    return UsageError(
        f"without a wheel for {target.key}, and the lock does not say what building it needs:"
        f" {', '.join(named)}",
        remedy="lock what building needs, too: `sources = true` in [tool.envlock], no"
        " build-exceptions for these, then `envlock lock`",
    )


def file_entry(file: Artifact) -> dict[str, Any]:
    """What ``fetchurl`` needs."""
    return {
        "name": store_name(file.name),
        "sha256": file.sha256,
        "url": fetchable(file.url or ""),
    }


def _wheels(package: PythonPackage) -> tuple[Artifact, ...]:
    if package.archive is not None:
        file = _archive(package.archive)
        return (file,) if file.name.endswith(".whl") else ()
    return package.wheels


def _sdist(package: PythonPackage) -> Artifact | None:
    if package.archive is not None:
        file = _archive(package.archive)
        return None if file.name.endswith(".whl") else file
    return package.sdist


def _archive(archive: Archive) -> Artifact:
    url = archive.url or ""
    name = url.partition("#")[0].partition("?")[0].rpartition("/")[2]
    return Artifact(name=name, url=url, sha256=archive.sha256)


def _fetched(package: PythonPackage) -> None:
    """Refuse what no address and digest can say."""
    if package.vcs is not None:
        what, remedy = (
            f"comes from {package.vcs.kind}",
            "ask for a release of it, or for an archive of the commit (NAME @ https://….tar.gz)",
        )
    elif package.directory is not None:
        what, remedy = (
            f"is the source folder {package.directory.path!r}",
            "take it out of the project, and work on it in the flake's shell (`nix develop`)",
        )
    elif (package.archive and package.archive.url is None) or any(
        file.url is None for file in package.files
    ):
        what, remedy = "is a file in a local folder", "take it from an index or a URL"
    else:
        return
    raise UsageError(
        f"{package.name} {what}, which a flake made from the lock alone cannot hold", remedy=remedy
    )
