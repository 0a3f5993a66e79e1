"""Builds in a lock: read back, checked against the rest of the file, hashed, compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import tomli
import tomli_w
from support.samples import digest, full_lock, package, sdist, small_lock

from envlock.errors import UsageError, VerificationError
from envlock.lock import codec
from envlock.lock.builds import BuildPin, graph_id
from envlock.lock.diff import ChangeKind, diff
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock

LOCK = full_lock()
Edit = Callable[[dict[str, Any]], Any]


def with_pin(lock: Lock, version: str) -> Lock:
    """``lib`` built with another hatchling."""
    lib = lock.build("lib", "2.1")
    assert lib is not None
    changed = replace(lib, pins=(replace(lib.pins[0], version=version), *lib.pins[1:]))
    builds = tuple(changed if build is lib else build for build in lock.builds)
    files = (*lock.build_packages, package("hatchling", version))
    return replace(lock, builds=builds, build_packages=files)


def test_equal_graphs_stand_in_the_file_once_and_come_back() -> None:
    text = codec.dump(LOCK)
    tool = tomli.loads(text)["tool"]["envlock"]
    assert [build["package"] for build in tool["builds"]] == ["from-url", "lib", "old"]
    assert len(tool["build-graphs"]) == 2
    assert tool["builds"][1]["graph"] == tool["builds"][2]["graph"]
    assert codec.load(text, where="x") == LOCK


def test_a_graphs_name_follows_from_its_pins_alone() -> None:
    a, b = BuildPin(name="a", version="1"), BuildPin(name="b", version="1", marker="os_name == 'x'")
    assert graph_id((a, b)) == graph_id((b, a))
    assert len({graph_id(pins) for pins in ((), (a,), (a, b), (a, replace(b, marker=None)))}) == 4


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t["builds"][1].pop("backend"), r"builds\[1\]\.backend"),
        (lambda t: t["builds"][1].update({"sdist-sha256": "0"}), r"builds\[1\]\.sdist-sha256"),
        (lambda t: t["builds"][1].update(package="Lib_X"), r"builds\[1\]\.package"),
        (lambda t: t["builds"][1].update(static=["="]), r"builds\[1\]\.static\[0\]"),
        (lambda t: t["builds"][1].update(preferred=[1]), r"builds\[1\]\.preferred"),
        (lambda t: t["builds"][1].update({"as-of": "2024"}), r"builds\[1\]\.as-of"),
        (lambda t: t["builds"][1].update({"asked-on": ["moon"]}), r"builds\[1\]\.asked-on"),
        (lambda t: t["builds"][1].update(graph="0" * 16), r"builds\[1\]\.graph"),
        (lambda t: t["builds"].append(t["builds"][1]), r"builds\[3\]: expected one entry"),
        (lambda t: t.update(builds="x"), "builds: expected a list of tables"),
        (lambda t: t["build-graphs"][0].update(id="0" * 16), r"build-graphs\[0\]\.id"),
        (
            lambda t: t["build-graphs"].append(
                {"id": graph_id([BuildPin(name="a", version="1")]), "pins": [A]}
            ),
            "build-graphs: expected only graphs of some build",
        ),
        (lambda t: pins_of(t)[0].update(name="X_"), r"pins\[0\]\.name"),
        (lambda t: pins_of(t)[1].update(marker="x"), r"pins\[1\]\.marker"),
        (lambda t: t["build-packages"][0].pop("name"), r"tool\.envlock\.build-packages\[0\]"),
        (
            lambda t: t["build-packages"][0]["wheels"][0]["hashes"].update(sha256="0"),
            r"tool\.envlock\.build-packages\[0\]\.wheels\[0\]\.hashes\.sha256",
        ),
    ],
)
def test_a_wrong_value_is_named_by_its_path(edit: Edit, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        codec.load(edited(edit), where="pylock.toml")


A = {"name": "a", "version": "1"}


def pins_of(tool: dict[str, Any]) -> list[dict[str, Any]]:
    [pins] = [graph["pins"] for graph in tool["build-graphs"] if graph["pins"]]
    return pins  # type: ignore[no-any-return]


def edited(edit: Edit) -> str:
    table = tomli.loads(codec.dump(LOCK))
    edit(table["tool"]["envlock"])
    return tomli_w.dumps(table)


@pytest.mark.parametrize(
    "edit",
    [
        lambda t: t["builds"][1].update(backend="other"),
        lambda t: t["build-packages"][0]["wheels"][0]["hashes"].update(sha256="f" * 64),
        lambda t: [t.pop("builds"), t.pop("build-graphs"), t.pop("build-packages")],
    ],
)
def test_what_decides_a_build_cannot_be_edited(edit: Edit) -> None:
    with pytest.raises(VerificationError):
        codec.load(edited(edit), where="pylock.toml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"builds": LOCK.builds[:-1]}, "an entry for old 1.0"),
        ({"builds": ()}, "an entry for from-url 2.0"),
        ({"builds": (*LOCK.builds[:-1], replace(LOCK.builds[-1], sdist="9" * 64))}, "not 9999"),
        ({"request": replace(LOCK.request, sources=False), "os": None}, "asks for no sources"),
        ({"build_packages": LOCK.build_packages[:1]}, "the package tomli 2.0.1"),
        ({"build_packages": (*LOCK.build_packages, package("x"))}, "no package x 1.0"),
        (
            {"build_packages": (replace(LOCK.build_packages[0], wheels=(), sdist=None),)},
            r"build-packages\[0\]: Exactly one",
        ),
    ],
)
def test_builds_sdists_and_files_have_to_agree(change: dict[str, Any], message: str) -> None:
    text = codec.dump(replace(LOCK, **change))
    with pytest.raises(UsageError, match=message):
        codec.load(text, where="pylock.toml")


def test_exceptions_need_no_build() -> None:
    request = replace(LOCK.request, build_exceptions=("from-url", "lib", "old"))
    lock = replace(LOCK, request=request, builds=(), build_packages=())
    assert codec.load(codec.dump(lock), where="x") == lock


def test_the_builds_of_pins_own_sdists_have_a_place() -> None:
    own = replace(LOCK.builds[0], package="hatchling", version="1.27.0", sdist=digest("b"))
    assert LOCK.build_packages[0].sdist == sdist("hatchling", "1.27.0")
    builds = tuple(sorted((*LOCK.builds, own), key=lambda build: build.key))
    lock = replace(LOCK, builds=builds)
    assert codec.load(codec.dump(lock), where="x") == lock


def test_the_hash_covers_what_decides_a_build_and_nothing_else() -> None:
    lib = LOCK.builds[1]
    before = environment_hash(LOCK)
    assert before.toolchain is not None
    for same in (
        replace(lib, static=(), dynamic=(), asked_on=(), generator=None),
        replace(lib, preferred=(), programs=(), as_of=datetime(2024, 1, 1, tzinfo=UTC)),
    ):
        builds = (same, *LOCK.builds[:1], *LOCK.builds[2:])
        assert environment_hash(replace(LOCK, builds=builds)) == before
    for other in (
        replace(lib, backend="x"),
        replace(lib, backend_path=()),
        replace(lib, sdist="8" * 64),
        replace(lib, pins=lib.pins[:1]),
    ):
        found = environment_hash(replace(LOCK, builds=(other, *LOCK.builds[2:])))
        assert found.root != before.root
        assert found.python == before.python
    assert environment_hash(small_lock()).toolchain is None


def test_another_build_requirement_is_a_difference() -> None:
    [change] = diff(LOCK, with_pin(LOCK, "1.28.0")).changes
    assert (change.layer, change.name, change.kind) == ("build", "lib", ChangeKind.REQUIREMENTS)
    assert (change.before, change.after) == ("hatchling==1.27.0", "hatchling==1.28.0")


def test_a_declined_build_and_other_files_are_differences() -> None:
    fewer = replace(LOCK, builds=LOCK.builds[:1] + LOCK.builds[2:])
    [change] = diff(LOCK, fewer).changes
    assert (change.layer, change.name, change.kind) == ("build", "lib", ChangeKind.REMOVED)
    files = replace(LOCK, build_packages=(package("hatchling", "1.27.0"), LOCK.build_packages[1]))
    [change] = diff(LOCK, files).changes
    assert (change.name, change.kind) == ("hatchling==1.27.0", ChangeKind.FILES)
    assert (change.before, change.after) == ("hatchling-1.27.0.tar.gz", None)
    assert diff(LOCK, LOCK).changes == ()
