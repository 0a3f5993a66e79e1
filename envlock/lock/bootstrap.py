"""What a build from source starts from: packages that are taken as their published wheels.

Builds need one another: setuptools-scm needs setuptools, which may be built with wheel, which needs
setuptools. Such cycles are groups of builds each of which leads to each (strongly connected
components). In every group some packages, its seeds, are taken as wheels by the others of the
group; what is outside of the group uses what was built. The seeds are the fewest that leave no
cycle; among those the set with fewest compiled wheels, then the first by name and version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

from envlock.lock.artifacts import package_files
from envlock.lock.builds import Key, Seed, declared, wheels_stay

if TYPE_CHECKING:
    from envlock.lock.builds import Build
    from envlock.lock.model import Lock
    from envlock.lock.package import PythonPackage
    from envlock.lock.request import Request
    from envlock.lock.target import Target


Needs = Mapping[Key, Set[Key]]
"""Each build, and the builds of what it needs."""

CYCLE = "cycle"
DECLARED = "declared"
NO_SDIST = "no-sdist"
PROGRAM = "program"
UNBUILDABLE = "unbuildable"
REASONS = {
    CYCLE: "it and others are built with one another",
    DECLARED: "declared in build-exceptions",
    NO_SDIST: "no sdist of it is locked",
    PROGRAM: "it packs a program, whose sources its sdist does not have",
    UNBUILDABLE: "as of the date it cannot be built",
}
"""Why a package is taken as its published wheel; keys stand in the lock."""

_TRIES = 4000


def why_taken(seed: Seed, request: Request) -> str:
    """Why it is taken as a wheel, for people; with the project's own reason where it gives one."""
    if seed.reason == DECLARED:
        return declared(seed.package, request)
    return REASONS[seed.reason]


def spelled(key: Key) -> str:
    """``name==version``."""
    return "==".join(key)


def build_needs(builds: Iterable[Build]) -> dict[Key, frozenset[Key]]:
    """Each build, and the builds of its pins, on whatever target."""
    builds = tuple(builds)
    keys = {build.key for build in builds}
    return {
        build.key: frozenset((p.name, p.version) for p in build.pins) & keys for build in builds
    }


