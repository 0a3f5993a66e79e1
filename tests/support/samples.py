"""One lock with an example of everything that the file can hold, and builders for small ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from envlock.lock.bootstrap import seeds_of
from envlock.lock.builds import LEGACY_BACKEND, Build, BuildPin
from envlock.lock.image import BaseImage, PlatformImage
from envlock.lock.interpreter import StandalonePython
from envlock.lock.model import Lock
from envlock.lock.os import OsArchive, OsLayer, OsLibrary, OsPackage, OsSource, OsSourceFile
from envlock.lock.package import (
    Archive,
    Artifact,
    Dependency,
    Directory,
    PythonPackage,
    Repair,
    Vcs,
)
from envlock.lock.request import Request, Wish
from envlock.lock.target import Target
from envlock.lock.toolchain import Found, GuixChannel, GuixRequest, Nixpkgs, NixRequest

LINUX = Target(platform="linux/amd64", python="3.11")
MACOS = Target(platform="macos/arm64", python="3.12.4")
WINDOWS = Target(platform="windows/amd64", python="3.11")
AS_OF = datetime(2024, 6, 1, tzinfo=UTC)
INDEX = "https://index.example.org/simple"


IMAGE = BaseImage(
    reference="docker.io/library/debian:bookworm-slim",
    digest="sha256:" + "1" * 64,
    platforms=(PlatformImage(platform="linux/amd64", digest="sha256:" + "2" * 64),),
)
NIXPKGS = Nixpkgs(
    branch="nixos-24.05",
    rev="d" * 40,
    last_modified=datetime(2024, 5, 30, 12, tzinfo=UTC),
    nar_hash=f"sha256-{'A' * 43}=",
    found=Found.TABLE,
    names=("libgl1=libGL",),
)
GUIX = GuixChannel(
    name="guix",
    url="https://git.example.org/guix.git",
    branch="trunk",
    commit="e" * 40,
    introduction_commit="1" * 40,
    introduction_fingerprint="A" * 40,
    names=("libgl1=mesa",),
)


def digest(letter: str) -> str:
    """64 hex digits made of one."""
    return letter * 64


def wheel(name: str, version: str, letter: str = "a", tag: str = "py3-none-any") -> Artifact:
    """A wheel with every field set."""
    filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
    return Artifact(
        name=filename,
        url=f"https://files.example.org/{filename}",
        sha256=digest(letter),
        size=1000,
        upload_time=datetime(2024, 5, 1, 12, 30, 15, 123456, tzinfo=UTC),
    )


def sdist(name: str, version: str, letter: str = "b") -> Artifact:
    """An sdist with every field set."""
    filename = f"{name.replace('-', '_')}-{version}.tar.gz"
    return Artifact(
        name=filename,
        url=f"https://files.example.org/{filename}",
        sha256=digest(letter),
        size=2000,
        upload_time=datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
    )


def package(
    name: str, version: str = "1.0", *, needs: Iterable[str] = (), marker: str | None = None
) -> PythonPackage:
    """An entry with one wheel."""
    return PythonPackage(
        name=name,
        version=version,
        marker=marker,
        index=INDEX,
        dependencies=tuple(Dependency(name=n) for n in sorted(needs)),
        wheels=(wheel(name, version),),
    )


def small_lock(*packages: PythonPackage, wishes: Iterable[str] = ()) -> Lock:
    """A lock for Linux that holds ``packages`` and answers ``wishes``."""
    request = Request(wishes=tuple(Wish(text=text) for text in wishes), targets=(LINUX,))
    return Lock(as_of=AS_OF, engine="uv", request=request, targets=(LINUX,), packages=packages)


def os_package(name: str, **values: Any) -> OsPackage:
    """A .deb of its own digest."""
    defaults: dict[str, Any] = {
        "architecture": "amd64",
        "version": "1.0-1",
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "size": 10,
        "file_name": f"pool/main/{name}.deb",
        "suite": "bookworm",
        "source": name,
        "source_version": "1.0-1",
    }
    return OsPackage(name=name, **{**defaults, **values})


def os_source(name: str, version: str = "1.0-1", **values: Any) -> OsSource:
    """A source package of two files."""
    names = (f"{name}_{version}.dsc", f"{name}_{version}.tar.xz")
    files = tuple(
        OsSourceFile(name=n, sha256=hashlib.sha256(n.encode()).hexdigest(), size=3) for n in names
    )
    defaults: dict[str, Any] = {"suite": "bookworm", "directory": f"pool/main/{name}"}
    return OsSource(name=name, version=version, **{**defaults, "files": files, **values})


def os_layer() -> OsLayer:
    """A small OS layer: a request, what it needs in two steps, the base, and a wheel's library."""
    return OsLayer(
        base="debian:bookworm",
        archives=(
            OsArchive(
                archive="debian",
                suite="bookworm",
                components=("main",),
                snapshot="20240601T120000Z",
                release_sha256="a" * 64,
                release_date=datetime(2024, 6, 1, 12, tzinfo=UTC),
                key="ABCD",
            ),
        ),
        packages=(
            os_package("app", requested=True),
            os_package("deep", via=("lib",)),
            os_package("lib", via=("app",)),
            os_package("libc6", base=True, via=("app", "deep", "lib")),
            os_package("libgl1", source="lib", via_wheels=("opencv-python", "pyside6")),
        ),
        libraries=(
            OsLibrary(architecture="amd64", soname="libGL.so.1", package="libgl1", wheels=("cv",)),
            OsLibrary(
                architecture="amd64",
                soname="libcuda.so.1",
                wheels=("torch", "triton"),
                partly_read=True,
            ),
        ),
        unread=("torch: torch/lib/libtorch.so",),
    )


