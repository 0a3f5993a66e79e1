"""The OS layer in nixpkgs: packages that the project names, libraries that its wheels need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from envlock.errors import UsageError
from envlock.export.names import look_up_all, nix_attributes
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer
from envlock.lock.target import Target
from envlock.lock.toolchain import Nixpkgs, overrides

DRIVER = (
    "libcuda.so.1",
    "libnvcuvid.so.1",
    "libnvidia-encode.so.1",
    "libnvidia-ml.so.1",
    "libnvidia-opticalflow.so.1",
    "libnvidia-ptxjitcompiler.so.1",
)
"""Libraries of a GPU's driver: they must be of the kernel module's own version, so they are the
machine's, and no package can stand for them."""


_THERE = re.compile(r"glibc|python3[0-9]*")
"""Attributes that the environment has anyway: its C library and its Python."""
_COMPILERS = frozenset({"build-essential", "g++", "gcc", "libc6-dev", "make"})
"""What every build has anyway."""


class OsNames:
    """Names in nixpkgs, the project's own ones first."""

    def __init__(self, nixpkgs: Nixpkgs) -> None:
        self._overrides = overrides(nixpkgs.names)

    def unknown(self, programs: Iterable[str]) -> list[str]:
        """Those of a build's programs of which it is not known what they are called."""
        found = []
        for name in sorted(set(programs) - _COMPILERS):
            try:
                nix_attributes(name, self._overrides)
            except UsageError:
                found.append(name)
        return found

    def programs(self, names: Iterable[str], build: str) -> list[dict[str, Any]]:
        """``env.json``'s entries of what a build needs beyond a compiler.

        Raises:
            UsageError: a name in nixpkgs is not known; says the line to add.
        """
        return self._entries(set(names) - _COMPILERS, f"to build {build}")

    def packages(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """``env.json``'s entries of packages for the environment.

        Raises:
            UsageError: as ``programs``.
        """
        return self._entries(set(names), "an OS package of the lock")

    def _entries(self, names: set[str], purpose: str) -> list[dict[str, Any]]:
        found: dict[tuple[str, ...], dict[str, Any]] = {}
        ordered = sorted(names)
        known = look_up_all(ordered, lambda name: nix_attributes(name, self._overrides))
        for name, attributes in zip(ordered, known, strict=True):
            if _THERE.fullmatch(attributes[0]) or attributes in found:
                continue
            found[attributes] = {
                "attributes": [attribute.split(".") for attribute in attributes],
                "for": f"{name}, {purpose}",
                "remedy": f'name another: names = {{ "{name}" = "…" }} in [tool.envlock.nix]',
            }
        return list(found.values())


def packages_of(lock: Lock, target: Target) -> list[str]:
    """The Debian packages that the environment on ``target`` needs, by name."""
    if lock.os is None or not target.platform.startswith("linux/"):
        return []
    architecture = target.platform.partition("/")[2]
    named = {p.name for p in lock.os.packages if p.requested and p.architecture == architecture}
    return sorted(named | set(_providers(lock.os, architecture)))


def host_libraries(lock: Lock) -> list[str]:
    """What autoPatchelf shall not miss: the driver's, and what the project said to ignore."""
    return sorted({*DRIVER, *lock.request.os_ignore_libraries})


def _providers(layer: OsLayer, architecture: str) -> Iterator[str]:
    for library in layer.libraries:
        if library.architecture != architecture or library.soname in DRIVER:
            continue
        if library.package is None:
            raise UsageError(
                f"no OS package is known to provide {library.soname},"
                f" which {', '.join(library.wheels)} needs",
                remedy="if it is loaded only where it is there, say so:"
                f' ignore-libraries = ["{library.soname}"] in [tool.envlock.os]',
            )
        yield library.package
