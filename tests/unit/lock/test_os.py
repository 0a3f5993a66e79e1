"""The lock's OS layer: there and back, damage, its branch of the hash, differences, chains."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
import tomli
import tomli_w
from support.samples import OS_SOURCES, os_layer, os_package, os_source, small_lock

from envlock.errors import UsageError, VerificationError
from envlock.lock import codec
from envlock.lock.diff import ChangeKind, diff
from envlock.lock.graph.os import os_chain, os_needs
from envlock.lock.hashing import environment_hash, request_digest
from envlock.lock.model import Lock
from envlock.lock.os import OsSource
from envlock.lock.provider import provider

LAYER = os_layer()


@pytest.fixture
def lock() -> Lock:
    return replace(small_lock(), os=LAYER)


def test_there_and_back(lock: Lock) -> None:
    text = codec.dump(lock)
    assert codec.load(text, where="x") == lock
    reverse = replace(LAYER, packages=LAYER.packages[::-1], libraries=LAYER.libraries[::-1])
    shuffled = replace(lock, os=reverse)
    assert codec.dump(shuffled) == text


def test_sources_there_and_back_and_not_in_the_hash(lock: Lock) -> None:
    request = replace(lock.request, sources=True)
    built = replace(lock, request=request, os=replace(LAYER, sources=OS_SOURCES))
    text = codec.dump(built)
    assert codec.load(text, where="x") == built
    shuffled = replace(built, os=replace(LAYER, sources=OS_SOURCES[::-1]))
    assert codec.dump(shuffled) == text
    assert environment_hash(built) == environment_hash(lock)


@pytest.mark.parametrize(
    ("sources", "asked", "words"),
    [
        (OS_SOURCES[1:], True, "expected the source package app 1.0-1"),
        ((*OS_SOURCES, os_source("else")), True, "expected no source package else 1.0-1"),
        ((*OS_SOURCES, os_source("lib", directory="x")), True, "expected each source package once"),
        ((), True, "expected the source package app 1.0-1"),
        (OS_SOURCES, False, "expected no source package app 1.0-1"),
    ],
)
def test_sources_are_held_to_the_packages(
    lock: Lock, sources: tuple[OsSource, ...], asked: bool, words: str
) -> None:
    request = replace(lock.request, sources=asked)
    text = codec.dump(replace(lock, request=request, os=replace(LAYER, sources=sources)))
    with pytest.raises(UsageError, match=words):
        codec.load(text, where="x")


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
    bare = replace(LAYER, packages=elsewhere, archives=(), libraries=(), unread=())
    moved = replace(lock, os=bare)
    assert environment_hash(moved) == found


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("base",), 3, "tool.envlock.os.base"),
        (("packages", 0, "sha256"), "abc", "tool.envlock.os.packages[0].sha256"),
        (("packages", 1, "size"), -1, "tool.envlock.os.packages[1].size"),
        (("packages", 2, "via"), "app", "tool.envlock.os.packages[2].via"),
        (("archives", 0, "snapshot"), "yesterday", "tool.envlock.os.archives[0].snapshot"),
        (("packages", 4, "via-wheels"), "cv", "tool.envlock.os.packages[4].via-wheels"),
        (("libraries", 0, "soname"), "", "tool.envlock.os.libraries[0].soname"),
        (("libraries", 1, "soname"), "libGL.so.1", "tool.envlock.os.libraries[1]"),
        (("libraries", 1, "package"), 1, "tool.envlock.os.libraries[1].package"),
        (("libraries", 1, "wheels"), [1], "tool.envlock.os.libraries[1].wheels"),
        (("libraries", 1, "partly-read"), 1, "tool.envlock.os.libraries[1].partly-read"),
        (("unread",), "all", "tool.envlock.os.unread"),
        (("archives", 0, "release-date"), "2024", "tool.envlock.os.archives[0].release-date"),
        (("sources",), "app", "tool.envlock.os.sources"),
        (("sources", 0, "version"), "", "tool.envlock.os.sources[0].version"),
        (("sources", 1, "directory"), "a/../..", "tool.envlock.os.sources[1].directory"),
        (("sources", 1, "directory"), "/etc", "tool.envlock.os.sources[1].directory"),
        (("sources", 2, "files"), [], "tool.envlock.os.sources[2].files"),
        (("sources", 3, "files", 1, "name"), "../x", "tool.envlock.os.sources[3].files[1].name"),
        (("sources", 3, "files", 1, "size"), True, "tool.envlock.os.sources[3].files[1].size"),
        (("sources", 3, "files", 0, "sha256"), "0", "tool.envlock.os.sources[3].files[0].sha256"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(
    lock: Lock, path: tuple[Any, ...], value: Any, words: str
) -> None:
    table = tomli.loads(codec.dump(replace(lock, os=replace(LAYER, sources=OS_SOURCES))))
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
        *LAYER.packages[3:],
        os_package("new"),
    )
    found = diff(lock, replace(lock, os=replace(LAYER, packages=packages))).changes
    assert [(c.layer, c.name, c.kind) for c in found] == [
        ("os", "app:amd64", ChangeKind.VERSION),
        ("os", "deep:amd64", ChangeKind.FILES),
        ("os", "lib:amd64", ChangeKind.REMOVED),
        ("os", "new:amd64", ChangeKind.ADDED),
    ]


def test_source_packages_differ_by_version_and_content(lock: Lock) -> None:
    def built(*sources: OsSource) -> Lock:
        request = replace(lock.request, sources=True)
        return replace(lock, request=request, os=replace(LAYER, sources=sources))

    files = OS_SOURCES[1].files
    other = replace(files[0], sha256="0" * 64)
    after = built(
        os_source("app", "2"),
        replace(OS_SOURCES[1], files=(other, files[1])),
        replace(OS_SOURCES[2], suite="bookworm-security", directory="pool/updates/main/lib"),
        os_source("libc6", "0.9"),
        OS_SOURCES[3],
    )
    found = diff(built(*OS_SOURCES), after)
    assert [(c.layer, c.name, c.kind, c.before, c.after) for c in found.changes] == [
        ("os", "src:app", ChangeKind.VERSION, "1.0-1", "2"),
        ("os", "src:deep", ChangeKind.FILES, "deep_1.0-1.dsc", "deep_1.0-1.dsc"),
        ("os", "src:libc6", ChangeKind.ADDED, None, "0.9"),
    ]
    assert found.same_environment
    without = diff(after, lock)
    assert without.changes == ()
    assert without.settings == (("sources", "yes", "no"),)


def test_differences_in_what_wheels_need_are_named_by_library(lock: Lock) -> None:
    gl, cuda = LAYER.libraries
    changed = (replace(gl, package="libgl2"), replace(cuda, soname="libother.so.1"))
    after = replace(lock, os=replace(LAYER, libraries=changed, unread=()))
    found = diff(lock, after)
    assert [(c.layer, c.name, c.kind, c.before, c.after) for c in found.changes] == [
        ("library", "libGL.so.1:amd64", ChangeKind.PROVIDER, "libgl1", "libgl2"),
        ("library", "libcuda.so.1:amd64", ChangeKind.REMOVED, "no package", None),
        ("library", "libother.so.1:amd64", ChangeKind.ADDED, None, "no package"),
    ]
    assert found.same_environment


def test_what_the_lock_lacks() -> None:
    assert [entry.soname for entry in LAYER.missing] == ["libcuda.so.1"]
    without = replace(LAYER, packages=LAYER.packages[:4])
    assert without.missing == LAYER.libraries


def test_the_request_keeps_what_it_says_of_libraries(lock: Lock) -> None:
    plain = replace(lock.request, os_base="debian:bookworm")
    asked = replace(plain, os_auto=True, os_ignore_libraries=("libcuda.so.1",))
    off = replace(plain, os_libraries=False)
    for request in (plain, asked, off):
        written = replace(lock, request=request)
        assert codec.load(codec.dump(written), where="x") == written
    assert not {"os-auto", "os-no-libraries", "os-ignore-libraries"} & plain.canonical().keys()
    assert len({request_digest(request) for request in (plain, asked, off)}) == 3


def test_the_way_down_from_what_was_asked_for() -> None:
    names = {p.name: p for p in LAYER.packages}
    assert [p.name for p in os_chain(LAYER, names["deep"])] == ["app", "lib", "deep"]
    assert [p.name for p in os_chain(LAYER, names["libc6"])] == ["libc6"]
    assert [p.name for p in os_chain(LAYER, names["libgl1"])] == ["libgl1"]
    below = os_needs(LAYER, "amd64")
    assert [p.name for p in below["app"]] == ["lib"]
    assert below["deep"] == ()


def test_the_lock_says_who_provides_the_python(lock: Lock) -> None:
    [target] = lock.targets
    assert provider(lock, target) is None
    python = os_package(f"python{target.series}", architecture=target.platform.partition("/")[2])
    there = replace(lock, os=replace(LAYER, packages=(python,)))
    if target.platform.startswith("linux/"):
        assert provider(there, target) == f"debian:bookworm {python.name} 1.0-1"
