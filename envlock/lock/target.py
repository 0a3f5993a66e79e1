"""Targets: a platform and a Python, as markers, marker environments and wheel tags."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envlock.errors import UsageError
from envlock.lock.markers import MACHINES, marker

if TYPE_CHECKING:
    from packaging.tags import Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What PEP 508 markers and wheel tags say of one operating system and machine."""

    sys_platform: str
    platform_system: str
    os_name: str
    platform_machine: str
    tag_machine: str


_SYSTEMS = {"linux": ("Linux", "posix"), "darwin": ("Darwin", "posix"), "win32": ("Windows", "nt")}

PLATFORMS: dict[str, Platform] = {
    name: Platform(
        sys_platform=system,
        platform_system=_SYSTEMS[system][0],
        os_name=_SYSTEMS[system][1],
        platform_machine=machine,
        tag_machine=machine.lower(),
    )
    for name, (system, machine) in MACHINES.items()
}
"""Known platforms, by Docker's names (``macos`` standing for its ``darwin``). Linux means glibc."""

_KEY = re.compile(r"(?P<platform>[a-z]+/[a-z0-9]+)@(?P<python>[0-9.]+)")

# manylinux floors: https://peps.python.org/pep-0600/ and its legacy aliases.
_MANYLINUX_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
NEWEST_GLIBC_MINOR = 60
_NEWEST_MACOS = 30


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Target:
    """A platform (a key of ``PLATFORMS``) and a CPython: ``3.11`` (any patch) or ``3.11.7``."""

    platform: str
    python: str

    def __post_init__(self) -> None:
        if self.platform not in PLATFORMS:
            raise UsageError(
                f"unknown platform {self.platform!r}", remedy=f"known: {', '.join(PLATFORMS)}"
            )
        if not re.fullmatch(r"3(\.(0|[1-9][0-9]*)){1,2}", self.python):
            raise UsageError(
                f"unknown Python {self.python!r}", remedy='write it as "3.11" or "3.11.7"'
            )

    @property
    def key(self) -> str:
        """``linux/amd64@3.11``: the way the file and messages write it."""
        return f"{self.platform}@{self.python}"

    @property
    def series(self) -> str:
        """``3.11`` for both ``3.11`` and ``3.11.7``."""
        return ".".join(self.python.split(".")[:2])

    @property
    def marker(self) -> str:
        """The PEP 508 marker that holds on this target and on no other one."""
        return marker(self.platform, self.python)

    def environment(self, full_version: str | None = None) -> dict[str, str]:
        """The PEP 508 environment; ``full_version`` picks a patch where the target leaves it open.

        ``platform_release`` and ``platform_version`` are empty: no lock can know them.
        """
        platform = PLATFORMS[self.platform]
        version = full_version or (
            self.python if self.python.count(".") == 2 else f"{self.python}.0"
        )
        return {
            "implementation_name": "cpython",
            "implementation_version": version,
            "os_name": platform.os_name,
            "platform_machine": platform.platform_machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": platform.platform_system,
            "platform_version": "",
            "python_full_version": version,
            "python_version": self.series,
            "sys_platform": platform.sys_platform,
        }


def parse_target(key: str) -> Target:
    """``linux/amd64@3.11`` → Target.

    Raises:
        UsageError: the text has another shape, or names an unknown platform.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        raise UsageError(f"{key!r} is not a target", remedy='write it as "linux/amd64@3.11"')
    return Target(platform=match["platform"], python=match["python"])


@functools.cache
def wheel_tags(target: Target) -> frozenset[Tag]:
    """Every wheel tag that some machine of the target may install.

    No glibc or macOS version is a bound here: the lock keeps every wheel of the chosen version
    that could serve, and the installer takes the best one for its machine.
    """
    return frozenset(ranked_tags(target))


@functools.cache
def ranked_tags(target: Target, glibc_minor: int = NEWEST_GLIBC_MINOR) -> tuple[Tag, ...]:
    """The tags of a machine with glibc 2.``glibc_minor`` (on Linux), as installers prefer them."""
    from packaging.tags import compatible_tags, cpython_tags

    version = tuple(int(part) for part in target.series.split("."))
    platforms = list(_tag_platforms(target.platform, glibc_minor))
    interpreter = "cp" + target.series.replace(".", "")
    # Stated, since the default follows the build (debug, free-threaded) of the Python that runs.
    abi = interpreter + ("m" if version < (3, 8) else "")
    return (
        *cpython_tags(version, abis=[abi], platforms=platforms),
        *compatible_tags(version, interpreter=interpreter, platforms=platforms),
    )


@functools.cache
def tag_ranks(target: Target, glibc_minor: int = NEWEST_GLIBC_MINOR) -> Mapping[Tag, int]:
    """Where each of ``ranked_tags`` stands."""
    return {tag: rank for rank, tag in enumerate(ranked_tags(target, glibc_minor))}


def _tag_platforms(name: str, glibc_minor: int) -> Iterator[str]:
    machine = PLATFORMS[name].tag_machine
    system = name.partition("/")[0]
    if system == "linux":
        for minor in range(glibc_minor, 4, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if minor in _MANYLINUX_LEGACY and (machine == "x86_64" or minor == 17):
                yield f"{_MANYLINUX_LEGACY[minor]}_{machine}"
        yield f"linux_{machine}"
    elif system == "macos":
        from packaging.tags import mac_platforms

        yield from mac_platforms((_NEWEST_MACOS, 0), machine)
    else:
        yield f"win_{machine}"
