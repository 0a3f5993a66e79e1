"""What a program for building is called in Guix."""

from __future__ import annotations

from collections.abc import Mapping

from envlock.export.names import guix_package

_IN_EVERY_BUILD = frozenset(
    {"binutils", "build-essential", "bzip2", "coreutils", "g++", "gcc", "gzip", "libc6-dev"}
    | {"libc-dev", "make", "patch", "sed", "tar", "xz-utils"}
)
"""What Guix's build systems give every build, by their Debian names."""


def build_program(name: str, overrides: Mapping[str, str]) -> str | None:
    """``guix_package`` of what a build needs; None where every build has it.

    Args:
        name: the package's name in Debian.
        overrides: the project's own names, which go first.

    Raises:
        UsageError: see ``guix_package``.
    """
    if name in _IN_EVERY_BUILD and name not in overrides:
        return None
    return guix_package(name, overrides)
