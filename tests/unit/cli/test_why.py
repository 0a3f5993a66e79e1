"""``envlock why`` names every requirement that leads to a package, and the shortest way."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from support.samples import IMAGE, package, small_lock

LOCK = small_lock(
    package("app", needs=("lib",)),
    package("other", needs=("app", "lib")),
    package("lib", "2.0", needs=("base",)),
    package("base", marker="sys_platform == 'linux'"),
    package("stray"),
    wishes=("app>=1", "other"),
)


def test_the_shortest_chain_from_each_requirement(envlock: Any) -> None:
    ran = envlock("why", "Base", lock=LOCK)
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "base 1.0  ; sys_platform == 'linux'",
        "  app>=1 → app 1.0 → lib 2.0 → base 1.0",
        "  other → other 1.0 → lib 2.0 → base 1.0",
    ]


def test_as_json(envlock: Any) -> None:
    assert envlock("why", "lib", "--json", lock=LOCK).json == {
        "package": "lib",
        "versions": ["2.0"],
        "builds": [],
        "chains": [
            {
                "requirement": "app>=1",
                "packages": [{"name": "app", "version": "1.0"}, {"name": "lib", "version": "2.0"}],
            },
            {
                "requirement": "other",
                "packages": [
                    {"name": "other", "version": "1.0"},
                    {"name": "lib", "version": "2.0"},
                ],
            },
        ],
    }


def test_a_package_that_nothing_leads_to_is_said_to_be_so(envlock: Any) -> None:
    assert "no requirement of the project leads to it" in envlock("why", "stray", lock=LOCK).out


def test_an_unknown_package_names_the_nearest(envlock: Any) -> None:
    ran = envlock("why", "bsae", lock=LOCK)
    assert (ran.code, ran.out) == (2, "")
    assert "bsae is not in the lock" in ran.err
    assert "nearest: base" in ran.err


def test_the_base_image(envlock: Any) -> None:
    lock = replace(LOCK, image=IMAGE)
    for name in ("image", "debian", "library/debian:bookworm-slim", IMAGE.reference, IMAGE.digest):
        lines = envlock("why", name, lock=lock).out.splitlines()
        assert lines[0] == f"{IMAGE.reference} {IMAGE.digest}"
        assert lines[1].startswith("  image.base: ")
    assert json.loads(envlock("why", "image", "--json", lock=lock).out)["image"]["platforms"]
