"""The Python packages of an image: wheels, what is built in it, and folders of the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from packaging.utils import parse_wheel_filename

from envlock.errors import UsageError
from envlock.export.docker.text import context_path, word
from envlock.lock.builds import Build
from envlock.lock.model import Lock
from envlock.lock.package import Archive, Artifact, PythonPackage
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target, wheel_tags
from envlock.lock.unbuilt import build_packages, locked_build, project_folder

LOCAL = "/srv"
"""Where the build has the lock's local files."""

_SAFE_URL = "/:?#[]@!$&()+,;=%~-._"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheels:
    """An entry of ``requirements-MACHINE.txt``: a requirement, and the digests of its wheels."""

    requirement: str
    digests: tuple[str, ...]

    @property
    def line(self) -> str:
        """The entry as one line."""
        return " ".join([self.requirement, *(f"--hash=sha256:{d}" for d in self.digests)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A package that is built in the image, from ``sha256``.

    ``requirement`` is how pip finds the file, or ``path`` where it is among the local files.
    ``pins`` are the environment that it is built in.
    """

    build: Build
    sha256: str
    requirement: str
    path: str | None
    subdirectory: str | None
    pins: tuple[Wheels, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """All packages of a target.

    ``given`` are the paths of the lock's local files, ``links`` those of the folders that pip looks
    into for them; ``folders`` are source folders of the project that are packages of the lock.
    """

    wheels: tuple[Wheels, ...]
    sources: tuple[Source, ...]
    folders: tuple[tuple[PythonPackage, str], ...]
    given: tuple[str, ...]
    links: tuple[str, ...]

    def as_json(self) -> Mapping[str, object]:
        """What ``build.py`` and ``verify.py`` read."""
        graphs = {
            source.build.graph: [entry.line for entry in source.pins] for source in self.sources
        }
        return {
            "built": [_source_json(source) for source in self.sources],
            "folders": [
                {"name": package.name, "path": path, "version": package.version}
                for package, path in self.folders
            ],
            "graphs": dict(sorted(graphs.items())),
        }


def _source_json(source: Source) -> Mapping[str, object]:
    build = source.build
    return {
        "backend": build.backend,
        "backend-path": list(build.backend_path),
        "graph": build.graph,
        "name": build.package,
        "path": source.path,
        "programs": list(build.programs),
        "requirement": source.requirement,
        "sha256": source.sha256,
        "subdirectory": source.subdirectory,
        "version": build.version,
    }


def choose_packages(lock: Lock, target: Target) -> Packages:
    """How each package of a target gets into the image.

    Raises:
        UsageError: one cannot, as locked; names it, and the way out.
    """
    wheels: list[Wheels] = []
    sources: list[Source] = []
    folders: list[tuple[PythonPackage, str]] = []
    given: set[str] = set()
    for package in sorted(wanted_packages(lock, target), key=lambda p: p.sort_key):
        if package.directory is not None:
            path = project_folder(package)
            if path is not None:
                folders.append((package, context_path(path)))
            continue
        entry = _wheels(package, target)
        if entry is not None:
            wheels.append(entry)
            given.update(_local_wheels(package, target))
            continue
        source = _source(lock, package, target)
        sources.append(source)
        given.update([source.path] if source.path else [])
        for found in build_packages(lock, source.build, target):
            given.update(_local_wheels(found, target))
    return Packages(
        wheels=tuple(wheels),
        sources=tuple(sources),
        folders=tuple(folders),
        given=tuple(sorted(context_path(path) for path in given)),
        links=tuple(sorted({_above(path) for path in given})),
    )


def _above(path: str) -> str:
    """The folder of a local file, as a part of a URL."""
    return quote(f"{LOCAL}/{PurePosixPath(path).parent}".removesuffix("/."))


def _wheels(package: PythonPackage, target: Target) -> Wheels | None:
    """The package's wheels; None where it has to be built."""
    archive = package.archive
    if archive is not None:
        if not (archive.path or (archive.url or "").partition("#")[0]).endswith(".whl"):
            return None
        url = archive.url or f"file://{LOCAL}/{archive.path}"
        requirement = f"{word(package.name)} @ {word(quote(url, safe=_SAFE_URL))}"
        return Wheels(requirement=requirement, digests=(archive.sha256,))
    fitting = [file for file in package.wheels if _fits(file.name, target)]
    if package.vcs is not None or not fitting:
        return None
    return Wheels(
        requirement=_exactly(package),
        digests=tuple(sorted(file.sha256 for file in fitting)),
    )


def _exactly(package: PythonPackage) -> str:
    return f"{word(package.name)}=={word(str(package.version))}"


def _fits(name: str, target: Target) -> bool:
    _name, _version, _build, tags = parse_wheel_filename(name)
    return not wheel_tags(target).isdisjoint(tags)


def _local_wheels(package: PythonPackage, target: Target) -> set[str]:
    found = {file.path for file in package.wheels if file.path and _fits(file.name, target)}
    if package.archive is not None and package.archive.path is not None:
        found.add(package.archive.path)
    return found


def _source(lock: Lock, package: PythonPackage, target: Target) -> Source:
    """How to build it."""
    file, build = locked_build(lock, package, target)
    return Source(
        build=build,
        sha256=file.sha256,
        requirement=_download(package, file),
        path=file.path,
        subdirectory=file.subdirectory if isinstance(file, Archive) else None,
        pins=tuple(_pin(build, found, target) for found in build_packages(lock, build, target)),
    )


def _download(package: PythonPackage, file: Artifact | Archive) -> str:
    requirement = _exactly(package)
    if isinstance(file, Archive) and file.url is not None:
        fragment = f"#subdirectory={file.subdirectory}" if file.subdirectory else ""
        url = quote(file.url + fragment, safe=_SAFE_URL)
        requirement = f"{word(package.name)} @ {word(url)}"
    return Wheels(requirement=requirement, digests=(file.sha256,)).line


def _pin(build: Build, package: PythonPackage, target: Target) -> Wheels:
    """A package of the environment to build in, as wheels."""
    entry = _wheels(package, target)
    if entry is None:
        raise UsageError(
            f"{build.package} {build.version} is built with {package.name} {package.version},"
            f" which has no wheel for {target.key}",
            remedy=f"take a release of {build.package} that has a wheel",
        )
    return entry
