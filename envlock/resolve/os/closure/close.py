"""From the packages a project names to everything that is installed: `close`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from envlock.errors import NoSolutionError, UsageError
from envlock.resolve.os.archive.index import PackageIndex
from envlock.resolve.os.closure.failure import NoSuchPackageError
from envlock.resolve.os.closure.selection import Selection, meets
from envlock.resolve.os.closure.solver import DeadEndError, Solver
from envlock.resolve.os.packages.candidates import BinaryPackage, Candidate
from envlock.resolve.os.packages.version import valid

_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One package of a solution.

    Args:
        package: what is to be installed.
        requested: the request names it (or what it alone provides).
        base: it belongs to the base.
        via: names of the packages of the solution that need it (or, when asked for, recommend
            it), sorted.
    """

    package: BinaryPackage
    requested: bool
    base: bool
    via: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A set of packages that can be installed together, by name.

    Args:
        packages: the base's and the request's, sorted by name.
        left_out: packages of the base that the request excludes, sorted.
    """

    packages: tuple[Chosen, ...]
    left_out: tuple[BinaryPackage, ...] = ()


def close(
    index: PackageIndex,
    requests: Iterable[str],
    *,
    base: Sequence[str] | None = None,
    recommends: bool = False,
) -> Solution:
    """Everything that the requests need, on top of the base, as apt would choose it.

    Args:
        index: the packages there are.
        requests: ``name``, ``name=version`` or ``name:architecture`` (the native one); their
            order does not matter. A virtual name is taken when only one package provides it.
        base: packages that are there before; None is the essential set. What they need belongs
            to the base, too.
        recommends: honour ``Recommends`` of what the request adds, as apt does by default.

    Raises:
        UsageError: an unknown package or version, an unreadable request, a foreign architecture.
        NoSolutionError: the packages exclude one another, or need what is not there.
    """
    wanted, pinned = _wanted(index, requests)
    there = _base(index, index.essential if base is None else base)
    solver = Solver(index, recommends=recommends, pinned=pinned)
    try:
        selection = solver.solve(there, wanted)
    except DeadEndError as dead:
        names = ", ".join(sorted(c.name for c in wanted))
        raise _no_solution(f"no set of packages holds {names}", dead, index) from None
    return _solution(selection, wanted, there, recommends)


def close_needs(
    index: PackageIndex, name: str, version: str, *, depends: str, conflicts: str = ""
) -> Solution:
    """All that relations need on top of the essential set, as if a package ``name`` had them.

    That package, which no index has, is not in the solution: ``apt-get build-dep`` does likewise.

    Raises:
        UsageError: a relation cannot be read.
        NoSolutionError: they exclude one another, or need what is not there.
    """
    owner = Candidate(
        package=BinaryPackage(
            name=name,
            version=version,
            architecture=index.architecture,
            sha256="",
            size=0,
            filename="",
            source=name,
            source_version=version,
            essential=False,
        ),
        native=index.architecture,
        multi_arch="",
        priority="",
        important=False,
        fields={"depends": depends, "conflicts": conflicts},
        where=f"{name} {version}",
    )
    there = _base(index, index.essential)
    try:
        selection = Solver(index, recommends=False, pinned={}).solve(there, (owner,))
    except DeadEndError as dead:
        raise _no_solution(f"what {owner} needs cannot be installed", dead, index) from None
    solution = _solution(selection, (owner,), there, recommends=False)
    return replace(solution, packages=tuple(c for c in solution.packages if c.package.name != name))


def _base(index: PackageIndex, names: Sequence[str]) -> tuple[Candidate, ...]:
    wanted, pinned = _wanted(index, names)
    try:
        selection = Solver(index, recommends=False, pinned=pinned).solve((), wanted)
    except DeadEndError as dead:
        raise _no_solution("the base cannot be installed", dead, index) from None
    return tuple(selection.chosen[name] for name in sorted(selection.chosen))


def _no_solution(what: str, dead: DeadEndError, index: PackageIndex) -> NoSolutionError:
    lines = list(dead.failure.lines())
    if len(lines) > _LINES:
        lines = [*lines[:_LINES], f"… and {len(lines) - _LINES} more lines"]
    return NoSolutionError(
        "\n  ".join([f"{what}:", *lines]),
        where=", ".join(index.suites),
        remedy="leave one of them out, or choose another suite or date",
    )


def _wanted(
    index: PackageIndex, requests: Iterable[str]
) -> tuple[tuple[Candidate, ...], dict[str, Candidate]]:
    found: dict[str, Candidate] = {}
    pinned: dict[str, Candidate] = {}
    for request in sorted(set(requests)):
        candidate, exact = _find(index, request)
        held = pinned.get(candidate.name)
        if exact and held is not None and held.version != candidate.version:
            raise UsageError(
                f"{candidate.name} is asked for twice: {held.version} and {candidate.version}"
            )
        if exact:
            pinned[candidate.name] = candidate
        if exact or candidate.name not in found:
            found[candidate.name] = candidate
    # apt takes them as they are given; by name is an order that nobody has to remember.
    return tuple(found[name] for name in sorted(found)), pinned


def _find(index: PackageIndex, request: str) -> tuple[Candidate, bool]:
    rest, equals, version = request.partition("=")
    name, colon, architecture = rest.partition(":")
    if not name or name.strip() != name or (equals and not valid(version)):
        raise UsageError(
            f"cannot read the package {request!r}", remedy="write name or name=version"
        )
    if colon and architecture not in (index.architecture, "all", "native"):
        raise UsageError(
            f"{request}: packages of another architecture than {index.architecture} are not locked",
            remedy=f"write {name}, and lock for another target",
        )
    versions = index.versions(name)
    if equals and versions:
        for candidate in versions:
            if candidate.version == version:
                return candidate, True
        offered = ", ".join(c.version for c in versions)
        raise NoSuchPackageError(
            f"there is no {name} {version} in {_suites(index)}",
            name,
            version,
            remedy=f"there is: {offered}",
        )
    if versions:
        return versions[0], False
    return _only_provider(index, name), False


def _only_provider(index: PackageIndex, name: str) -> Candidate:
    providers = [p for p in index.providers(name) if index.candidate(p.name) is p]
    if len(providers) == 1:
        return providers[0]
    if providers:
        offered = ", ".join(sorted(p.name for p in providers))
        raise UsageError(
            f"{name} is not a package but provided by several in {_suites(index)}",
            remedy=f"name one of them: {offered}",
        )
    near = index.near(name)
    raise NoSuchPackageError(
        f"there is no package {name} in {_suites(index)}",
        name,
        remedy=f"did you mean {' or '.join(near)}?" if near else None,
    )


def _suites(index: PackageIndex) -> str:
    return ", ".join(index.suites)


def _solution(
    selection: Selection, wanted: Sequence[Candidate], base: Sequence[Candidate], recommends: bool
) -> Solution:
    requested = {candidate.name for candidate in wanted}
    there = {candidate.name for candidate in base}
    via = _needed_by(selection, there, recommends)
    return Solution(
        packages=tuple(
            Chosen(
                package=selection.chosen[name].package,
                requested=name in requested,
                base=name in there,
                via=tuple(sorted(via.get(name, ()))),
            )
            for name in sorted(selection.chosen)
        ),
        left_out=tuple(c.package for c in base if c.name not in selection.chosen),
    )


def _needed_by(selection: Selection, base: set[str], recommends: bool) -> dict[str, set[str]]:
    via: dict[str, set[str]] = {}
    for owner in selection.chosen.values():
        clauses = owner.depends
        if recommends and owner.name not in base:
            clauses += owner.recommends
        for clause in clauses:
            for relation in clause:
                for candidate in selection.standing(relation.name):
                    if candidate.name != owner.name and meets(candidate, relation):
                        via.setdefault(candidate.name, set()).add(owner.name)
    return via
