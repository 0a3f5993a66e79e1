"""``envlock why`` on packages of the distribution: libraries that wheels need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support.samples import package, small_lock

from envlock.lock.os import OsLayer, OsLibrary, OsPackage


def _os_package(name: str, **values: Any) -> OsPackage:
    return OsPackage(
        architecture="amd64",
        name=name,
        version="1.6",
        sha256="0" * 64,
        size=1,
        file_name="x",
        suite="bookworm",
        source=name,
        source_version="1.6",
        **values,
    )


LOCK = replace(
    small_lock(package("opencv-python"), wishes=("opencv-python",)),
    os=OsLayer(
        base="debian:bookworm",
        archives=(),
        packages=(
            _os_package("libgl1", via_wheels=("opencv-python",)),
            _os_package("libx11-6", via=("libgl1",)),
        ),
        libraries=(
            OsLibrary(
                architecture="amd64",
                soname="libGL.so.1",
                package="libgl1",
                wheels=("opencv-python",),
            ),
            OsLibrary(
                architecture="amd64", soname="libXext.so.6", package="libxext6", wheels=("a", "b")
            ),
            OsLibrary(architecture="amd64", soname="libcuda.so.1", wheels=("torch",)),
        ),
    ),
)


def lines(envlock: Any, name: str) -> list[str]:
    ran = envlock("why", name, lock=LOCK)
    assert ran.code == 0
    found: list[str] = ran.out.splitlines()
    return found


def test_a_package_that_is_there_for_wheels(envlock: Any) -> None:
    assert lines(envlock, "libgl1") == [
        "libgl1 1.6 (debian:bookworm, amd64)",
        "  libraries for opencv-python → libgl1 1.6",
        "libGL.so.1 (amd64): libgl1",
        "  needed by opencv-python",
    ]
    assert lines(envlock, "libx11-6")[1] == (
        "  libraries for opencv-python → libgl1 1.6 → libx11-6 1.6"
    )


def test_a_package_that_is_missing_and_one_that_nobody_has(envlock: Any) -> None:
    missing = ["libXext.so.6 (amd64): libxext6, which is not locked", "  needed by a, b"]
    assert lines(envlock, "libxext6") == missing
    assert lines(envlock, "libXext.so.6") == missing
    assert lines(envlock, "libcuda.so.1") == [
        "libcuda.so.1 (amd64): no package of debian:bookworm",
        "  needed by torch",
    ]


def test_as_json(envlock: Any) -> None:
    entry = {"architecture": "amd64", "soname": "libGL.so.1", "package": "libgl1"}
    assert envlock("why", "libgl1", "--json", lock=LOCK).json == {
        "package": "libgl1",
        "base": "debian:bookworm",
        "versions": ["1.6"],
        "chains": [
            {
                "architecture": "amd64",
                "build": False,
                "requested": False,
                "wheels": ["opencv-python"],
                "packages": [{"name": "libgl1", "version": "1.6"}],
            }
        ],
        "libraries": [{**entry, "wheels": ["opencv-python"]}],
    }
    assert envlock("why", "libxext6", "--json", lock=LOCK).json["chains"] == []


def test_the_tree_has_them_at_its_top(envlock: Any) -> None:
    shown = envlock("tree", lock=LOCK).out
    assert "└── libgl1 1.6\n    └── libx11-6 1.6" in shown
