"""``envlock tree`` shows each package under those that need it, and always ends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.samples import IMAGE, package, small_lock

from envlock.cli.tree import rows
from envlock.lock.graph.python import needs
from envlock.lock.model import Lock

LOCK = small_lock(
    package("app", needs=("base", "lib")),
    package("base", needs=("lib",)),
    package("lib", "2.0", needs=("loop",)),
    package("loop", needs=("lib",)),
    package("tool", marker="sys_platform == 'linux'"),
    wishes=("tool", "app"),
)


def test_the_whole_tree(envlock: Any) -> None:
    assert envlock("tree", lock=LOCK).out.splitlines() == [
        "app 1.0",
        "├── base 1.0",
        "│   └── lib 2.0",
        "│       └── loop 1.0",
        "│           └── lib 2.0 (cycle)",
        "└── lib 2.0 (*)",
        "tool 1.0  ; sys_platform == 'linux'",
    ]


def test_only_so_deep(envlock: Any) -> None:
    assert envlock("tree", "--depth", "0", lock=LOCK).out.splitlines() == [
        "app 1.0",
        "tool 1.0  ; sys_platform == 'linux'",
    ]
    assert envlock("tree", "--depth", "1").out.splitlines()[1:3] == ["├── base 1.0", "└── lib 2.0"]


def test_as_json_it_is_a_graph(envlock: Any) -> None:
    found = {p["name"]: p for p in envlock("tree", "--json", lock=LOCK).json["packages"]}
    assert list(found) == ["app", "base", "lib", "loop", "tool"]
    assert found["app"] == {
        "name": "app",
        "version": "1.0",
        "marker": None,
        "requirements": ["app"],
        "dependencies": [{"name": "base", "version": "1.0"}, {"name": "lib", "version": "2.0"}],
    }
    assert found["lib"]["requirements"] == []
    shallow = envlock("tree", "--json", "--depth", "0").json["packages"]
    assert [p["name"] for p in shallow] == ["app", "tool"]


def test_an_empty_lock_is_an_empty_tree(envlock: Any) -> None:
    assert envlock("tree", lock=small_lock()).out == ""


def test_a_chain_longer_than_the_stack(envlock: Any) -> None:
    names = [f"p{number:05}" for number in range(3000)]
    chain = [
        package(name, needs=(after,))
        for name, after in zip(names, [*names[1:], names[0]], strict=True)
    ]
    tree = rows(small_lock(*chain, wishes=(names[0],)), None)
    assert len(tree) == 3001
    assert tree[-1].mark == "cycle"


@st.composite
def graphs(draw: st.DrawFn) -> Lock:
    names = [f"p{number}" for number in range(draw(st.integers(1, 7)))]
    packages = [package(n, needs=draw(st.sets(st.sampled_from(names)))) for n in names]
    return small_lock(*packages, wishes=draw(st.sets(st.sampled_from(names))))


@given(lock=graphs())
def test_every_package_and_every_dependency_is_shown_once_whole(lock: Lock) -> None:
    tree = rows(lock, None)
    assert {row.package.name for row in tree} == {p.name for p in lock.packages}
    whole = [row.package for row in tree if row.mark is None]
    inner = [p for p in whole if needs(lock, p)]
    assert len({p.name for p in inner}) == len(inner)
    # Below the root, each line is one dependency of a package that is shown whole.
    edges = sum(len(needs(lock, p)) for p in inner)
    assert sum(1 for row in tree if row.lasts) == edges


def test_the_base_image_comes_last(envlock: Any) -> None:
    lock = replace(LOCK, image=IMAGE)
    line = f"docker.io/library/debian:bookworm-slim {IMAGE.digest} (base image)"
    assert envlock("tree", lock=lock).out.splitlines()[-1] == line
    told = json.loads(envlock("tree", "--json", lock=lock).out)
    assert told["image"]["digest"] == IMAGE.digest
