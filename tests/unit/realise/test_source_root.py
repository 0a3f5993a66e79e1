"""What a root to build in is made of, and named by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.samples import os_package, small_lock

from envlock.io.interpreters import Interpreter
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer
from envlock.realise.source.root import (
    kept_root,
    locked_glibc,
    root_digest,
    root_packages,
    shown_of,
)

BASE = "debian:bookworm"


def locked(*to_build: str) -> Lock:
    packages = tuple(os_package(name) for name in ("dash", "libc6"))
    foreign = os_package("gcc", architecture="arm64", sha256="a" * 64)
    layer = OsLayer(
        base=BASE,
        archives=(),
        packages=packages,
        build_packages=(foreign, *(os_package(name) for name in to_build)),
    )
    return replace(small_lock(), os=layer)


def test_a_root_has_what_runs_and_what_builds_of_one_architecture() -> None:
    found = root_packages(locked("gcc", "binutils"), "amd64")
    assert [(p.name, p.architecture) for p in found] == [
        (name, "amd64") for name in ("binutils", "dash", "gcc", "libc6")
    ]
    assert root_packages(locked(), "amd64") == ()
    assert root_packages(small_lock(), "amd64") == ()


def test_its_name_follows_from_digests_alone() -> None:
    packages = root_packages(locked("gcc"), "amd64")
    name = root_digest(BASE, packages)
    elsewhere = [replace(p, file_name="x.deb", suite="other", size=1) for p in packages]
    assert root_digest(BASE, elsewhere[::-1]) == name
    assert root_digest("debian:trixie", packages) != name
    assert root_digest(BASE, packages[1:]) != name
    assert root_digest(BASE, [replace(packages[0], sha256="b" * 64), *packages[1:]]) != name


def test_half_a_root_is_none() -> None:
    from envlock.io.paths import cache_dir

    packages = root_packages(locked("gcc"), "amd64")
    place = cache_dir() / "build-roots" / root_digest(BASE, packages)
    assert kept_root(BASE, packages) is None
    (place / "root").mkdir(parents=True)
    assert kept_root(BASE, packages) is None
    (place / "made.json").write_text('{"packages": 3, "scr')
    assert kept_root(BASE, packages) is None
    (place / "made.json").write_text('{"packages": 3, "scripts": true}')
    found = kept_root(BASE, packages)
    assert found is not None
    assert (found.folder, found.packages, found.scripts) == (place / "root", 3, True)


@pytest.mark.parametrize(
    ("version", "minor"), [("2.36-9+deb12u10", 36), ("2.41-12", 41), ("2-1", 0)]
)
def test_the_c_library_of_the_packages(version: str, minor: int) -> None:
    assert locked_glibc([os_package("dash"), os_package("libc6", version=version)]) == minor
    assert locked_glibc([os_package("musl", version=version)]) == 0


def interpreter(prefix: Path) -> Interpreter:
    return Interpreter(
        executable=prefix / "bin/python3.11",
        version="3.11.7",
        implementation="cpython",
        platform="linux/amd64",
        prefix=prefix,
        base_prefix=prefix,
        purelib=prefix,
        platlib=prefix,
    )


def test_a_python_of_its_own_folder_is_shown_whole(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3.11").touch()
    path, shown = shown_of(interpreter(tmp_path))
    assert path == tmp_path / "bin/python3.11"
    assert [(one.source, one.target, one.writable) for one in shown] == [
        (tmp_path, str(tmp_path), False)
    ]


def test_of_a_python_among_programs_nothing_else_is_shown() -> None:
    _, shown = shown_of(interpreter(Path("/usr")))
    assert all("3.11" in one.target for one in shown)
    _, shown = shown_of(interpreter(Path("/nix/store/0-python3-3.11.7")))
    assert [one.target for one in shown] == ["/nix/store"]
