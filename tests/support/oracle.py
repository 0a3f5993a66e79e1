"""What should a lock hold? Walked anew from packages' own metadata, target by target.

An independent answer for the tests: it reads the lockfile with ``tomllib``, the index with
``real_index``, markers and versions with ``packaging``, and nothing with envlock.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from support import real_index
from support.real_index import Listed

_MARKERS = {
    "linux/amd64": ("linux", "Linux", "posix", "x86_64"),
    "linux/arm64": ("linux", "Linux", "posix", "aarch64"),
    "macos/arm64": ("darwin", "Darwin", "posix", "arm64"),
    "windows/amd64": ("win32", "Windows", "nt", "AMD64"),
}
_WHEEL_PLATFORMS = {
    "linux/amd64": (("manylinux", "linux"), ("x86_64",)),
    "linux/arm64": (("manylinux", "linux"), ("aarch64",)),
    "macos/arm64": (("macosx",), ("arm64", "universal2")),
    "windows/amd64": (("win",), ("amd64",)),
}


@dataclass(slots=True)
class Asked:
    """Everything that one target's packages ask of one name."""

    extras: set[str] = field(default_factory=set)
    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    by: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Locked:
    """A lockfile, as plain tables."""

    table: dict[str, Any]

    @property
    def as_of(self) -> datetime:
        return self.table["tool"]["envlock"]["as-of"].astimezone(UTC)

    @property
    def packages(self) -> list[dict[str, Any]]:
        return self.table["packages"]

    @property
    def targets(self) -> list[str]:
        return [entry["target"] for entry in self.table["tool"]["envlock"]["interpreters"]]

    def on(self, target: str) -> dict[str, dict[str, Any]]:
        """The entries whose marker holds on the target, one a name."""
        environment = marker_environment(target)
        found: dict[str, dict[str, Any]] = {}
        for entry in self.packages:
            if "marker" in entry and not Marker(entry["marker"]).evaluate(environment):
                continue
            assert entry["name"] not in found, f"two entries of {entry['name']} on {target}"
            found[entry["name"]] = entry
        return found


def read(path: Path) -> Locked:
    """The lockfile at ``path``."""
    return Locked(tomllib.loads(path.read_text()))


def files(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The wheels and the sdist of an entry."""
    return [*entry.get("wheels", ()), *([entry["sdist"]] if "sdist" in entry else [])]


def marker_environment(target: str) -> dict[str, str]:
    """PEP 508 values of ``linux/amd64@3.11``, at the series' first patch release."""
    platform, _, python = target.partition("@")
    system, name, kind, machine = _MARKERS[platform]
    full = python if python.count(".") == 2 else f"{python}.0"
    return {
        "extra": "",
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": kind,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": name,
        "platform_version": "",
        "python_full_version": full,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": system,
    }


def fetch(names: Iterable[str], wheels: Iterable[str]) -> None:
    """Read pages and wheels' metadata at once, so that the walk does not wait for each."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(real_index.page, names))
        list(pool.map(real_index.wheel_requirements, wheels))


def metadata_wheel(entry: Mapping[str, Any]) -> str:
    """The address of a wheel to read an entry's requirements from."""
    assert entry.get("wheels"), f"{entry['name']} has no wheel: choose another example"
    return min(entry["wheels"], key=lambda wheel: wheel["size"])["url"]


def walk(
    direct: Iterable[Requirement], pins: Mapping[str, Mapping[str, Any]], target: str
) -> dict[str, Asked]:
    """All that is asked, from the direct requirements down through the pinned packages."""
    asked: dict[str, Asked] = {}
    queue = [(requirement, "the project", "") for requirement in direct]
    seen: set[tuple[str, str]] = set()
    environment = marker_environment(target)
    while queue:
        requirement, by, extra = queue.pop()
        if requirement.marker and not requirement.marker.evaluate(environment | {"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        asked.setdefault(name, Asked())
        asked[name].extras |= requirement.extras
        asked[name].specifier &= requirement.specifier
        asked[name].by.append(f"{by}: {requirement}")
        assert name in pins, f"{name} is needed on {target} (by {by}) and not locked"
        for active in ("", *sorted(requirement.extras)):
            if (name, active) in seen:
                continue
            seen.add((name, active))
            for needed in real_index.wheel_requirements(metadata_wheel(pins[name])):
                if active and not _only_for_extras(needed, environment):
                    continue
                queue.append((needed, f"{name} {pins[name]['version']}", canonicalize_name(active)))
    return asked


def _only_for_extras(requirement: Requirement, environment: Mapping[str, str]) -> bool:
    """Whether a requirement is not already there without any extra."""
    marker = requirement.marker
    return marker is not None and not marker.evaluate({**environment, "extra": ""})


def candidates(name: str, asked: Asked, target: str, as_of: datetime) -> list[Version]:
    """The versions of a name that were there, are wanted and can be installed; newest first."""
    python = marker_environment(target)["python_full_version"]
    found = {
        file.version
        for file in real_index.page(name)
        if file.version is not None
        and file.uploaded <= as_of
        and not file.yanked
        and not file.version.is_prerelease
        and file.requires_python.contains(python)
        and asked.specifier.contains(file.version)
        and (not file.wheel or fits(file, target))
    }
    return sorted(found, reverse=True)


def fits(file: Listed, target: str) -> bool:
    """Whether some machine of the target can install the wheel; by its file name."""
    platform, _, python = target.partition("@")
    minor = int(python.split(".")[1])
    systems, machines = _WHEEL_PLATFORMS[platform]
    on_platform = "any" in file.platforms or any(
        tag.startswith(systems) and tag.endswith(machines) for tag in file.platforms
    )
    return on_platform and any(_python_fits(tag, minor) for tag in file.python_tags)


def _python_fits(tag: str, minor: int) -> bool:
    interpreter, _, abi = tag.partition("-")
    version = interpreter[2:]
    if interpreter.startswith("py"):
        return version == "3" or (version.startswith("3") and int(version[1:]) <= minor)
    if not interpreter.startswith("cp3"):
        return False
    own = int(version[1:] or 0)
    if abi == "abi3":
        return own <= minor
    return own == minor and abi in (f"cp3{minor}", "none")


def newer_and_possible(
    name: str,
    locked: Version,
    asked: Mapping[str, Asked],
    target: str,
    as_of: datetime,
) -> Version | None:
    """A version newer than the locked one that nothing stands against; None if there is none.

    A newer version may be impossible because of what it needs itself; that is looked at one step
    deep: some name that it needs has no version left that all of the others accept, too.
    """
    for version in candidates(name, asked[name], target, as_of):
        if version <= locked:
            return None
        if not _blocked(name, version, asked, target, as_of):
            return version
    return None


def _blocked(
    name: str, version: Version, asked: Mapping[str, Asked], target: str, as_of: datetime
) -> bool:
    environment = marker_environment(target)
    wheels = [
        f for f in real_index.page(name) if f.version == version and f.wheel and fits(f, target)
    ]
    if not wheels:
        return False
    for needed in real_index.wheel_requirements(wheels[0].url):
        extras = ("", *asked[name].extras)
        active = needed.marker is None or any(
            needed.marker.evaluate(environment | {"extra": extra}) for extra in extras
        )
        if not active:
            continue
        other = canonicalize_name(needed.name)
        others = asked[other].specifier if other in asked else SpecifierSet()
        both = Asked(specifier=others & needed.specifier)
        if not candidates(other, both, target, as_of):
            return True
    return False
