"""Which wheels are built of what: a graph of builds, in an order that has requirements first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from packaging.markers import Marker

from envlock.errors import UsageError
from envlock.lock.artifacts import PythonFile, best_wheel
from envlock.lock.bootstrap import locked_seeds, spelled
from envlock.lock.builds import Build, BuildPin, Seed, declared, source_of, wheels_stay
from envlock.lock.model import Lock
from envlock.lock.package import Archive, Artifact, PythonPackage
from envlock.lock.target import Target, ranked_tags

Key = tuple[str, str]
"""Name and version."""

PURE = "-none-any.whl"
"""How the name of a wheel ends that serves every platform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A package of a build environment: a locked wheel, or one that is built here, too.

    Exactly one of ``wheel`` and ``built`` is set. ``seed`` says why it is a wheel where all else is
    built; None where it is built, or where wheels were asked for.
    """

    key: Key
    wheel: Artifact | None = None
    built: Key | None = None
    seed: Seed | None = None

    @property
    def bootstrap(self) -> bool:
        """Whether it could be built here, but needs what needs it."""
        return self.seed is not None and bool(self.seed.cycle)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A wheel to build: ``sdist`` is the file, ``published`` the locked wheel, if any.

    ``pure`` is the published wheel without compiled parts, where there is one beside ``published``.
    ``deep``: it is built only to build others.
    """

    build: Build
    package: PythonPackage
    sdist: Artifact
    subdirectory: str | None
    requirements: tuple[Requirement, ...]
    published: Artifact | None
    pure: Artifact | None = None
    deep: bool = False

    @property
    def key(self) -> Key:
        """What is built."""
        return self.build.key

    @property
    def title(self) -> str:
        """``six 1.17.0``."""
        return " ".join(self.key)

    def beside(self, name: str) -> Artifact | None:
        """The published wheel to hold the built one of that file name to."""
        return self.pure if self.pure is not None and name.endswith(PURE) else self.published


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Jobs, those that others need first; and what is not built, with the reason."""

    jobs: tuple[Job, ...]
    not_built: tuple[tuple[PythonPackage, str], ...]

    @property
    def taken(self) -> dict[Key, tuple[Requirement, ...]]:
        """What the jobs are built with as published wheels, with each of the requirements."""
        found: dict[Key, list[Requirement]] = {}
        for job in self.jobs:
            for one in job.requirements:
                if one.wheel is not None:
                    found.setdefault(one.key, []).append(one)
        return {key: tuple(found[key]) for key in sorted(found)}

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
    lock: Lock,
    packages: Iterable[PythonPackage],
    target: Target,
    version: str,
    glibc_minor: int,
    *,
    wheels: bool = False,
) -> Plan:
    """What to build so that ``packages`` come from source.

    Args:
        lock: says how (``sources = true``).
        packages: those that the target installs.
        target: for which the wheels are.
        version: the interpreter's full version.
        glibc_minor: of this machine's C library.
        wheels: build with the locked wheels, where there are any, instead of what was built.

    Raises:
        UsageError: the lock does not say how anything is built, or a build requirement has no
            wheel for this machine and no build of its own.
    """
    if not lock.builds:
        raise UsageError(
            "the lock does not say how anything is built",
            remedy="set sources = true in [tool.envlock] and run `envlock lock`",
        )
    return _Planner(lock, target, version, glibc_minor, wheels=wheels).plan(tuple(packages))


class _Planner:
    def __init__(
        self, lock: Lock, target: Target, version: str, glibc_minor: int, *, wheels: bool
    ) -> None:
        self._lock = lock
        self._wheels = wheels
        self._seeds = locked_seeds(lock)
        self._target = target
        self._environment = target.environment(version)
        self._ranks = {tag: rank for rank, tag in enumerate(ranked_tags(target, glibc_minor))}
        self._builds = {build.key: build for build in lock.builds}
        self._pinned = {(p.name, p.version or ""): p for p in lock.build_packages}
        self._jobs: dict[Key, Job] = {}
        self._asked: set[Key] = set()

    def plan(self, packages: tuple[PythonPackage, ...]) -> Plan:
        not_built: list[tuple[PythonPackage, str]] = []
        self._asked = {(p.name, p.version or "") for p in packages}
        known = (*self._lock.build_packages, *self._lock.packages, *packages)
        sources = {(p.name, p.version or ""): p for p in known}
        for package in packages:
            build = self._lock.build(package.name, package.version)
            if build is None:
                not_built.append((package, self._why(package)))
            else:
                self._visit(build, sources)
        return Plan(jobs=tuple(self._jobs.values()), not_built=tuple(not_built))

    def _why(self, package: PythonPackage) -> str:
        if wheels_stay(package.name, self._lock.request):
            return declared(package.name, self._lock.request)
        if package.directory is not None or package.vcs is not None:
            return "a repository or folder"
        return "no build of it is locked" if source_of(package) else "no sdist is locked"

    def _visit(self, first: Build, sources: dict[Key, PythonPackage]) -> None:
        """Add the job of ``first`` behind those of what it needs.

        No recursion: a chain of builds may be longer than Python's stack.
        """
        waiting = [first]
        under_way: set[Key] = set()
        while waiting:
            build = waiting[-1]
            requirements = [self._requirement(pin, build) for pin in self._pins(build)]
            needed = [one.built for one in requirements if one.built not in (None, *self._jobs)]
            if build.key in self._jobs or not needed:
                waiting.pop()
                self._add(build, sources[build.key], requirements)
            elif build.key in under_way:
                names = ", ".join(" ".join(key) for key in needed if key)
                raise UsageError(
                    f"{' '.join(build.key)} and {names} are built with one another, and no wheels"
                    " break that cycle",
                    remedy=f'build-exceptions = ["{build.package}"] takes the wheel in its place',
                )
            else:
                under_way.add(build.key)
                waiting += [self._builds[key] for key in needed if key]

    def _pins(self, build: Build) -> list[BuildPin]:
        return [
            pin
            for pin in build.pins
            if pin.marker is None or Marker(pin.marker).evaluate(self._environment)
        ]

    def _requirement(self, pin: BuildPin, build: Build) -> Requirement:
        """As a wheel where the lock or the user says so, else built."""
        key = (pin.name, pin.version)
        seed = self._seeds.get(key)
        own = key in self._builds
        if own and not (seed and spelled(build.key) in seed.cycle):
            wheel = self._found(key) if self._wheels else None
            if wheel is None:
                return Requirement(key=key, built=key)
            return Requirement(key=key, wheel=wheel)
        return Requirement(key=key, wheel=self._wheel(pin, build), seed=seed)

    def _add(self, build: Build, package: PythonPackage, requirements: list[Requirement]) -> None:
        if build.key in self._jobs:
            return
        source = source_of(package)
        assert source is not None  # noqa: S101 - a build is of a source
        best = best_wheel(package, self._target, self._ranks)
        self._jobs[build.key] = Job(
            build=build,
            package=package,
            sdist=_named(source),
            subdirectory=source.subdirectory if isinstance(source, Archive) else None,
            requirements=tuple(requirements),
            published=best,
            pure=self._pure(package, best),
            deep=build.key not in self._asked,
        )

    def _pure(self, package: PythonPackage, best: Artifact | None) -> Artifact | None:
        if best is None or best.name.endswith(PURE):
            return None
        wheels = tuple(wheel for wheel in package.wheels if wheel.name.endswith(PURE))
        return best_wheel(replace(package, wheels=wheels), self._target, self._ranks)

    def _found(self, key: Key) -> Artifact | None:
        package = self._pinned.get(key)
        return None if package is None else best_wheel(package, self._target, self._ranks)

    def _wheel(self, pin: BuildPin, build: Build) -> Artifact:
        wheel = self._found((pin.name, pin.version))
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
