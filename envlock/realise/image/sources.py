"""Locked sdists → wheels that are the same on every machine: packages of Python alone.

A wheel is built by its own backend, on this machine, in an environment of exactly the locked
build requirements, with an empty ``PATH``, and without the network where the system lets us take
it away. What is compiled would be of this machine's compiler and libraries, and is refused. The
archive is written anew: sorted, without times; the same files are the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import threading
import zipfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from envlock.errors import EnvlockError, SourceError, UsageError
from envlock.io.cache import DiskCache
from envlock.io.machine import machine_platform
from envlock.io.store import Fresh, has_stored, stored
from envlock.io.unpack import OddArchiveError, unpack
from envlock.lock.artifacts import PythonFile, package_files
from envlock.lock.builds import Build
from envlock.lock.canonical import digest
from envlock.lock.model import Lock
from envlock.lock.package import Archive, Artifact, PythonPackage
from envlock.lock.request import Request
from envlock.lock.target import Target
from envlock.lock.unbuilt import build_packages, locked_build

_KIND = "built-wheels-1"
"""Another number when the same source becomes other bytes."""

_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A package to build: its file, and how.

    ``requirements`` are the build requirements as wheels for ``machine``, which is this one with
    the Python of the image.
    """

    package: PythonPackage
    file: Artifact
    subdirectory: str | None
    build: Build
    requirements: tuple[PythonPackage, ...]
    machine: Target
    as_of: datetime

    @property
    def files(self) -> tuple[PythonFile, ...]:
        """What has to be in the store: the source, and the wheels to build it with."""
        wheels = [PythonFile(package=p, file=f) for p in self.requirements for f in p.wheels]
        return (PythonFile(package=self.package, file=self.file), *wheels)

    @property
    def identity(self) -> list[object]:
        """What decides the wheel, as JSON has it."""
        return [
            self.file.sha256,
            self.subdirectory or "",
            self.build.backend,
            list(self.build.backend_path),
            sorted(file.sha256 for package in self.requirements for file in package.wheels),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A wheel that was built; the store has it by ``sha256``."""

    name: str
    sha256: str


def choose_source(lock: Lock, package: PythonPackage, target: Target) -> Source:
    """How to build what has no wheel for the target.

    Raises:
        UsageError: that is not locked, or not for this machine.
    """
    file, build = locked_build(lock, package, target)
    machine = Target(platform=machine_platform(), python=target.python)
    requirements = []
    for found in build_packages(lock, build, machine):
        wheels = [f for f in package_files(found, machine) if f.name.endswith(".whl")]
        if not wheels:
            raise UsageError(
                f"{package.name} is built with {found.name} {found.version}, of which no wheel for"
                f" this machine ({machine.key}) is locked",
                remedy=f'add "{machine.platform}" to targets in [tool.envlock] and run `envlock'
                f" lock`, or take a release of {package.name} that has a wheel",
            )
        requirements.append(replace(found, wheels=tuple(wheels), sdist=None))
    if isinstance(file, Archive):
        [artifact] = package_files(package, target)
    else:
        artifact = file
    return Source(
        package=package,
        file=artifact,
        subdirectory=file.subdirectory if isinstance(file, Archive) else None,
        build=build,
        requirements=tuple(requirements),
        machine=machine,
        as_of=lock.as_of,
    )


def make_wheel(source: Source) -> Made:
    """The source's wheel, built now or kept from before.

    Raises:
        UsageError: it is a compiled one, or the source cannot be unpacked.
        SourceError: the backend fails, or this machine lacks the Python.
    """
    from envlock.resolve.python.builds import hook as build_hook

    python = build_hook.find_python(source.machine.series)
    key = digest([*source.identity, python.version, source.machine.platform])
    cache = DiskCache(_KIND)
    known = cache.get(key)
    if known is not None:
        made = Made(**json.loads(known))
        if has_stored(made.sha256):
            return made
    title = f"{source.build.package} {source.build.version}"
    surroundings = build_hook.Surroundings(
        sources=build_hook.NOWHERE, seconds=build_hook.hook_seconds(), stop=threading.Event()
    )
    with tempfile.TemporaryDirectory(prefix="envlock-wheel-") as name:
        folder = Path(name)
        try:
            (folder / "source").mkdir()
            tree = unpack(stored(source.file.sha256), folder / "source")
            out = folder / "out"
            out.mkdir()
            program = build_hook.make_environment(
                folder, _environment(source, folder), python, build_hook.NOWHERE
            )
            tree = tree / (source.subdirectory or "")
            build_hook.run_hook(
                source.build, folder, tree, program, "build_wheel", (str(out),), surroundings
            )
            made = _settle(out, source, title)
        except OddArchiveError as error:
            raise UsageError(str(error), where=source.file.name) from None
        except build_hook.HookFailedError as error:
            raise SourceError(f"{title}: {error}", remedy=_OTHER_WAYS) from None
    cache.put(key, json.dumps({"name": made.name, "sha256": made.sha256}).encode())
    return made


_OTHER_WAYS = (
    "envlock builds only what is Python alone; `envlock export docker` builds it in the image, with"
    " the compilers among its OS packages; or take a release that has a wheel"
)


def _environment(source: Source, folder: Path) -> Lock:
    """The build requirements as a lock whose files lie in ``folder``."""
    (folder / "files").mkdir()
    packages = []
    for package in source.requirements:
        wheels = []
        for file in package.wheels:
            shutil.copyfile(stored(file.sha256), folder / "files" / file.name)
            wheels.append(replace(file, url=None, path=f"files/{file.name}"))
        packages.append(replace(package, wheels=tuple(wheels)))
    return Lock(
        as_of=source.as_of,
        engine="uv",
        request=Request(targets=(source.machine,)),
        targets=(source.machine,),
        packages=tuple(packages),
    )


def _settle(out: Path, source: Source, title: str) -> Made:
    """Judge what the backend made, and put it into the store in one fixed form."""
    wheels = list(out.glob("*.whl"))
    try:
        if len(wheels) != 1:
            raise _odd(title, f"{len(wheels)} wheels")
        name, version, _build, tags = parse_wheel_filename(wheels[0].name)
    except InvalidWheelFilename:
        raise _odd(title, wheels[0].name) from None
    if any(tag.platform != "any" for tag in tags):
        raise UsageError(
            f"{title} is compiled when it is built ({wheels[0].name}), and what is compiled here"
            " would differ on other machines",
            remedy=_OTHER_WAYS,
        )
    if (name, str(version)) != (canonicalize_name(source.build.package), source.build.version):
        raise _odd(title, wheels[0].name)
    try:
        sha256 = _write_again(wheels[0], title, str(out.parent).encode())
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        raise _odd(title, f"what cannot be read: {error}") from None
    return Made(name=wheels[0].name, sha256=sha256)


def _odd(title: str, what: str) -> EnvlockError:
    return SourceError(f"{title}: its build backend made {what}", remedy=_OTHER_WAYS)


def _write_again(wheel: Path, title: str, place: bytes) -> str:
    """The digest of the same files in order, with one time, and uncompressed.

    ``place`` is where it was built, which no file may tell.
    """
    with zipfile.ZipFile(wheel) as given, Fresh() as fresh:
        entries = [entry for entry in given.infolist() if not entry.is_dir()]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as written:
            for entry in sorted(
                entries, key=lambda e: (e.filename.endswith("/RECORD"), e.filename)
            ):
                program = bool(entry.external_attr >> 16 & 0o111)
                plain = zipfile.ZipInfo(entry.filename, _TIME)
                plain.create_system = 3  # Unix, whatever this is
                plain.external_attr = (0o100755 if program else 0o100644) << 16
                data = given.read(entry)
                if place in data:
                    raise UsageError(
                        f"{title} is not the same in every build: {entry.filename} has the folder"
                        " in it that it was built in",
                        remedy=_OTHER_WAYS,
                    )
                written.writestr(plain, data)
        content = buffer.getvalue()
        fresh.file.write(content)
        sha256 = hashlib.sha256(content).hexdigest()
        fresh.settle(sha256)
    return sha256
