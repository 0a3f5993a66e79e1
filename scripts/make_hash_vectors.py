"""Writes ``docs/environment-hash-vectors.json``: test vectors for the environment hash.

    .venv/bin/python scripts/make_hash_vectors.py

Each vector has the Python branch's content, its canonical JSON, its digest and the whole hash;
some have the same of the OS branch (``os-content``, …) or of the toolchain branch.
The same bytes come out each time; a test compares them with the file and with another
implementation of RFC 8785.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from envlock.lock.builds import LEGACY_BACKEND, Build, BuildPin, Seed
from envlock.lock.canonical import canonical_json
from envlock.lock.hashing import environment_hash, os_content, python_content, toolchain_content
from envlock.lock.image import BaseImage, PlatformImage
from envlock.lock.interpreter import StandalonePython
from envlock.lock.model import Lock
from envlock.lock.os import OsArchive, OsLayer, OsPackage
from envlock.lock.package import Archive, Artifact, Directory, PythonPackage, Vcs
from envlock.lock.request import Request
from envlock.lock.target import Target
from envlock.lock.toolchain import Found, GuixChannel, Nixpkgs

OUTPUT = Path(__file__).parents[1] / "docs" / "environment-hash-vectors.json"

LINUX = Target(platform="linux/amd64", python="3.11")
MACOS = Target(platform="macos/arm64", python="3.12.4")
WINDOWS = Target(platform="windows/amd64", python="3.9")
PATCHED = Target(platform="linux/amd64", python="3.10")


def file(name: str, digit: str) -> Artifact:
    """A file whose digest is one hex digit, 64 times."""
    return Artifact(name=name, url=f"https://files.example.org/{name}", sha256=digit * 64)


def wheel_and_sdist(name: str, version: str, **more: Any) -> PythonPackage:
    """A package with one wheel and an sdist; the sdist's digest sorts first."""
    stem = f"{name.replace('-', '_')}-{version}"
    return PythonPackage(
        name=name,
        version=version,
        wheels=(file(f"{stem}-py3-none-any.whl", "b"),),
        sdist=file(f"{stem}.tar.gz", "a"),
        **more,
    )


CASES: tuple[tuple[str, tuple[Target, ...], tuple[PythonPackage, ...]], ...] = (
    ("no packages", (LINUX,), ()),
    (
        "one wheel",
        (LINUX,),
        (
            PythonPackage(
                name="a", version="1", wheels=(file("a-1-py3-none-any.whl", "0"),), index="x"
            ),
        ),
    ),
    (
        "wheel and sdist, digests sorted, packages sorted by name",
        (LINUX,),
        (wheel_and_sdist("zlib-ng", "2.0"), wheel_and_sdist("attrs", "23.2.0")),
    ),
    ("several targets", (WINDOWS, LINUX, MACOS, PATCHED), (wheel_and_sdist("attrs", "23.2.0"),)),
    (
        "one name, two versions by marker",
        (LINUX, MACOS),
        (
            wheel_and_sdist("numpy", "2.0.0", marker="sys_platform == 'darwin'"),
            wheel_and_sdist("numpy", "1.26.4", marker="sys_platform == 'linux'"),
        ),
    ),
    (
        "one version, two markers, an absent one first",
        (LINUX, MACOS),
        (
            wheel_and_sdist("pkg", "1.0", marker='sys_platform == "linux"'),
            wheel_and_sdist("pkg", "1.0"),
        ),
    ),
    (
        "marker beyond ASCII, quotes and a backslash",
        (LINUX,),
        (
            wheel_and_sdist(
                "pkg", "1.0", marker="platform_version == 'é e\u0301 \U0001f40d \u2028 \\ \"'"
            ),
        ),
    ),
    ("version kept as written", (LINUX,), (wheel_and_sdist("pkg", "1.0+local.1"),)),
    (
        "version control",
        (LINUX,),
        (
            PythonPackage(
                name="from-git",
                version="0.1",
                vcs=Vcs(
                    kind="git",
                    url="https://git.example.org/from-git.git",
                    commit="c0ffee" * 6 + "c0ff",
                    requested="main",
                    subdirectory="python",
                ),
            ),
        ),
    ),
    (
        "archive with a subdirectory",
        (LINUX,),
        (
            PythonPackage(
                name="from-url",
                archive=Archive(
                    url="https://files.example.org/x.zip", sha256="d" * 64, subdirectory="in/ner"
                ),
            ),
        ),
    ),
    (
        "directories, one of them editable",
        (LINUX,),
        (
            PythonPackage(name="app", directory=Directory(path=".", editable=True)),
            PythonPackage(name="lib", version="1.0", directory=Directory(path="libs/über lib")),
        ),
    ),
    (
        "everything at once",
        (LINUX, WINDOWS),
        (
            wheel_and_sdist("attrs", "23.2.0", marker="python_version < '3.10'"),
            PythonPackage(name="app", directory=Directory(path="app", subdirectory="src")),
            PythonPackage(
                name="git-only",
                vcs=Vcs(kind="git", url="ssh://git@git.example.org/x", commit="0" * 40),
            ),
            PythonPackage(name="local", archive=Archive(path="vendor/l.whl", sha256="e" * 64)),
        ),
    ),
)