OS_SOURCES = tuple(os_source(name) for name in ("app", "deep", "lib", "libc6"))
"""The source packages of ``os_layer``."""


def standalone(target: Target, version: str) -> StandalonePython:
    """A build of Python for a target."""
    return StandalonePython(
        target=target,
        version=version,
        build="20240415",
        url=f"https://files.example.org/20240415/cpython-{version}.tar.gz",
        sha256=digest("9"),
        size=3000,
    )


def full_lock() -> Lock:
    """Every kind of package and every field of the request."""
    request = Request(
        wishes=(
            Wish(text="app @ file:.", editable=True),
            Wish(text="lib>=1", hashes=(f"sha256:{digest('a')}", f"sha256:{digest('b')}")),
            Wish(text='ze-1; sys_platform == "linux"'),
        ),
        constraints=(Wish(text="lib<3"),),
        overrides=(Wish(text="old==1.0"),),
        targets=(LINUX, MACOS),
        extras=("plot",),
        groups=("dev", "lint"),
        requires_python=">=3.11",
        as_of=AS_OF,
        prereleases=True,
        only_binary=("lib",),
        no_binary=("old",),
        default_index=INDEX,
        index_urls=("https://second.example.org/simple", "https://first.example.org/simple"),
        find_links=("wheels",),
        no_index=True,
        allow_undated=("wheels",),
        sources=True,
        nix=NixRequest(branch="nixos-24.05", source=Found.TABLE, names=("libgl1=libGL",)),
        guix=GuixRequest(
            url="https://git.example.org/guix.git",
            branch="trunk",
            introduction_commit="1" * 40,
            introduction_fingerprint="A" * 40,
            names=("libgl1=mesa",),
        ),
        build_exceptions=("closed",),
        build_exception_reasons=("closed: no sources are published",),
        build_requires=("aa:", "bb: cython<3"),
        os_base="debian:bookworm",
        os_packages=("app",),
        os_components=("main",),
        os_recommends=True,
        interpreter="standalone",
        image_base="docker.io/library/debian:bookworm-slim",
        local_sources=(f". sha256:{digest('app')}",),
    )
    packages = (
        PythonPackage(
            name="app",
            directory=Directory(path=".", editable=True, subdirectory="src"),
            dependencies=(Dependency(name="lib"),),
        ),
        PythonPackage(
            name="from-git",
            version="0.1",
            vcs=Vcs(
                kind="git",
                url="https://git.example.org/from-git.git",
                commit="c" * 40,
                requested="main",
                subdirectory="python",
            ),
        ),
        PythonPackage(
            name="from-url",
            version="2.0",
            archive=Archive(
                url="https://files.example.org/from-url.zip",
                sha256=digest("d"),
                size=300,
                subdirectory="inner",
            ),
        ),
        PythonPackage(
            name="lib",
            version="2.1",
            requires_python=">=3.8",
            index=INDEX,
            dependencies=(Dependency(name="old", version="1.0"), Dependency(name="ze-1")),
            wheels=(
                wheel("lib", "2.1", "1", "cp311-cp311-manylinux_2_17_x86_64"),
                wheel("lib", "2.1", "2", "cp312-cp312-macosx_11_0_arm64"),
            ),
            sdist=sdist("lib", "2.1", "3"),
        ),
        PythonPackage(name="old", version="1.0", index=INDEX, sdist=sdist("old", "1.0", "4")),
        package("ze-1", marker="sys_platform == 'linux'"),
    )
    return Lock(
        as_of=AS_OF,
        engine="uv",
        request=request,
        targets=(LINUX, MACOS),
        packages=packages,
        built=("old==1.0",),
        repairs=(Repair(subject="old==1.0", found="pytz (>=2011k)", used="pytz>=2011"),),
        nixpkgs=NIXPKGS,
        guix=GUIX,
        image=IMAGE,
        builds=full_builds(),
        build_packages=(
            replace(package("hatchling", "1.27.0"), sdist=sdist("hatchling", "1.27.0")),
            package("tomli", "2.0.1"),
        ),
        os=replace(os_layer(), sources=OS_SOURCES),
        standalone=(standalone(LINUX, "3.11.9"), standalone(MACOS, "3.12.4")),
    )


