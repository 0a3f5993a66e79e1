"""What is said of missing libraries, and which existing layer answers for other wheels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from envlock.lock.os import OsLayer, OsLibrary, OsPackage
from envlock.resolve.os.libraries.advice import additions, notes, renewed
from envlock.resolve.os.libraries.needs import Finder, Need, Needs


def package(name: str, architecture: str = "amd64", **values: Any) -> OsPackage:
    return OsPackage(
        architecture=architecture,
        name=name,
        version="1",
        sha256="0" * 64,
        size=1,
        file_name="x",
        suite="bookworm",
        source=name,
        source_version="1",
        **values,
    )


def library(
    soname: str, provider: str | None, *wheels: str, architecture: str = "amd64"
) -> OsLibrary:
    return OsLibrary(architecture=architecture, soname=soname, package=provider, wheels=wheels)


def layer(packages: Iterable[OsPackage], *libraries: OsLibrary) -> OsLayer:
    return OsLayer(
        base="debian:bookworm", archives=(), packages=tuple(packages), libraries=libraries
    )


def needing(wheels_of: dict[str, tuple[str, ...]]) -> Finder:
    libraries = tuple(
        Need(soname=soname, wheels=wheels, partly_read=False)
        for soname, wheels in sorted(wheels_of.items())
    )
    return lambda architecture, packages: Needs(libraries=libraries, unread=())


def test_one_line_for_each_package_whatever_needs_it() -> None:
    found = layer(
        [package("libz"), package("libz", "arm64")],
        library("libz.so.1", "libz", "a"),
        library("libGL.so.1", "libgl1", "opencv-python"),
        library("libGL.so.1", "libgl1", "opencv-python", architecture="arm64"),
        library("libglib-2.0.so.0", "libglib2.0-0", "a", "b", "c", "d", "e"),
        library("libgthread-2.0.so.0", "libglib2.0-0", "a"),
        library("libcuda.so.1", None, "torch"),
    )
    assert list(notes(found)) == [
        'opencv-python needs libGL.so.1: add "libgl1" to packages in [tool.envlock.os]',
        "a, b, c and 2 more need libglib-2.0.so.0 and libgthread-2.0.so.0:"
        ' add "libglib2.0-0" to packages in [tool.envlock.os]',
        "auto = true in [tool.envlock.os] adds what is missing by itself",
        "no package of debian:bookworm has libcuda.so.1 (for torch)",
    ]


def test_nothing_missing_nothing_said() -> None:
    found = layer([package("libz")], library("libz.so.1", "libz", "a"))
    assert list(notes(found)) == []
    unread = replace(found, unread=("torch: torch/lib/a.so", "torch: torch/lib/b.so"))
    assert list(notes(unread)) == ["not looked into, being too large: 2 files of torch"]


def test_missing_on_one_architecture_is_missing() -> None:
    found = layer(
        [package("libz", "arm64")],
        library("libz.so.1", "libz", "a"),
        library("libz.so.1", "libz", "a", architecture="arm64"),
    )
    assert [entry.architecture for entry in found.missing] == ["amd64"]


def test_what_is_added_and_for_whom() -> None:
    libraries = [
        library("liba.so.1", "one", "x"),
        library("libb.so.1", "one", "y", "x"),
        library("libc.so.1", "there", "x"),
        library("libd.so.1", None, "x"),
    ]
    assert additions(libraries, {"there"}) == {"one": ("x", "y")}


def test_known_libraries_need_no_archive() -> None:
    old = layer([package("libz")], library("libz.so.1", "libz", "a"))
    new = renewed(old, needing({"libz.so.1": ("a", "b")}))
    assert new == replace(old, libraries=(library("libz.so.1", "libz", "a", "b"),))
    assert renewed(old, needing({})) == replace(old, libraries=())
    assert renewed(old, needing({"libz.so.1": ("a",), "libGL.so.1": ("a",)})) is None


def test_another_set_of_added_packages_needs_the_archive() -> None:
    old = layer(
        [package("libgl1", via_wheels=("a",)), package("libz")],
        library("libGL.so.1", "libgl1", "a"),
        library("libz.so.1", "libz", "a"),
    )
    both = {"libGL.so.1": ("b",), "libz.so.1": ("a",)}
    new = renewed(old, needing(both))
    assert new is not None
    assert new.packages[0].via_wheels == ("b",)
    assert renewed(old, needing({"libz.so.1": ("a",)})) is None