NIXPKGS = Nixpkgs(
    branch="nixos-23.11",
    rev="0123456789abcdef" * 2 + "01234567",
    last_modified=datetime(2023, 12, 30, tzinfo=UTC),
    nar_hash="sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    found=Found.TABLE,
)
GUIX = GuixChannel(
    name="guix",
    url="https://git.example.org/guix.git",
    branch="master",
    commit="c0ffee" * 6 + "c0ff",
    introduction_commit="0" * 40,
    introduction_fingerprint="A" * 40,
    names=("zlib1g=zlib", "libgl1=mesa"),
)
BUILDS = (
    Build(
        package="zlib-ng",
        version="2.0",
        sdist="a" * 64,
        backend="backend",
        backend_path=(".", "tools"),
        static=("tomli",),
        pins=(
            BuildPin(name="tomli", version="2.0.1", marker="python_version < '3.11'"),
            BuildPin(name="attrs", version="23.2.0"),
        ),
    ),
    Build(package="attrs", version="23.2.0", sdist="a" * 64, backend=LEGACY_BACKEND),
)
IMAGE = BaseImage(
    reference="docker.io/library/debian:bookworm-slim",
    digest="sha256:" + "a" * 64,
    platforms=(
        PlatformImage(platform="linux/arm64", digest="sha256:" + "c" * 64),
        PlatformImage(platform="linux/amd64", digest="sha256:" + "b" * 64),
    ),
)
TOOLCHAINS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("nixpkgs", {"nixpkgs": NIXPKGS}),
    ("Guix, with names of its own", {"guix": GUIX}),
    (
        "nixpkgs and Guix",
        {
            "nixpkgs": replace(NIXPKGS, names=("libgl1=libGL",)),
            "guix": replace(GUIX, names=()),
        },
    ),
    (
        "builds, one of them with pins, one with none",
        {
            "builds": BUILDS,
            "build_packages": (
                wheel_and_sdist("tomli", "2.0.1"),
                PythonPackage(name="attrs", version="23.2.0", sdist=file("attrs.tar.gz", "a")),
            ),
        },
    ),
    (
        "builds that need one another, and the wheel that breaks it",
        {
            "builds": tuple(
                Build(
                    package=name,
                    version="1.0",
                    sdist="a" * 64,
                    backend=LEGACY_BACKEND,
                    pins=(BuildPin(name=other, version="1.0"),),
                )
                for name, other in (("left", "right"), ("right", "left"))
            ),
            "build_packages": (
                wheel_and_sdist("left", "1.0"),
                wheel_and_sdist("right", "1.0"),
            ),
            "bootstrap": (
                Seed(
                    package="left",
                    version="1.0",
                    reason="cycle",
                    cycle=("left==1.0", "right==1.0"),
                ),
                Seed(package="numpy", version="2.0", reason="no-sdist"),
            ),
        },
    ),
    ("a base image for two platforms", {"image": IMAGE}),
    (
        "a base image that is one manifest",
        {
            "image": BaseImage(
                reference="docker.io/library/debian@sha256:" + "b" * 64,
                digest="sha256:" + "b" * 64,
                platforms=(PlatformImage(platform="linux/amd64", digest="sha256:" + "b" * 64),),
            )
        },
    ),
)


