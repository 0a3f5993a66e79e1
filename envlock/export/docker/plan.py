"""What the image holds: base, OS packages, Python, and the wheels of each architecture."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from packaging.version import Version

from envlock.errors import UsageError
from envlock.export.docker.packages import Packages, choose_packages
from envlock.export.docker.text import word
from envlock.lock.interpreter import StandalonePython
from envlock.lock.model import Lock
from envlock.lock.os import OsArchive, OsLayer, OsPackage
from envlock.lock.provider import provider, standalone
from envlock.lock.selection import wanted_packages
from envlock.lock.target import PLATFORMS, Target
from envlock.resolve.os.distributions.distribution import IMPORT_TIME, parse_base

_UNQUOTED = "/+~:@!$&'()*,;="
_ARCHITECTURE = re.compile(r"_([a-z0-9]+)\.deb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """A line of ``os-packages.txt``.

    ``target`` is the image's architecture, ``architecture`` the package's (``all``), and ``path``
    where it is below the snapshot service's address, ready for a URL.
    """

    target: str
    name: str
    version: str
    architecture: str
    sha256: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What one architecture's image holds beside the OS packages.

    ``architecture`` is Debian's and Docker's name (``amd64``), ``name`` that of ``uname -m``.
    """

    target: Target
    architecture: str
    name: str
    packages: Packages
    python: StandalonePython | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of the image.

    ``python`` is the interpreter's command; ``os`` the distribution or None where the lock has no
    OS packages, ``snapshots`` its service's address. ``build_debs`` are there while packages are
    built, where some are, and are not in the image. ``indexes`` are those that listed the wheels.
    """

    machines: tuple[Machine, ...]
    python: str
    os: str | None
    snapshots: str
    debs: tuple[Deb, ...]
    build_debs: tuple[Deb, ...]
    indexes: tuple[str, ...]

    @property
    def given(self) -> tuple[str, ...]:
        """The lock's local files that some machine's image needs, sorted."""
        return tuple(sorted({path for machine in self.machines for path in machine.packages.given}))

    @property
    def folders(self) -> tuple[str, ...]:
        """The project's own folders that are packages of the lock, sorted."""
        paths = {path for machine in self.machines for _, path in machine.packages.folders}
        return tuple(sorted(paths))

    @property
    def series(self) -> str:
        """``3.11``."""
        return self.machines[0].target.series


def plan(lock: Lock, target: Target | None) -> Plan:
    """What is in the image; for every Linux platform the newest Python, or the target's.

    Raises:
        UsageError: it cannot be built as locked; names what stands in the way, and the way out.
    """
    targets = _targets(lock, target)
    machines = tuple(_machine(lock, one) for one in targets)
    layer = lock.os
    architectures = {m.architecture for m in machines}
    # What has wheels is not built in an image, and needs no compiler there.
    building = {m.architecture for m in machines if m.packages.sources}
    return Plan(
        machines=machines,
        python=_python(lock, targets),
        os=None if layer is None else layer.base,
        snapshots="" if layer is None else _snapshots(layer),
        debs=() if layer is None else _debs(lock, layer, layer.packages, architectures),
        build_debs=(() if layer is None else _debs(lock, layer, layer.build_packages, building)),
        indexes=_indexes(lock, machines),
    )


def _indexes(lock: Lock, machines: tuple[Machine, ...]) -> tuple[str, ...]:
    """Those that listed the packages, and what some of them are built with."""
    packages = [p for machine in machines for p in wanted_packages(lock, machine.target)]
    if any(machine.packages.sources for machine in machines):
        packages += lock.build_packages
    return tuple(sorted({package.index for package in packages if package.index}))


