"""The lock's OS layer: there and back, damage, its branch of the hash, differences, chains."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
import tomli
import tomli_w
from support.samples import small_lock

from envlock.errors import UsageError, VerificationError
from envlock.lock import codec
from envlock.lock.diff import ChangeKind, diff
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.os import OsArchive, OsLayer, OsPackage
from envlock.lock.os_graph import os_chain, os_needs


def _package(name: str, **values: Any) -> OsPackage:
    defaults: dict[str, Any] = {
        "architecture": "amd64",
        "version": "1.0-1",
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "size": 10,
        "file_name": f"pool/main/{name}.deb",
        "suite": "bookworm",
        "source": name,
        "source_version": "1.0-1",
    }
    return OsPackage(name=name, **{**defaults, **values})


LAYER = OsLayer(
    base="debian:bookworm",
    archives=(
        OsArchive(
            archive="debian",
            suite="bookworm",
            components=("main",),
            snapshot="20240601T120000Z",
            release_sha256="a" * 64,
            release_date=datetime(2024, 6, 1, 12, tzinfo=UTC),
            key="ABCD",
        ),
    ),
    packages=(
        _package("app", requested=True),
        _package("deep", via=("lib",)),
        _package("lib", via=("app",)),
        _package("libc6", base=True, via=("app", "deep", "lib")),
    ),
)


@pytest.fixture
def lock() -> Lock:
    return replace(small_lock(), os=LAYER)


def test_there_and_back(lock: Lock) -> None:
    text = codec.dump(lock)
    assert codec.load(text, where="x") == lock
    shuffled = replace(lock, os=replace(LAYER, packages=LAYER.packages[::-1]))
    assert codec.dump(shuffled) == text


def test_the_branch_is_the_digest_of_what_is_installed(lock: Lock) -> None:
    content = {
        "packages": [
            {"architecture": "amd64", "name": p.name, "sha256": p.sha256, "version": "1.0-1"}
            for p in LAYER.packages
        ]
    }
    found = environment_hash(lock)
    assert found.os == hashlib.sha256(rfc8785.dumps(content)).hexdigest()
    assert found.root != environment_hash(small_lock()).root
    elsewhere = tuple(
        replace(p, suite="x", file_name="y", size=1, via=(), source="z") for p in LAYER.packages
    )
    moved = replace(lock, os=replace(LAYER, packages=elsewhere, archives=()))
    assert environment_hash(moved) == found


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("base",), 3, "tool.envlock.os.base"),
        (("packages", 0, "sha256"), "abc", "tool.envlock.os.packages[0].sha256"),
        (("packages", 1, "size"), -1, "tool.envlock.os.packages[1].size"),
        (("packages", 2, "via"), "app", "tool.envlock.os.packages[2].via"),
        (("archives", 0, "snapshot"), "yesterday", "tool.envlock.os.archives[0].snapshot"),
        (("archives", 0, "release-date"), "2024", "tool.envlock.os.archives[0].release-date"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(
    lock: Lock, path: tuple[Any, ...], value: Any, words: str
) -> None:
    table = tomli.loads(codec.dump(lock))
    place = table["tool"]["envlock"]["os"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(UsageError) as caught:
        codec.load(tomli_w.dumps(table), where="x")
    assert words in caught.value.what


def test_another_version_by_hand_is_noticed(lock: Lock) -> None:
    text = codec.dump(lock)
    with pytest.raises(VerificationError):
        codec.load(text.replace('version = "1.0-1"', 'version = "1.0-2"', 1), where="x")


def test_differences_are_named_by_package_and_architecture(lock: Lock) -> None:
    packages = (
        replace(LAYER.packages[0], version="2"),
        replace(LAYER.packages[1], sha256="f" * 64, file_name="pool/other.deb"),
        LAYER.packages[3],
        _package("new"),
    )
    found = diff(lock, replace(lock, os=replace(LAYER, packages=packages))).changes
    assert [(c.layer, c.name, c.kind) for c in found] == [
        ("os", "app:amd64", ChangeKind.VERSION),
        ("os", "deep:amd64", ChangeKind.FILES),
        ("os", "lib:amd64", ChangeKind.REMOVED),
        ("os", "new:amd64", ChangeKind.ADDED),
    ]


def test_the_way_down_from_what_was_asked_for() -> None:
    names = {p.name: p for p in LAYER.packages}
    assert [p.name for p in os_chain(LAYER, names["deep"])] == ["app", "lib", "deep"]
    assert [p.name for p in os_chain(LAYER, names["libc6"])] == ["libc6"]
    below = os_needs(LAYER, "amd64")
    assert [p.name for p in below["app"]] == ["lib"]
    assert below["deep"] == ()


def test_the_lock_says_who_provides_the_python(lock: Lock) -> None:
    [target] = lock.targets
    assert codec.provider(lock, target) is None
    python = _package(f"python{target.series}", architecture=target.platform.partition("/")[2])
    there = replace(lock, os=replace(LAYER, packages=(python,)))
    if target.platform.startswith("linux/"):
        assert codec.provider(there, target) == f"debian:bookworm {python.name} 1.0-1"
