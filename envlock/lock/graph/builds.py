"""Who is built with whom, for ``why``."""

from __future__ import annotations

from dataclasses import dataclass

from envlock.lock.bootstrap import locked_seeds
from envlock.lock.builds import Seed
from envlock.lock.model import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildUse:
    """A version of a package that others are built with, or that is taken as a wheel.

    ``needed_by`` are the packages in whose build environments it is, ``name version``, sorted.
    """

    version: str
    needed_by: tuple[str, ...]
    seed: Seed | None


def build_uses(lock: Lock, name: str) -> tuple[BuildUse, ...]:
    """The versions of a package (normalized) in the lock's builds; sorted by their text."""
    needed: dict[str, set[str]] = {}
    for build in lock.builds:
        for pin in build.pins:
            if pin.name == name:
                needed.setdefault(pin.version, set()).add(" ".join(build.key))
    seeds = {key[1]: seed for key, seed in locked_seeds(lock).items() if key[0] == name}
    return tuple(
        BuildUse(
            version=version,
            needed_by=tuple(sorted(needed.get(version, ()))),
            seed=seeds.get(version),
        )
        for version in sorted(needed.keys() | seeds.keys())
    )
