"""dpkg's status against the lock's OS layer: pure comparison."""

from __future__ import annotations

from envlock.check.drift import Code, Drift, drift
from envlock.check.os.observe import Status
from envlock.lock.os import OsLayer


def compare_os(layer: OsLayer, architecture: str, installed: Status) -> tuple[Drift, ...]:
    """What the lock has and the system has not, or has in another version or state.

    Packages beyond the lock are no drift: a machine serves other purposes, too.

    Args:
        layer: the lock's.
        architecture: Debian's name (``amd64``).
        installed: from ``observe_os``.
    """
    found = []
    for package in layer.packages:
        if package.architecture != architecture:
            continue
        there = installed.get((package.name, architecture)) or installed.get((package.name, "all"))
        if there is None:
            found.append(drift(Code.OS_MISSING, package.name, expected=package.version))
        elif there.version != package.version:
            found.append(
                drift(Code.OS_VERSION, package.name, expected=package.version, found=there.version)
            )
        elif there.state != "installed":
            found.append(
                drift(Code.OS_STATE, package.name, expected="installed", found=there.state)
            )
        elif there.held:
            found.append(drift(Code.OS_HELD, package.name))
    return tuple(found)