def deb(name: str, version: str, digit: str, architecture: str = "amd64") -> OsPackage:
    """An OS package whose digest is one hex digit, 64 times."""
    return OsPackage(
        architecture=architecture,
        name=name,
        version=version,
        sha256=digit * 64,
        size=1,
        file_name=f"pool/{name}.deb",
        suite="bookworm",
        source=name,
        source_version=version,
    )


def layer(*packages: OsPackage) -> OsLayer:
    """An OS layer from one archive."""
    archive = OsArchive(
        archive="debian",
        suite="bookworm",
        components=("main",),
        release_sha256="f" * 64,
        release_date=datetime(2024, 1, 1, tzinfo=UTC),
        key="0" * 40,
    )
    return OsLayer(base="debian:bookworm", archives=(archive,), packages=packages)


def standalone(target: Target, version: str) -> StandalonePython:
    """An archive of Python whose digest is ``9``, 64 times."""
    return StandalonePython(
        target=target,
        version=version,
        build="20231002",
        url="https://files.example.org/python.tar.gz",
        sha256="9" * 64,
        size=1,
    )


LAYERS: tuple[tuple[str, tuple[Target, ...], dict[str, Any]], ...] = (
    ("an OS layer without packages", (LINUX,), {"os": layer()}),
    (
        "OS packages, sorted by name, an epoch and a tilde in their versions",
        (LINUX,),
        {"os": layer(deb("zlib1g", "1:1.2.13.dfsg-1", "2"), deb("libc6", "2.36-9~deb12u4", "1"))},
    ),
    (
        "OS packages of two architectures, amd64 first",
        (LINUX, Target(platform="linux/arm64", python="3.11")),
        {
            "os": layer(
                deb("libc6", "2.36-9", "1", "arm64"),
                deb("zlib1g", "1:1.2.13.dfsg-1", "2"),
                deb("libc6", "2.36-9", "3"),
            )
        },
    ),
    (
        "OS packages that are only needed to build",
        (LINUX,),
        {
            "os": replace(
                layer(deb("libc6", "2.36-9", "1")),
                build_packages=(deb("make", "4.3-4.1", "5"), deb("gcc", "4:12.2.0-3", "4")),
            )
        },
    ),
    (
        "an archive of Python for one of two targets",
        (LINUX, MACOS),
        {"standalone": (standalone(MACOS, "3.12.4"),)},
    ),
    (
        "an OS layer and an archive of Python",
        (LINUX,),
        {"os": layer(deb("libc6", "2.36-9", "1")), "standalone": (standalone(LINUX, "3.11.5"),)},
    ),
)


def vector(
    name: str, targets: tuple[Target, ...], packages: tuple[PythonPackage, ...], **more: Any
) -> dict[str, Any]:
    """One test vector; ``more`` are further parts of the lock."""
    return _described(name, replace(_lock(targets, packages), **more))


def toolchain_vector(name: str, parts: dict[str, Any]) -> dict[str, Any]:
    """One test vector with a toolchain and no packages."""
    lock = replace(_lock((LINUX,), ()), **parts)
    content = toolchain_content(lock)
    return _described(name, lock) | {
        "toolchain-content": content,
        "toolchain-canonical": canonical_json(content).decode(),
        "toolchain": environment_hash(lock).toolchain,
    }


def _lock(targets: tuple[Target, ...], packages: tuple[PythonPackage, ...]) -> Lock:
    return Lock(
        as_of=datetime(2024, 1, 1, tzinfo=UTC),
        engine="uv",
        request=Request(targets=targets),
        targets=targets,
        packages=packages,
    )


def _described(name: str, lock: Lock) -> dict[str, Any]:
    content = python_content(lock)
    hashed = environment_hash(lock)
    found: dict[str, Any] = {
        "name": name,
        "content": content,
        "canonical": canonical_json(content).decode(),
        "python": hashed.python,
    }
    if lock.os is not None:
        found["os-content"] = os_content(lock.os)
        found["os-canonical"] = canonical_json(os_content(lock.os)).decode()
        found["os"] = hashed.os
    return found | {"root": hashed.root}


def render() -> str:
    """The file's text."""
    vectors = [vector(*case) for case in CASES]
    vectors += [toolchain_vector(*case) for case in TOOLCHAINS]
    vectors += [vector(name, targets, (), **more) for name, targets, more in LAYERS]
    return json.dumps(vectors, indent=1, ensure_ascii=True) + "\n"


def main() -> None:
    """Write the file."""
    OUTPUT.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
