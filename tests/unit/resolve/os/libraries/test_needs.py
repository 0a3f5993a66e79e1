"""What the wheels of a lock need together: siblings, targets, the wheel an installer takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.elf import ARM64, shared_object
from support.packages import make_wheel
from support.samples import AS_OF

from envlock.io.http.client import Http
from envlock.io.progress import SilentReporter
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage
from envlock.lock.package import Archive, Artifact, Dependency, PythonPackage
from envlock.lock.request import Request
from envlock.lock.target import parse_target
from envlock.resolve.os.libraries.needs import Needs, finder, glibc_minor
from envlock.resolve.os.libraries.wheels import WheelReader

LINUX = "cp311-cp311-manylinux_2_17_x86_64"


class Wheels:
    """Wheels in a folder, locked by path."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def package(
        self,
        name: str,
        files: Mapping[str, bytes] | None = None,
        *,
        tags: Mapping[str, Mapping[str, bytes]] | None = None,
        below: Iterable[str] = (),
        **values: Any,
    ) -> PythonPackage:
        """One package: a wheel with ``files``, or one for each of ``tags``."""
        made = tags or {LINUX: files or {}}
        return PythonPackage(
            name=name,
            version="1",
            dependencies=tuple(Dependency(name=other) for other in below),
            wheels=tuple(self.wheel(name, tag, content) for tag, content in made.items()),
            **values,
        )

    def wheel(
        self, name: str, tag: str, files: Mapping[str, bytes], build: str | None = None
    ) -> Artifact:
        filename, content = make_wheel(name, "1", tag=tag, files=files, build=build)
        (self.root / filename).write_bytes(content)
        return Artifact(
            name=filename,
            path=filename,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
        )

    def needs(
        self,
        *packages: PythonPackage,
        architecture: str = "amd64",
        targets: Iterable[str] = ("linux/amd64@3.11",),
        ignore: Iterable[str] = (),
        libc: str = "2.36-9+deb12u10",
    ) -> Needs:
        aims = tuple(parse_target(target) for target in targets)
        request = Request(targets=aims, os_ignore_libraries=tuple(ignore))
        lock = Lock(as_of=AS_OF, engine="uv", request=request, targets=aims, packages=packages)
        with Http() as http:
            reader = WheelReader(http, lambda _: None, SilentReporter())
            return finder(lock, reader, self.root)(architecture, [libc6(libc, architecture)])

    def found(self, *packages: PythonPackage, **options: Any) -> dict[str, tuple[str, ...]]:
        """Soname → the packages that need it."""
        return {need.soname: need.wheels for need in self.needs(*packages, **options).libraries}


def libc6(version: str, architecture: str = "amd64") -> OsPackage:
    return OsPackage(
        architecture=architecture,
        name="libc6",
        version=version,
        sha256="0" * 64,
        size=1,
        file_name="x",
        suite="bookworm",
        source="glibc",
        source_version=version,
    )


@pytest.fixture
def wheels(tmp_path: Path) -> Wheels:
    return Wheels(tmp_path)


def test_who_needs_what(wheels: Wheels) -> None:
    one = wheels.package("one", {"one/a.so": shared_object("libGL.so.1", "libz.so.1")})
    two = wheels.package("two", {"two/a.so": shared_object("libz.so.1")})
    assert wheels.found(one, two) == {"libGL.so.1": ("one",), "libz.so.1": ("one", "two")}
    assert wheels.found(one, two, ignore=["libz.so.1"]) == {"libGL.so.1": ("one",)}


def test_a_dependency_brings_its_libraries_through_any_number_of_steps(wheels: Wheels) -> None:
    torch = wheels.package("torch", {"torch/a.so": shared_object("libcublas.so.12")}, below=["all"])
    middle = wheels.package("all", tags={"py3-none-any": {}}, below=["nvidia", "torch"])
    nvidia = wheels.package("nvidia", {"nvidia/lib/libcublas.so.12": shared_object()})
    assert wheels.found(torch, middle, nvidia) == {}
    alone = replace(torch, dependencies=())
    assert wheels.found(alone, middle, nvidia) == {"libcublas.so.12": ("torch",)}