def cycles(needs: Needs) -> tuple[frozenset[Key], ...]:
    """The groups of builds that each lead to each other, and builds that need themselves; sorted.

    Tarjan's algorithm (1972), without recursion.
    """
    order: dict[Key, int] = {}
    low: dict[Key, int] = {}
    stack: list[Key] = []
    on_stack: set[Key] = set()
    found = []
    for root in sorted(needs):
        work = [(root, iter(sorted(needs[root])))] if root not in order else []
        while work:
            node, rest = work[-1]
            if node not in order:
                order[node] = low[node] = len(order)
                stack.append(node)
                on_stack.add(node)
            for after in rest:
                if after not in order:
                    work.append((after, iter(sorted(needs[after]))))
                    break
                if after in on_stack:
                    low[node] = min(low[node], order[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    at = stack.index(node)
                    group = frozenset(stack[at:])
                    del stack[at:]
                    on_stack -= group
                    if len(group) > 1 or node in needs[node]:
                        found.append(group)
    return tuple(sorted(found, key=sorted))


def unbroken(needs: Needs, seeds: Set[Key]) -> tuple[frozenset[Key], ...]:
    """The cycles that are left where ``seeds`` are taken as wheels in their own groups."""
    left: dict[Key, Set[Key]] = dict(needs)
    for group in cycles(needs):
        left |= {key: needs[key] - (seeds & group) for key in group}
    return cycles(left)


class UnbreakableError(Exception):
    """Builds that lead to one another, and too few of them have a wheel; ``group`` are they."""

    def __init__(self, group: Set[Key]) -> None:
        super().__init__(", ".join(map(" ".join, sorted(group))))
        self.group = group


def choose_seeds(needs: Needs, rank: Callable[[Key], int | None]) -> frozenset[Key]:
    """Which builds are taken as wheels so that no cycle is left: see the module.

    Where there are more sets to try than a moment allows, wheels are taken one after the other,
    first the one that most of its group need and that needs most; those that turn out superfluous
    are built after all.

    Args:
        needs: see there.
        rank: 0 for a build whose package has wheels of Python alone for every target, 1 where some
            are compiled, None where one is missing.

    Raises:
        UnbreakableError: no wheels break some cycle.
    """
    chosen: set[Key] = set()
    for group in cycles(needs):
        own = _inside(needs, group)
        able = sorted((r, key) for key in group if (r := rank(key)) is not None)
        ranks = {key: r for r, key in able}
        if cycles(_without(own, set(ranks))):
            raise UnbreakableError(group)
        chosen |= _fewest(own, ranks)
    return frozenset(chosen)


def _fewest(needs: Needs, ranks: Mapping[Key, int]) -> set[Key]:
    """The fewest of ``ranks`` that leave no cycle."""
    forced = {key for key in needs if key in needs[key]}
    # Without a wheel it cannot be taken: something else of the group has to be, if anything serves.
    chosen = forced & ranks.keys()
    for group in cycles(_without(needs, chosen)):
        own = _inside(needs, group)
        candidates = sorted(group & ranks.keys(), key=lambda key: (ranks[key], key))
        chosen |= _tried(own, candidates, ranks) or _greedy(own, candidates)
    return chosen


def _tried(needs: Needs, candidates: list[Key], ranks: Mapping[Key, int]) -> set[Key] | None:
    """The best set of the smallest size; None where there are too many to try."""
    for size in range(1, len(candidates) + 1):
        if comb(len(candidates), size) > _TRIES:
            return None
        best: tuple[int, tuple[Key, ...]] | None = None
        for some in combinations(candidates, size):
            value = (sum(ranks[key] for key in some), tuple(sorted(some)))
            if (best is None or value < best) and not cycles(_without(needs, set(some))):
                best = value
        if best is not None:
            return set(best[1])
    return None


def _greedy(needs: Needs, candidates: list[Key]) -> set[Key]:
    chosen: list[Key] = []
    while groups := cycles(_without(needs, set(chosen))):
        group = next(g for g in groups if not g.isdisjoint(candidates))
        own = _inside(needs, group)
        wanted = {key: sum(key in own[other] for other in own) for key in own}
        left = [key for key in candidates if key in group]
        chosen.append(max(left, key=lambda key: wanted[key] * len(own[key])))
    for key in sorted(chosen):
        if not cycles(_without(needs, {*chosen} - {key})):
            chosen.remove(key)
    return set(chosen)


def _inside(needs: Needs, group: Set[Key]) -> dict[Key, Set[Key]]:
    return {key: needs[key] & group for key in group}


def _without(needs: Needs, seeds: Set[Key]) -> dict[Key, Set[Key]]:
    return {key: needs[key] - seeds for key in needs}


def locked_seeds(lock: Lock) -> Mapping[Key, Seed]:
    """What a lock takes as wheels, by name and version.

    What breaks cycles is worked out where the lock, being an older one, does not say it.
    """
    if lock.bootstrap or not lock.builds:
        return {seed.key: seed for seed in lock.bootstrap}
    packages = (*lock.packages, *lock.build_packages)
    try:
        found = seeds_of(lock.request, lock.builds, packages, programs=frozenset())
    except UnbreakableError:
        return {}
    return {seed.key: seed for seed in found if seed.cycle}


def wheel_rank(package: PythonPackage, targets: Iterable[Target]) -> int | None:
    """For ``choose_seeds``: of a package of a lock for these targets."""
    rank = 0
    for target in targets:
        wheels = [f.name for f in package_files(package, target) if f.name.endswith(".whl")]
        if not wheels:
            return None
        rank |= not any(name.endswith("-none-any.whl") for name in wheels)
    return rank


def seeds_of(
    request: Request,
    builds: Iterable[Build],
    packages: Iterable[PythonPackage],
    *,
    programs: Set[str],
    unbuildable: Set[Key] = frozenset(),
) -> tuple[Seed, ...]:
    """Everything that a build from source takes as a wheel; sorted.

    Args:
        request: its exceptions and targets count.
        builds: all of the lock.
        packages: the lock's, and those that they are built with.
        programs: names of packages of which a build needs the program alone.
        unbuildable: those that cannot be built as of the date.

    Raises:
        UnbreakableError: as ``choose_seeds``.
    """
    needs = build_needs(builds)
    by_key = {(p.name, p.version or ""): p for p in packages}
    chosen = choose_seeds(
        needs, lambda key: wheel_rank(by_key[key], request.targets) if key in by_key else None
    )
    found = [
        Seed(package=key[0], version=key[1], reason=CYCLE, cycle=tuple(map(spelled, sorted(group))))
        for group in cycles(needs)
        for key in sorted(chosen & group)
    ]
    for key, package in by_key.items():
        if key not in needs and has_wheel(package):
            if key in unbuildable:
                reason = UNBUILDABLE
            elif wheels_stay(package.name, request):
                reason = DECLARED
            elif package.name in programs and package.sdist is not None:
                reason = PROGRAM
            else:
                reason = NO_SDIST
            found.append(Seed(package=key[0], version=key[1], reason=reason))
    return tuple(sorted(found, key=lambda seed: seed.key))


def has_wheel(package: PythonPackage) -> bool:
    """Whether there is any, for whatever target."""
    place = package.archive and (package.archive.path or (package.archive.url or ""))
    return bool(package.wheels) or bool(place and place.partition("#")[0].endswith(".whl"))


def titles(seeds: Iterable[Seed], *reasons: str) -> Iterator[str]:
    """``name version`` of those with one of the reasons."""
    return (str(seed) for seed in seeds if seed.reason in reasons)
