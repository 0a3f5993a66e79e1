"""Who needs whom: the dependency graph of a lock, for ``why`` and ``tree``."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
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
    return _needs(_by_name(lock), package)


def all_needs(lock: Lock) -> dict[tuple[str, str, str], tuple[PythonPackage, ...]]:
    """``needs`` of every package at once, by ``sort_key``; linear in the lock's size."""
    by_name = _by_name(lock)
    return {package.sort_key: _needs(by_name, package) for package in lock.packages}


def chains_to(lock: Lock, name: str) -> tuple[Chain, ...]:
    """For every wish that leads to ``name``: the shortest chain; sorted by length, then names."""
    by_name = _by_name(lock)
    chains: list[Chain] = []
    for start, wishes in sorted(wished(lock).items()):
        path = _shortest(by_name, start, name)
        if path:
            chains.extend(Chain(wish=wish, links=path) for wish in wishes)
    return tuple(sorted(chains, key=lambda c: (len(c.links), [p.name for p in c.links])))


def _by_name(lock: Lock) -> dict[str, list[PythonPackage]]:
    found: dict[str, list[PythonPackage]] = {}
    for package in sorted(lock.packages, key=lambda p: p.sort_key):
        found.setdefault(package.name, []).append(package)
    return found


def _needs(
    by_name: Mapping[str, list[PythonPackage]], package: PythonPackage
) -> tuple[PythonPackage, ...]:
    found = {
        candidate.sort_key: candidate
        for dependency in package.dependencies
        for candidate in by_name.get(dependency.name, [])
        if dependency.version in (None, candidate.version)
    }
    return tuple(found[key] for key in sorted(found))


def _shortest(
    by_name: Mapping[str, list[PythonPackage]], start: str, goal: str
) -> tuple[PythonPackage, ...] | None:
    queue: deque[tuple[PythonPackage, ...]] = deque((p,) for p in by_name.get(start, []))
    seen = {path[-1].sort_key for path in queue}
    while queue:
        path = queue.popleft()
        if path[-1].name == goal:
            return path
        for package in _needs(by_name, path[-1]):
            if package.sort_key not in seen:
                seen.add(package.sort_key)
                queue.append((*path, package))
    return None