def test_another_wheel_brings_what_an_rpath_leads_to(wheels: Wheels) -> None:
    plugin = shared_object("libQt6Extra.so.6", runpath="$ORIGIN/../../lib")
    addons = wheels.package("addons", {"PySide6/Qt/lib/libQt6Extra.so.6": shared_object()})
    there = wheels.package("essentials", {"PySide6/Qt/plugins/x/p.so": plugin})
    assert wheels.found(there, addons) == {}
    elsewhere = wheels.package("essentials", {"PySide6/Qt/p.so": plugin})
    assert wheels.found(elsewhere, addons) == {"libQt6Extra.so.6": ("essentials",)}
    one_of_two = {"PySide6/Qt/plugins/x/p.so": plugin, "PySide6/Qt/p.so": plugin}
    both = wheels.package("essentials", one_of_two)
    assert wheels.found(both, addons) == {"libQt6Extra.so.6": ("essentials",)}


def test_the_wheel_that_the_base_can_run_counts(wheels: Wheels) -> None:
    tags = {
        "cp311-cp311-manylinux_2_17_x86_64": {"a/a.so": shared_object("libold.so.1")},
        "cp311-cp311-manylinux_2_35_x86_64": {"a/a.so": shared_object("libnew.so.1")},
        "cp312-cp312-manylinux_2_17_x86_64": {"a/a.so": shared_object("libother.so.1")},
        "cp311-cp311-win_amd64": {"a/a.so": shared_object("libwindows.so.1")},
    }
    package = wheels.package("a", tags=tags)
    assert wheels.found(package) == {"libnew.so.1": ("a",)}
    assert wheels.found(package, libc="2.31-13+deb11u11") == {"libold.so.1": ("a",)}
    both = wheels.found(package, targets=["linux/amd64@3.11", "linux/amd64@3.12"])
    assert set(both) == {"libnew.so.1", "libother.so.1"}


def test_a_higher_build_number_goes_first(wheels: Wheels) -> None:
    first = wheels.wheel("a", LINUX, {"a/a.so": shared_object("libold.so.1")}, build="2")
    second = wheels.wheel("a", LINUX, {"a/a.so": shared_object("libnew.so.1")}, build="10")
    package = PythonPackage(name="a", version="1", wheels=(first, second))
    assert wheels.found(package) == {"libnew.so.1": ("a",)}


def test_a_wheel_for_any_platform_is_not_even_read(wheels: Wheels) -> None:
    pure = wheels.package("a", tags={"py3-none-any": {"a/a.so": shared_object("libx.so.1")}})
    (wheels.root / pure.wheels[0].name).unlink()
    assert wheels.found(pure) == {}


def test_each_architecture_by_itself(wheels: Wheels) -> None:
    tags = {
        "cp311-cp311-manylinux_2_17_x86_64": {"a/a.so": shared_object("libx.so.1")},
        "cp311-cp311-manylinux_2_17_aarch64": {
            "a/a.so": shared_object("liby.so.1", machine=ARM64),
        },
    }
    targets = ["linux/amd64@3.11", "linux/arm64@3.11"]
    package = wheels.package("a", tags=tags)
    assert set(wheels.found(package, targets=targets)) == {"libx.so.1"}
    assert set(wheels.found(package, targets=targets, architecture="arm64")) == {"liby.so.1"}


def test_a_marker_leaves_a_package_out(wheels: Wheels) -> None:
    elsewhere = wheels.package(
        "a", {"a/a.so": shared_object("libx.so.1")}, marker="sys_platform == 'win32'"
    )
    assert wheels.found(elsewhere) == {}


def test_a_wheel_given_by_path_counts(wheels: Wheels) -> None:
    wheel = wheels.wheel("a", LINUX, {"a/a.so": shared_object("libx.so.1")})
    archive = Archive(path=wheel.path, sha256=wheel.sha256, size=wheel.size)
    assert wheels.found(PythonPackage(name="a", version="1", archive=archive)) == {
        "libx.so.1": ("a",)
    }


@pytest.mark.parametrize(
    ("version", "minor"), [("2.36-9+deb12u10", 36), ("2.39-0ubuntu8", 39), ("1:2.41-1", 41)]
)
def test_the_base_says_which_glibc_it_has(version: str, minor: int) -> None:
    assert glibc_minor("amd64", [libc6(version)]) == minor
