"""How far down builds are locked: what each build needs is built, too, and so on to the bottom.

The bottom are packages that are built with nothing but themselves (flit-core, setuptools: PEP 517's
``backend-path``), and those that are taken as wheels: declared exceptions, what has no sdist, what
only packs a program, and the seeds that break cycles (``lock.bootstrap``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from envlock.errors import NoSolutionError
from envlock.io.progress import Reporter
from envlock.lock.bootstrap import (
    NO_SDIST,
    PROGRAM,
    UNBUILDABLE,
    UnbreakableError,
    seeds_of,
    titles,
    wheel_rank,
)
from envlock.lock.builds import Build, BuildPin, Key, Seed, wanted_builds
from envlock.lock.package import PythonPackage
from envlock.lock.request import Request
from envlock.lock.selection import applies
from envlock.lock.target import Target
from envlock.resolve.python.builds.programs import PACKED
from envlock.resolve.python.builds.sdists import Sdist, sdist_of, sdists_of

_NAMED = 8


class Bottom:
    """Which sdists have a build already, and which have to have one next."""

    def __init__(self, request: Request, packages: Iterable[PythonPackage]) -> None:
        self._request = request
        self._top = {sdist.key: sdist for sdist in sdists_of(request, packages)}
        self._builds: dict[Key, Build] = {}
        self._made_on: dict[Key, set[Target]] = {}
        self.unbuildable: set[Key] = set()

    def add(self, sdist: Sdist, build: Build) -> None:
        """A build of the sdist, on its targets."""
        self._builds[sdist.key] = build
        self._made_on[sdist.key] = set(sdist.targets)

    def give_up(self, sdist: Sdist, *, anyway: bool = False) -> bool:
        """Take it as a wheel, as it cannot be built as of the date. Whether that is right.

        What is installed is never given up: there, the project says what it wants. Where no
        releases satisfy what the build needs, it is given up ``anyway``. What fails else may be for
        the project to put right, but for tools of the past, which only envlock looked for.
        """
        if not sdist.deep or wheel_rank(sdist.package, sdist.targets) is None:
            return False
        if not anyway and sdist.key in self._of_the_date():
            return False
        self.unbuildable.add(sdist.key)
        return True

    def _of_the_date(self) -> set[Key]:
        """What is pinned by builds that were resolved as of the lock's own date."""
        builds = [build for build in self._builds.values() if build.as_of is None]
        return {(pin.name, pin.version) for build in builds for pin in build.pins}

    def missing(self, files: Iterable[PythonPackage]) -> list[Sdist]:
        """The next ones; none: the bottom is reached.

        One is there again where it turns out to be needed on more targets than it was asked on.

        Args:
            files: the packages of all pins so far, one for each name and version.
        """
        needed_on = self._needed_on()
        wanted = {p: needed_on.get((p.name, p.version or ""), set()) for p in self._deeper(files)}
        found = dict(self._top)
        for package, targets in wanted.items():
            key = (package.name, package.version or "")
            if key in found:
                targets = targets | {*found[key].targets}
                found[key] = replace(found[key], targets=tuple(sorted(targets)))
            elif targets and (sdist := sdist_of(package, targets, deep=True)) is not None:
                found[key] = sdist
        return [
            s
            for key, s in found.items()
            if key not in self.unbuildable and not self._made_on.get(key, set()) >= {*s.targets}
        ]

    @property
    def builds(self) -> tuple[Build, ...]:
        """Those that the lock's own packages lead to; sorted."""
        reached = self._needed_on()
        return tuple(build for key, build in sorted(self._builds.items()) if key in reached)

    def _deeper(self, files: Iterable[PythonPackage]) -> list[PythonPackage]:
        """Packages that are built to build others."""
        targets = self._request.targets
        return [
            package
            for package in wanted_builds(files, self._request)
            if package.name not in PACKED or wheel_rank(package, targets) is None
        ]

    def _needed_on(self) -> dict[Key, set[Target]]:
        """What some build leads to, and the targets on which."""
        found = {key: {*sdist.targets} for key, sdist in self._top.items()}
        waiting = list(found)
        while waiting:
            key = waiting.pop()
            build = self._builds.get(key)
            for pin in build.pins if build else ():
                needed = {target for target in found[key] if _holds(pin, target)}
                known = found.setdefault((pin.name, pin.version), set())
                if needed - known:
                    known |= needed
                    waiting.append((pin.name, pin.version))
        return found


def _holds(pin: BuildPin, target: Target) -> bool:
    return pin.marker is None or applies(PythonPackage(name=pin.name, marker=pin.marker), target)


def bootstrap(
    request: Request,
    builds: Iterable[Build],
    packages: Iterable[PythonPackage],
    files: Iterable[PythonPackage],
    unbuildable: Iterable[Key],
    reporter: Reporter,
) -> tuple[Seed, ...]:
    """What is taken as wheels; noted where nobody has declared it.

    Args:
        request: see there.
        builds: of the lock, to the bottom.
        packages: the lock's.
        files: those of the builds' pins.
        unbuildable: what was given up.
        reporter: told.

    Raises:
        NoSolutionError: builds need one another, and no wheels of theirs serve every target.
    """
    own = {(p.name, p.version or ""): p for p in packages}
    try:
        seeds = seeds_of(
            request,
            builds,
            [*own.values(), *files],
            programs=PACKED,
            unbuildable=frozenset(unbuildable),
        )
    except UnbreakableError as error:
        names = ", ".join(f'"{name}"' for name, _ in sorted(error.group))
        raise NoSolutionError(
            f"{error} are built with one another, and have no wheels for every target to begin"
            " with",
            remedy="take releases that have wheels, or say in [tool.envlock] which stay as they are"
            f" published: some of {names} in build-exceptions",
        ) from None
    told = {
        "there is no source to build it from, so its wheel is taken": (NO_SDIST, PROGRAM),
        "as of the date it cannot be built, so its wheel is taken to build others": (UNBUILDABLE,),
    }
    for text, reasons in told.items():
        wheels = list(titles(seeds, *reasons))
        more = f" and {len(wheels) - _NAMED} more" if len(wheels) > _NAMED else ""
        if wheels:
            reporter.note(f"{text}: {', '.join(wheels[:_NAMED])}{more}")
    return seeds
