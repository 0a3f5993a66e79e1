"""The flake's files: complete, the same each time, and refused where they could not be right."""

from __future__ import annotations

import ast
import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from support.samples import LINUX, MACOS, WINDOWS, digest, package, sdist, small_lock, wheel

from envlock.errors import UsageError
from envlock.export.nix.content import output_name
from envlock.export.nix.exporter import STATIC, NixExporter
from envlock.lock import codec
from envlock.lock.builds import Build, BuildPin
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer, OsLibrary, OsPackage
from envlock.lock.package import Archive, Artifact, Directory, PythonPackage, Vcs
from envlock.lock.target import Target
from envlock.lock.toolchain import Found, Nixpkgs

NIXPKGS = Nixpkgs(
    branch="nixos-25.11",
    rev="1" * 40,
    last_modified=datetime(2024, 5, 1, tzinfo=UTC),
    nar_hash="sha256-" + "A" * 43 + "=",
    found=Found.TABLE,
)


def lock_of(*packages: PythonPackage, targets: tuple[Target, ...] = (LINUX,)) -> Lock:
    lock = small_lock(*packages, wishes=[p.name for p in packages[:1]])
    request = dataclasses.replace(lock.request, targets=targets)
    return dataclasses.replace(lock, request=request, targets=targets, nixpkgs=NIXPKGS)


