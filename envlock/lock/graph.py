"""Who needs whom: the dependency graph of a lock, for ``why`` and ``tree``."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envlock.lock.model import Lock, PythonPackage
from envlock.lock.request import Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A path from a wish down to a package: ``links[0]`` is what the wish asks for."""

    wish: Wish
    links: tuple[PythonPackage, ...]


def wished(lock: Lock) -> dict[str, tuple[Wish, ...]]:
    """Normalized name → the wishes that ask for it."""
    found: dict[str, tuple[Wish, ...]] = {}
    for wish in lock.request.wishes:
        name = canonicalize_name(Requirement(wish.text).name)
        found[name] = (*found.get(name, ()), wish)
    return found


def needs(lock: Lock, package: PythonPackage) -> tuple[PythonPackage, ...]:
    """The locked packages that ``package`` depends on, by name."""
    found = {
        candidate
        for dependency in package.dependencies
        for candidate in lock.package(dependency.name)
        if dependency.version in (None, candidate.version)
    }
    return tuple(sorted(found, key=lambda p: p.sort_key))


def chains_to(lock: Lock, name: str) -> tuple[Chain, ...]:
    """For every wish that leads to ``name``: the shortest chain; sorted by length, then names."""
    by_name: dict[str, list[PythonPackage]] = {}
    for package in lock.packages:
        by_name.setdefault(package.name, []).append(package)
    chains: list[Chain] = []
    for start, wishes in sorted(wished(lock).items()):
        path = _shortest(lock, by_name.get(start, []), name)
        if path:
            chains.extend(Chain(wish=wish, links=path) for wish in wishes)
    return tuple(sorted(chains, key=lambda c: (len(c.links), [p.name for p in c.links])))


def _shortest(
    lock: Lock, starts: list[PythonPackage], goal: str
) -> tuple[PythonPackage, ...] | None:
    queue: deque[tuple[PythonPackage, ...]] = deque((start,) for start in starts)
    seen = set(starts)
    while queue:
        path = queue.popleft()
        if path[-1].name == goal:
            return path
        for package in needs(lock, path[-1]):
            if package not in seen:
                seen.add(package)
                queue.append((*path, package))
    return None