def _targets(lock: Lock, target: Target | None) -> list[Target]:
    offered = lock.targets if target is None else (target,)
    newest: dict[str, Target] = {}
    for one in sorted(offered, key=lambda t: Version(t.python)):
        if one.platform.startswith("linux/"):
            newest[one.platform] = one
    if not newest:
        raise UsageError(
            f"images are of Linux, and the lock is for {', '.join(t.key for t in sorted(offered))}",
            remedy='add "linux/amd64" to targets in [tool.envlock] and run `envlock lock`',
        )
    found = [newest[platform] for platform in sorted(newest)]
    if len({one.python for one in found}) > 1:
        raise UsageError(
            f"{' and '.join(t.key for t in found)} are of different Pythons, which one Dockerfile"
            " cannot install",
            remedy="export one of them: --target " + found[0].key,
        )
    return found


def _python(lock: Lock, targets: list[Target]) -> str:
    """The command that starts the interpreter.

    Raises:
        UsageError: the image cannot have it.
    """
    [series] = {target.series for target in targets}
    for target in targets:
        provided = provider(lock, target) or "base-image"
        if provided == "base-image" and lock.image is None:
            raise UsageError(
                f"the lock has no Python to put into an image for {target.key}",
                remedy="remove interpreter from [tool.envlock] to take the distribution's, or name"
                " a base image that has one in [tool.envlock.image], and run `envlock lock`",
            )
        if provided.startswith("nixpkgs "):
            raise UsageError(
                "the Python of this lock is that of nixpkgs",
                remedy="build its image with Nix (`envlock build nix --image`), or set interpreter"
                " in [tool.envlock]",
            )
        own = not provided.startswith(("base-image", "python-build-"))
        if lock.os is not None and (own or lock.image is None):
            _needs_pip(lock.os, target, own=own)
    return f"/opt/python/bin/python{series}" if standalone(lock, targets[0]) else f"python{series}"


def _needs_pip(layer: OsLayer, target: Target, *, own: bool) -> None:
    """What a Python needs in the image must be locked.

    The distribution's ``own`` one has no pip; the package with it must be there. Without a base
    image an archive of Python is fetched by apt.
    """
    name = f"python{target.series}-venv" if own else "apt"
    machine = target.platform.partition("/")[2]
    if not any(package.architecture == machine for package in layer.package(name)):
        raise UsageError(
            f"{layer.base}'s Python cannot install packages without {name}, which is not locked"
            if own
            else "without a base image, apt has to fetch the archive of Python, and is not locked",
            remedy=f'add "{name}" to packages in [tool.envlock.os] and run `envlock lock`',
        )


def _machine(lock: Lock, target: Target) -> Machine:
    return Machine(
        target=target,
        architecture=target.platform.partition("/")[2],
        name=PLATFORMS[target.platform].platform_machine,
        packages=choose_packages(lock, target),
        python=standalone(lock, target),
    )


def _snapshots(layer: OsLayer) -> str:
    service = parse_base(layer.base).distribution.snapshots
    return service.url + service.path.partition("/{archive}")[0]


def _debs(
    lock: Lock, layer: OsLayer, packages: Iterable[OsPackage], architectures: set[str]
) -> tuple[Deb, ...]:
    rest = parse_base(layer.base).distribution.snapshots.path
    place = "{archive}" + rest.partition("{archive}")[2] + "/"
    folders = {
        archive.suite: place.format(archive=archive.archive, timestamp=_moment(archive, lock))
        for archive in layer.archives
    }
    found = []
    for package in packages:
        if package.architecture in architectures:
            match = _ARCHITECTURE.search(package.file_name)
            path = folders[package.suite] + package.file_name
            found.append(
                Deb(
                    target=word(package.architecture),
                    name=word(package.name),
                    version=word(package.version),
                    architecture=match[1] if match else word(package.architecture),
                    sha256=package.sha256,
                    path=word(quote(path, safe=_UNQUOTED)),
                )
            )
    return tuple(sorted(found, key=lambda deb: (deb.target, deb.name, deb.version)))


def _moment(archive: OsArchive, lock: Lock) -> str:
    """The snapshot; of what was read from a mirror, the instant at which a service has the same."""
    if archive.snapshot is not None:
        return archive.snapshot
    return f"{min(archive.release_date + IMPORT_TIME, lock.as_of):%Y%m%dT%H%M%SZ}"