def data(lock: Lock, target: Target | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(NixExporter().export(lock, target)["env.json"])
    return found


def refused(lock: Lock, target: Target | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        NixExporter().export(lock, target)
    return caught.value


LOCK = lock_of(package("aa"), package("bb"))


def test_it_is_a_flake_with_one_input() -> None:
    files = NixExporter().export(LOCK)
    assert set(files) == {*STATIC, "env.json", "flake.lock", "flake.nix", "lock.toml"}
    flake = files["flake.nix"].decode()
    assert f'inputs.nixpkgs.url = "github:NixOS/nixpkgs/{"1" * 40}";' in flake
    assert flake.count("inputs") == 1
    assert environment_hash(LOCK).root in flake
    assert files["lock.toml"].decode() == codec.dump(LOCK)


@pytest.mark.parametrize("name", [name for name in STATIC if name.endswith(".py")])
def test_scripts_run_on_old_pythons(name: str) -> None:
    """Locks may be for Python 3.8, and these run on the locked one."""
    ast.parse(NixExporter().export(LOCK)[name], feature_version=(3, 8))


def test_flake_lock_pins_what_the_lock_does() -> None:
    found = json.loads(NixExporter().export(LOCK)["flake.lock"])
    assert list(found["nodes"]) == ["nixpkgs", "root"]
    assert found["nodes"]["nixpkgs"]["locked"] == {
        "lastModified": 1714521600,
        "narHash": NIXPKGS.nar_hash,
        "owner": "NixOS",
        "repo": "nixpkgs",
        "rev": "1" * 40,
        "type": "github",
    }


def test_the_order_of_entries_changes_nothing() -> None:
    other = dataclasses.replace(LOCK, packages=LOCK.packages[::-1])
    assert NixExporter().export(other) == NixExporter().export(LOCK)


def test_without_nixpkgs_it_says_what_to_add() -> None:
    error = refused(dataclasses.replace(LOCK, nixpkgs=None))
    assert error.exit_code == 2
    assert error.remedy
    assert "[tool.envlock.nix]" in error.remedy


def test_one_output_for_each_target_of_nix() -> None:
    newer = Target(platform="linux/amd64", python="3.12")
    exact = Target(platform="linux/amd64", python="3.11.7")
    lock = lock_of(package("aa"), targets=(LINUX, newer, exact, MACOS, WINDOWS))
    found = data(lock)
    assert found["systems"] == ["aarch64-darwin", "x86_64-linux"]
    assert [(t["target"], t["system"], t["prefix"]) for t in found["targets"]] == [
        (LINUX.key, "x86_64-linux", "python311"),
        (exact.key, "x86_64-linux", "python3_11_7"),
        (newer.key, "x86_64-linux", None),
        (MACOS.key, "aarch64-darwin", None),
    ]
    assert [t["python"]["version"] for t in found["targets"]] == [None, "3.11.7", None, "3.12.4"]
    names = ("environment", "image")
    assert [output_name(lock, newer, name) for name in names] == ["default", "image"]
    assert [output_name(lock, LINUX, name) for name in names] == ["python311", "python311-image"]
    assert [t["target"] for t in data(lock, MACOS)["targets"]] == [MACOS.key]


def test_windows_alone_is_refused() -> None:
    assert "Nix has no windows/amd64" in refused(lock_of(package("aa"), targets=(WINDOWS,))).what
    both = lock_of(package("aa"), targets=(LINUX, WINDOWS))
    assert "Nix has no windows/amd64" in refused(both, WINDOWS).what


def test_packages_are_those_of_the_target() -> None:
    mac = package("mac", marker="sys_platform == 'darwin'")
    found = data(lock_of(package("aa"), mac, targets=(LINUX, MACOS)))
    assert [[w["name"] for w in t["wheels"]] for t in found["targets"]] == [["aa"], ["aa", "mac"]]
    assert found["targets"][0]["imports"] == ["aa"]


def sdist_only(name: str) -> PythonPackage:
    return PythonPackage(name=name, version="1.0", sdist=sdist(name, "1.0"))


def test_what_nothing_says_how_to_build_is_named_with_the_command() -> None:
    error = refused(lock_of(package("aa"), sdist_only("native"), sdist_only("other")))
    assert "native 1.0, other 1.0" in error.what
    assert LINUX.key in error.what
    assert error.remedy
    assert "sources = true" in error.remedy
    assert "envlock lock" in error.remedy


def build(found: PythonPackage, *pins: BuildPin, programs: tuple[str, ...] = ()) -> Build:
    assert found.sdist is not None
    return Build(
        package=found.name,
        version=str(found.version),
        sdist=found.sdist.sha256,
        backend="tools",
        pins=pins,
        programs=programs,
    )


def test_an_sdist_with_its_build() -> None:
    native = sdist_only("native")
    pins = (
        BuildPin(name="tools", version="1.0"),
        BuildPin(name="mac", version="1.0", marker="sys_platform == 'darwin'"),
    )
    lock = dataclasses.replace(
        lock_of(native),
        builds=(build(native, *pins, programs=("gcc", "cmake")),),
        build_packages=(package("tools"), package("mac")),
    )
    [target] = data(lock)["targets"]
    [entry] = target["wheels"]
    assert (entry["wheel"], entry["build"]) == (None, "native==1.0")
    recipe = target["builds"]["native==1.0"]
    assert [found["name"] for found in target["graphs"][recipe["graph"]]] == ["tools"]
    # A compiler is there in any case.
    assert [program["attributes"] for program in recipe["programs"]] == [[["cmake"]]]
    assert target["from-source"] == [
        {"name": "native", "origin": "source", "reason": None, "version": "1.0"}
    ]


def test_what_stays_a_wheel_is_said_with_the_reason() -> None:
    both = dataclasses.replace(package("both"), sdist=sdist("both", "1.0"))
    odd = dataclasses.replace(package("odd"), sdist=sdist("odd", "1.0", "c"))
    lock = dataclasses.replace(
        lock_of(package("aa"), both, odd), builds=(build(odd, programs=("no-such-program",)),)
    )
    [target] = data(lock)["targets"]
    assert {found["name"]: found["reason"] for found in target["from-source"]} == {
        "aa": "there is no sdist",
        "both": "the lock does not say what building it needs",
        "odd": "its build needs no-such-program, of which no name in nixpkgs is known",
    }
    request = dataclasses.replace(lock.request, build_exceptions=("both",))
    [target] = data(dataclasses.replace(lock, request=request))["targets"]
    [reason] = [found["reason"] for found in target["from-source"] if found["name"] == "both"]
    assert reason == "the project declines to build it (build-exceptions)"
    # Where only the build would do, it is an error.
    sole = dataclasses.replace(odd, wheels=())
    assert "no-such-program" in refused(dataclasses.replace(lock, packages=(sole,))).what


def test_another_sdist_than_the_built_one_is_not_built() -> None:
    native = sdist_only("native")
    other = dataclasses.replace(build(native), sdist=digest("f"))
    lock = dataclasses.replace(lock_of(native), builds=(other,))
    assert "native 1.0" in refused(lock).what


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (
            PythonPackage(
                name="x", vcs=Vcs(kind="git", url="https://git.example.org/x", commit="c" * 40)
            ),
            "comes from git",
        ),
        (PythonPackage(name="x", directory=Directory(path=".")), "is the source folder '.'"),
        (
            PythonPackage(name="x", version="1", archive=Archive(path="x.whl", sha256=digest("a"))),
            "is a file in a local folder",
        ),
        (
            PythonPackage(
                name="x",
                version="1",
                wheels=(Artifact(name="x-1-py3-none-any.whl", path="w/x.whl", sha256=digest("a")),),
            ),
            "is a file in a local folder",
        ),
    ],
)
def test_what_has_no_address_is_refused(found: PythonPackage, what: str) -> None:
    assert what in refused(lock_of(found)).what


