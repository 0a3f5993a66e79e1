"""Which of a lock's targets, and which of its packages, serve one machine."""

from __future__ import annotations

from packaging.markers import Marker
from packaging.version import Version

from envlock.errors import UsageError
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from envlock.lock.provider import locked_python
from envlock.lock.target import Target


def select_target(lock: Lock, platform: str, python: str | None = None) -> Target:
    """The target that serves a machine.

    Args:
        lock: the lock.
        platform: the machine's (``linux/amd64``).
        python: the full version of the interpreter to serve (``3.11.7``), or None for the newest
            Python that is locked for the platform.

    Raises:
        UsageError: none does; names those that are locked, and the line to change.
    """
    here = {t: locked_python(lock, t) for t in lock.targets if t.platform == platform}
    if not here:
        raise UsageError(
            f"the lock is not for {platform}, but for {_listed(lock)}",
            remedy=f'add "{platform}" to targets in [tool.envlock], then run `envlock lock`',
        )
    if python is None:
        return max(here, key=lambda target: Version(target.python))
    series = ".".join(python.split(".")[:2])
    for wanted in (python, series):
        for target, locked in here.items():
            if locked == wanted:
                return target
    raise UsageError(
        f"the lock is not for CPython {python} on {platform}, but for {_listed(lock)}",
        remedy="use one of these Pythons, or "
        + _other_way(series, {target.python: locked for target, locked in here.items()}),
    )


def _other_way(series: str, locked: dict[str, str]) -> str:
    if series in locked:  # of any patch for the project, of this one in the lock
        return f"install that one: uv python install {locked[series]}"
    return f'set python = "{series}" in [tool.envlock] and run `envlock lock`'


def _listed(lock: Lock) -> str:
    return ", ".join(f"{t.platform}@{locked_python(lock, t)}" for t in sorted(lock.targets))


def wanted_packages(
    lock: Lock, target: Target, full_version: str | None = None
) -> tuple[PythonPackage, ...]:
    """The packages that ``target`` installs: those without a marker, or whose marker holds.

    ``full_version`` (``3.11.7``) is the interpreter's, where the target leaves the patch open.
    The lock's groups are its default groups, so they count as asked for; an extra would have to be
    asked for by name (PEP 751). envlock writes no marker that names either.
    """
    environment: dict[str, str | frozenset[str]] = {
        **target.environment(full_version),
        "extras": frozenset(),
        "dependency_groups": frozenset(lock.request.groups),
    }
    holds: dict[str, bool] = {}
    wanted = []
    for package in lock.packages:
        if package.marker is not None and package.marker not in holds:
            holds[package.marker] = Marker(package.marker).evaluate(environment, "lock_file")
        if package.marker is None or holds[package.marker]:
            wanted.append(package)
    return tuple(wanted)


def applies(package: PythonPackage, target: Target) -> bool:
    """Whether some machine of ``target`` needs the package."""
    if package.marker is None:
        return True
    # A marker on the patch release may hold for some patches only: either counts.
    last = {"python_full_version": f"{target.series}.99"}
    marker = Marker(package.marker)
    return marker.evaluate(target.environment()) or marker.evaluate(target.environment() | last)
