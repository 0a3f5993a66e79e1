"""``[[tool.envlock.bootstrap]]`` ⇄ ``Seed``; for ``codec``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from packaging.utils import is_normalized_name

from envlock.lock.bootstrap import CYCLE, REASONS, build_needs, cycles, has_wheel, spelled, unbroken
from envlock.lock.builds import Seed
from envlock.lock.model import Lock
from envlock.lock.tables.reader import Reader

_PATH = "tool.envlock.bootstrap"


def bootstrap_tables(seeds: Iterable[Seed]) -> list[dict[str, Any]]:
    """The entries, sorted."""
    tables = []
    for seed in sorted(seeds, key=lambda seed: seed.key):
        table = {"package": seed.package, "version": seed.version, "reason": seed.reason}
        tables.append(table | ({"cycle": sorted(seed.cycle)} if seed.cycle else {}))
    return tables


def read_bootstrap(reader: Reader, tool: Mapping[str, Any]) -> tuple[Seed, ...]:
    """What is taken as wheels.

    Raises:
        UsageError: a value has another shape; names its path in the file.
    """
    found: dict[tuple[str, str], Seed] = {}
    for path, table in reader.tables(tool, "bootstrap"):
        seed = Seed(
            package=reader.text(table, "package", path),
            version=reader.text(table, "version", path),
            reason=reader.text(table, "reason", path),
            cycle=reader.texts(table, "cycle", path),
        )
        if not is_normalized_name(seed.package):
            raise reader.wrong(f"{path}.package", "a normalized name (PEP 503)")
        if seed.reason not in REASONS:
            raise reader.wrong(f"{path}.reason", f"one of {', '.join(REASONS)}")
        if (seed.reason == CYCLE) != bool(seed.cycle):
            raise reader.wrong(f"{path}.cycle", f"builds, and only for the reason {CYCLE}")
        if found.setdefault(seed.key, seed) is not seed:
            raise reader.wrong(path, f"one entry only for {seed}")
    return tuple(found.values())


def check_bootstrap(reader: Reader, lock: Lock) -> None:
    """Hold it to the builds: everything is built or taken as a wheel, and no cycle is left.

    Raises:
        UsageError: an entry is missing or of no use, or builds need one another still.
    """
    needs = build_needs(lock.builds)
    there = {(p.name, p.version or "") for p in (*lock.packages, *lock.build_packages)}
    groups = {key: group for group in cycles(needs) for key in group}
    for seed in lock.bootstrap:
        path = f"{_PATH}: {seed}"
        if seed.key not in there:
            raise reader.wrong(path, "a package of the lock")
        if (seed.key in needs) != (seed.reason == CYCLE):
            raise reader.wrong(path, f"a build of it for the reason {CYCLE}, and for no other")
        if seed.cycle and set(seed.cycle) != set(map(spelled, groups.get(seed.key, ()))):
            raise reader.wrong(path, "the builds that it leads to and that lead to it")
    taken = {seed.key for seed in lock.bootstrap}
    for package in lock.build_packages:
        key = (package.name, package.version or "")
        if key not in needs and key not in taken and has_wheel(package):
            raise reader.wrong(_PATH, f"an entry for {' '.join(key)}, which has no build")
    for group in unbroken(needs, taken):
        listed = ", ".join(" ".join(key) for key in sorted(group))
        raise reader.wrong(_PATH, f"one of these builds, which need one another: {listed}")
