"""Who needs whom; that chains are real and shortest in any graph is a property test."""

from __future__ import annotations

from dataclasses import replace

from support.samples import package, small_lock

from envlock.lock.graph.python import chains_to, needs, wished
from envlock.lock.model import Lock
from envlock.lock.package import Dependency

LOCK = small_lock(
    package("app", needs=["lib", "tool"]),
    package("lib", needs=["deep", "absent"]),
    package("tool", needs=["lib"]),
    package("deep", needs=["lib"]),
    wishes=["App>=1", "tool", "app; os_name == 'posix'"],
)


def names(lock: Lock, goal: str) -> list[list[str]]:
    return [[p.name for p in chain.links] for chain in chains_to(lock, goal)]


def test_wishes_are_found_by_normalized_name() -> None:
    found = {name: [w.text for w in wishes] for name, wishes in wished(LOCK).items()}
    assert found == {"app": ["App>=1", "app; os_name == 'posix'"], "tool": ["tool"]}


def test_needs_are_locked_packages() -> None:
    [lib] = LOCK.package("lib")
    assert [p.name for p in needs(LOCK, lib)] == ["deep"]


def test_every_wish_has_its_shortest_chain() -> None:
    assert names(LOCK, "deep") == [
        ["app", "lib", "deep"],
        ["app", "lib", "deep"],
        ["tool", "lib", "deep"],
    ]
    assert names(LOCK, "tool") == [["tool"], ["app", "tool"], ["app", "tool"]]


def test_a_stranger_has_no_chain() -> None:
    assert names(LOCK, "stranger") == []
    assert names(LOCK, "absent") == []


def test_a_dependency_on_one_version_leads_to_that_one() -> None:
    app = package("app")
    app = replace(app, dependencies=(Dependency(name="lib", version="2.0"),))
    lock = small_lock(app, package("lib", "1.0"), package("lib", "2.0"), wishes=["app"])
    assert [p.version for p in needs(lock, app)] == ["2.0"]


def test_a_dependency_on_any_version_leads_to_all() -> None:
    app = package("app", needs=["lib"])
    lock = small_lock(app, package("lib", "2.0"), package("lib", "1.0"), wishes=["app"])
    assert [p.version for p in needs(lock, app)] == ["1.0", "2.0"]


def test_a_long_chain_is_followed() -> None:
    entries = [package(f"p{i}", needs=[f"p{i + 1}"]) for i in range(2000)]
    lock = small_lock(*entries, package("p2000"), wishes=["p0"])
    [chain] = chains_to(lock, "p2000")
    assert len(chain.links) == 2001
