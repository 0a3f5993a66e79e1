"""A lock whose content is not what its own digests say: what was edited, where that can be told."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from envlock.check.drift import Code, Drift, drift
from envlock.lock.hashing import shorten
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from envlock.lock.tables.reader import EditedLockError


def bumped(lock: Lock) -> tuple[Drift, ...]:
    """The packages whose version is not that of their files: pins that were bumped by hand."""
    return tuple(
        drift(Code.LOCK_EDITED, package.name, expected=version, found=package.version)
        for package in sorted(lock.packages, key=lambda p: p.sort_key)
        for version in _other_version(package)
    )


def lock_drift(error: EditedLockError, lock_name: str) -> tuple[Drift, ...]:
    """The digests that do not fit.

    Args:
        error: what reading the lock gave.
        lock_name: the lockfile's.
    """
    parts = [part for part in error.keys if part.startswith("digests.")]
    cause = ", ".join(part.removeprefix("digests.") for part in parts) or error.keys[0]
    return (
        drift(
            Code.LOCK_EDITED,
            lock_name,
            expected=_short(error.declared),
            found=_short(error.content),
            cause=f"edited: {cause}",
        ),
    )


def _short(digest: str | None) -> str | None:
    if digest is None:
        return None
    return shorten(digest) if digest.startswith("env1-") else digest


def _other_version(package: PythonPackage) -> Iterator[str]:
    """The one version that the names of a package's files have, where it is not the package's."""
    try:
        found = {parse_wheel_filename(wheel.name)[1] for wheel in package.wheels}
        if package.sdist is not None:
            found.add(parse_sdist_filename(package.sdist.name)[1])
        if (
            package.version is not None
            and len(found) == 1
            and Version(package.version) not in found
        ):
            yield str(*found)
    except (InvalidSdistFilename, InvalidWheelFilename, InvalidVersion):
        return