def test_an_archive_that_is_a_wheel() -> None:
    url = "https://files.example.org/x-1-py3-none-any.whl?a=b#sha1=c"
    found = PythonPackage(name="x", version="1", archive=Archive(url=url, sha256=digest("a")))
    [entry] = data(lock_of(found))["targets"][0]["wheels"]
    assert entry["wheel"] == {"name": "x-1-py3-none-any.whl", "sha256": digest("a"), "url": url}


def os_lock(*names: str, called: tuple[str, ...] = ()) -> Lock:
    packages = tuple(
        OsPackage(
            architecture="amd64",
            name=name,
            version="1",
            sha256=digest("a"),
            size=1,
            file_name=f"pool/{name}.deb",
            suite="bookworm",
            source=name,
            source_version="1",
            requested=name != "pulled-in",
        )
        for name in names
    )
    layer = OsLayer(base="debian:bookworm", archives=(), packages=packages)
    nixpkgs = dataclasses.replace(NIXPKGS, names=called)
    return dataclasses.replace(
        lock_of(package("aa"), targets=(LINUX, MACOS)), os=layer, nixpkgs=nixpkgs
    )


def test_os_packages_by_their_names_in_nixpkgs() -> None:
    lock = os_lock("graphviz", "libgl1", "mine", "libc6", "pulled-in", called=("mine=a.b",))
    linux, mac = data(lock)["targets"]
    assert [found["attributes"] for found in linux["packages"]] == [
        [["graphviz"]],
        [["libGL"]],
        [["a", "b"]],
    ]
    assert mac["packages"] == [], "the OS layer is Linux's"


def needing(lock: Lock, **libraries: str | None) -> Lock:
    """The lock, whose wheels need these libraries: soname (dots as underscores) → package."""
    assert lock.os is not None
    found = tuple(
        OsLibrary(
            architecture="amd64",
            soname=soname.replace("_", "."),
            package=provider,
            wheels=("aa",),
        )
        for soname, provider in libraries.items()
    )
    return dataclasses.replace(lock, os=dataclasses.replace(lock.os, libraries=found))


def test_libraries_that_wheels_need_of_the_system() -> None:
    lock = needing(
        os_lock("graphviz"),
        libGL_so_1="libgl1",
        libgomp_so_1="libgomp1",
        libcuda_so_1=None,
    )
    linux, _mac = data(lock)["targets"]
    assert [found["attributes"][0] for found in linux["packages"]] == [
        ["graphviz"],
        ["libGL"],
        ["stdenv", "cc", "cc", "lib"],
    ]
    assert "libcuda.so.1" in linux["host-libraries"]


def test_a_library_that_no_package_provides() -> None:
    lock = needing(os_lock("graphviz"), libodd_so_3=None)
    error = refused(lock)
    assert "libodd.so.3, which aa needs" in error.what
    assert error.remedy
    assert 'ignore-libraries = ["libodd.so.3"]' in error.remedy
    request = dataclasses.replace(lock.request, os_ignore_libraries=("libodd.so.3",))
    ignored = dataclasses.replace(os_lock("graphviz"), request=request)
    assert "libodd.so.3" in data(ignored)["targets"][0]["host-libraries"]


def test_an_unknown_os_package_names_the_line_to_add() -> None:
    error = refused(os_lock("no-such-thing"))
    assert "no-such-thing" in error.what
    assert error.remedy
    assert 'names = { "no-such-thing" = ' in error.remedy


def test_a_nul_is_refused() -> None:
    both = sdist_only("native")
    lock = dataclasses.replace(
        lock_of(both), builds=(dataclasses.replace(build(both), backend="a\0b"),)
    )
    assert "NUL" in refused(lock).what
    url = dataclasses.replace(wheel("aa", "1"), url="https://files.example.org/a\0")
    assert "NUL" in refused(lock_of(dataclasses.replace(package("aa"), wheels=(url,)))).what
