"""Where the Python of each target of a lock comes from."""

from __future__ import annotations

from envlock.lock.interpreter import StandalonePython
from envlock.lock.model import Lock
from envlock.lock.target import Target


def provider(lock: Lock, target: Target) -> str | None:
    """What provides the target's Python, as text; None: the machine, the lock does not say.

    For example ``debian:bookworm python3.11 3.11.2-6``, ``python-build-standalone
    3.13.5+20250723``, ``base-image`` and the image, ``nixpkgs`` and its revision.
    """
    build = standalone(lock, target)
    if build is not None:
        return str(build)
    system, _, machine = target.platform.partition("/")
    if lock.request.interpreter == "nixpkgs" and lock.nixpkgs is not None and system != "windows":
        return f"nixpkgs {lock.nixpkgs.rev}"
    if system != "linux":
        return None
    if lock.request.interpreter == "base-image":
        return "base-image" if lock.image is None else f"base-image {lock.image.reference}"
    if lock.os is not None:
        for package in lock.os.package(f"python{target.series}"):
            if package.architecture == machine:
                return f"{lock.os.base} {package.name} {package.version}"
    return None


def standalone(lock: Lock, target: Target) -> StandalonePython | None:
    """The archive that is locked for the target, or None."""
    return next((build for build in lock.standalone if build.target == target), None)


def locked_python(lock: Lock, target: Target) -> str:
    """The target's Python as exactly as the lock knows it: ``3.13.5``, or ``3.13``."""
    build = standalone(lock, target)
    return target.python if build is None else build.version
