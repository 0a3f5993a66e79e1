"""Which wheels are built of what: a graph of builds, in an order that has requirements first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.markers import Marker

from envlock.errors import UsageError
from envlock.lock.artifacts import PythonFile, best_wheel
from envlock.lock.builds import Build, BuildPin, source_of
from envlock.lock.model import Archive, Artifact, Lock, PythonPackage
from envlock.lock.target import Target, ranked_tags

Key = tuple[str, str]
"""Name and version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A package of a build environment: a locked wheel, or one that is built here, too.

    Exactly one of ``wheel`` and ``built`` is set. ``bootstrap``: it could be built here, but it
    needs what needs it.
    """

    key: Key
    wheel: Artifact | None = None
    built: Key | None = None
    bootstrap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A wheel to build: ``sdist`` is the file's digest, ``published`` the locked wheel, if any."""

    build: Build
    package: PythonPackage
    sdist: Artifact
    subdirectory: str | None
    requirements: tuple[Requirement, ...]
    published: Artifact | None

    @property
    def key(self) -> Key:
        """What is built."""
        return self.build.key

    @property
    def title(self) -> str:
        """``six 1.17.0``."""
        return " ".join(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Jobs, those that others need first; and what is not built, with the reason."""

    jobs: tuple[Job, ...]
    not_built: tuple[tuple[PythonPackage, str], ...]

    @property
    def files(self) -> tuple[PythonFile, ...]:
        """Sdists, and wheels of build environments: what has to be at hand."""
        found: dict[str, PythonFile] = {}
        for job in self.jobs:
            sdist = PythonFile(package=job.package, file=job.sdist)
            found.setdefault(job.sdist.sha256, sdist)
            for one in job.requirements:
                if one.wheel is not None:
                    package = PythonPackage(
                        name=one.key[0], version=one.key[1], index=job.package.index
                    )
                    wheel = PythonFile(package=package, file=one.wheel)
                    found.setdefault(one.wheel.sha256, wheel)
        return tuple(found.values())


def make_plan(
    lock: Lock, packages: Iterable[PythonPackage], target: Target, version: str, glibc_minor: int
) -> Plan:
    """What to build so that ``packages`` come from source.

    Args:
        lock: says how (``sources = true``).
        packages: those that the target installs.
        target: for which the wheels are.
        version: the interpreter's full version.
        glibc_minor: of this machine's C library.

    Raises:
        UsageError: the lock does not say how anything is built, or a build requirement has no
            wheel for this machine and no build of its own.
    """
    if not lock.builds:
        raise UsageError(
            "the lock does not say how anything is built",
            remedy="set sources = true in [tool.envlock] and run `envlock lock`",
        )
    return _Planner(lock, target, version, glibc_minor).plan(tuple(packages))


class _Planner:
    def __init__(self, lock: Lock, target: Target, version: str, glibc_minor: int) -> None:
        self._lock = lock
        self._target = target
        self._environment = target.environment(version)
        self._ranks = {tag: rank for rank, tag in enumerate(ranked_tags(target, glibc_minor))}
        self._builds = {build.key: build for build in lock.builds}
        self._pinned = {(p.name, p.version or ""): p for p in lock.build_packages}
        self._jobs: dict[Key, Job] = {}

    def plan(self, packages: tuple[PythonPackage, ...]) -> Plan:
        not_built: list[tuple[PythonPackage, str]] = []
        sources = {(p.name, p.version or ""): p for p in (*self._lock.packages, *packages)}
        for package in packages:
            build = self._lock.build(package.name, package.version)
            if build is None:
                not_built.append((package, self._why(package)))
            else:
                self._visit(build, sources, ())
        return Plan(jobs=tuple(self._jobs.values()), not_built=tuple(not_built))

    def _why(self, package: PythonPackage) -> str:
        if package.name in self._lock.request.build_exceptions:
            return "declared in build-exceptions"
        if package.directory is not None or package.vcs is not None:
            return "a repository or folder"
        return "no build of it is locked" if source_of(package) else "no sdist is locked"

    def _visit(
        self, build: Build, sources: dict[Key, PythonPackage], above: tuple[Key, ...]
    ) -> None:
        """Add the job of ``build`` behind those of what it needs; ``above`` are those under way."""
        if build.key in self._jobs:
            return
        requirements = []
        for pin in build.pins:
            if pin.marker is not None and not Marker(pin.marker).evaluate(self._environment):
                continue
            key = (pin.name, pin.version)
            own = self._builds.get(key)
            cycle = key in above or key == build.key
            if own is not None and key in sources and not cycle:
                self._visit(own, sources, (*above, build.key))
                requirements.append(Requirement(key=key, built=key))
            else:
                wheel = self._wheel(pin, build)
                requirements.append(Requirement(key=key, wheel=wheel, bootstrap=own is not None))
        package = sources[build.key]
        source = source_of(package)
        assert source is not None  # noqa: S101 - a build is of a source
        self._jobs[build.key] = Job(
            build=build,
            package=package,
            sdist=_named(source),
            subdirectory=source.subdirectory if isinstance(source, Archive) else None,
            requirements=tuple(requirements),
            published=best_wheel(package, self._target, self._ranks),
        )

    def _wheel(self, pin: BuildPin, build: Build) -> Artifact:
        package = self._pinned.get((pin.name, pin.version))
        wheel = package and best_wheel(package, self._target, self._ranks)
        if not wheel:
            raise UsageError(
                f"{pin.name} {pin.version}, which {' '.join(build.key)} is built with, has no wheel"
                " for this machine, and the lock does not say how to build it",
                remedy=f'build-exceptions = ["{build.package}"] takes the wheel in its place',
            )
        return wheel


def _named(source: Artifact | Archive) -> Artifact:
    if isinstance(source, Artifact):
        return source
    place = source.url or source.path or ""
    return Artifact(
        name=place.partition("?")[0].rpartition("/")[2],
        url=source.url,
        path=source.path,
        sha256=source.sha256,
        size=source.size,
    )