def full_builds() -> tuple[Build, ...]:
    """Builds of the full lock's sdists, of which one has every field set."""
    pins = (
        BuildPin(name="hatchling", version="1.27.0"),
        BuildPin(name="tomli", version="2.0.1", marker="python_version < '3.12'"),
    )
    lib = Build(
        package="lib",
        version="2.1",
        sdist=digest("3"),
        backend="backend:api",
        backend_path=(".", "tools"),
        static=("hatchling>=1.26",),
        dynamic=("tomli ; python_version < '3.12'",),
        asked_on=(LINUX.key,),
        pins=pins,
        generator="hatchling 1.27.0",
        preferred=("hatchling==1.27.0",),
        programs=("cargo", "gcc"),
    )
    return (
        Build(package="from-url", version="2.0", sdist=digest("d"), backend="own", pins=()),
        lib,
        Build(package="old", version="1.0", sdist=digest("4"), backend=LEGACY_BACKEND, pins=pins),
    )


def _source(name: str, letter: str) -> PythonPackage:
    return replace(package(name), sdist=sdist(name, "1.0", letter))


def _build(name: str, letter: str, *needs: str) -> Build:
    pins = tuple(BuildPin(name=need, version="1.0") for need in needs)
    return Build(package=name, version="1.0", sdist=digest(letter), backend="b", pins=pins)


def ring_lock(*, exceptions: tuple[str, ...] = ()) -> Lock:
    """thing is built with one, one with two and extra, two with one."""
    lock = small_lock(package("nvidia-x"), _source("thing", "1"), wishes=["thing"])
    request = replace(lock.request, sources=True, build_exceptions=exceptions)
    lock = replace(
        lock,
        request=request,
        builds=(
            _build("one", "2", "extra", "two"),
            _build("thing", "1", "one"),
            _build("two", "3", "one"),
        ),
        build_packages=(package("extra"), _source("one", "2"), _source("two", "3")),
    )
    packages = (*lock.packages, *lock.build_packages)
    return replace(lock, bootstrap=seeds_of(request, lock.builds, packages, programs=frozenset()))
