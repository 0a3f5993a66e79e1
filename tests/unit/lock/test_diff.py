"""Typed changes between two locks; the general claims are property tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.samples import LINUX, MACOS, digest, package, sdist, small_lock, wheel

from envlock.lock.diff import Change, ChangeKind, diff
from envlock.lock.package import Archive, Directory, PythonPackage, Vcs


def changes(before: PythonPackage | None, after: PythonPackage | None) -> list[Change]:
    old = small_lock(*([before] if before else []))
    new = small_lock(*([after] if after else []))
    return list(diff(old, new).changes)


def change(kind: ChangeKind, before: str | None, after: str | None) -> Change:
    return Change(name="lib", kind=kind, before=before, after=after)


LIB = package("lib", "1.9")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, LIB, [change(ChangeKind.ADDED, None, "1.9")]),
        (LIB, None, [change(ChangeKind.REMOVED, "1.9", None)]),
        (LIB, package("lib", "1.10"), [change(ChangeKind.UPGRADED, "1.9", "1.10")]),
        (package("lib", "1.10"), LIB, [change(ChangeKind.DOWNGRADED, "1.10", "1.9")]),
        (
            LIB,
            replace(LIB, sdist=sdist("lib", "1.9")),
            [change(ChangeKind.FILES, None, "lib-1.9.tar.gz")],
        ),
        (
            LIB,
            replace(LIB, wheels=(wheel("lib", "1.9", "f"),)),
            [change(ChangeKind.FILES, "lib-1.9-py3-none-any.whl", "lib-1.9-py3-none-any.whl")],
        ),
        (
            LIB,
            replace(LIB, marker="os_name == 'nt'"),
            [change(ChangeKind.MARKER, None, "os_name == 'nt'")],
        ),
    ],
)
def test_each_kind_of_change(
    before: PythonPackage | None, after: PythonPackage | None, expected: list[Change]
) -> None:
    assert changes(before, after) == expected


GIT = Vcs(kind="git", url="https://git.example.org/lib", commit="c" * 40)
SOURCES = {
    "git " + "c" * 40: PythonPackage(name="lib", vcs=GIT),
    f"git {'c' * 40} subdirectory py": PythonPackage(
        name="lib", vcs=replace(GIT, subdirectory="py")
    ),
    f"git {'d' * 40}": PythonPackage(name="lib", vcs=replace(GIT, commit="d" * 40)),
    f"archive sha256:{digest('e')}": PythonPackage(
        name="lib", archive=Archive(url="https://example.org/lib.zip", sha256=digest("e"))
    ),
    "directory lib": PythonPackage(name="lib", directory=Directory(path="lib")),
    "editable lib": PythonPackage(name="lib", directory=Directory(path="lib", editable=True)),
}


@pytest.mark.parametrize("before", SOURCES)
@pytest.mark.parametrize("after", SOURCES)
def test_another_source_is_told(before: str, after: str) -> None:
    expected = [] if before == after else [change(ChangeKind.SOURCE, before, after)]
    assert changes(SOURCES[before], SOURCES[after]) == expected


def test_a_place_is_no_change() -> None:
    moved = replace(LIB, index="https://mirror.example.org/simple")
    assert changes(LIB, moved) == []


def test_a_new_version_from_elsewhere_tells_both() -> None:
    found = changes(LIB, PythonPackage(name="lib", version="2.0", vcs=GIT))
    assert found == [
        change(ChangeKind.UPGRADED, "1.9", "2.0"),
        change(ChangeKind.SOURCE, "index", "git " + "c" * 40),
    ]


def test_entries_of_one_name_pair_up_by_marker_and_version() -> None:
    linux, windows = "sys_platform == 'linux'", "sys_platform == 'win32'"
    before = small_lock(
        package("lib", "1.0", marker=linux),
        package("lib", "1.0", marker=windows),
        package("lib", "2.0"),
    )
    after = small_lock(
        package("lib", "1.0", marker=windows),
        package("lib", "1.0", marker=linux),
        package("lib", "3.0"),
    )
    assert diff(before, before).changes == ()
    assert list(diff(before, after).changes) == [change(ChangeKind.UPGRADED, "2.0", "3.0")]


def test_settings_and_hashes_are_compared() -> None:
    before = small_lock(LIB)
    after = replace(
        before, as_of=datetime(2025, 1, 1, tzinfo=UTC), engine="pip-tools", targets=(LINUX, MACOS)
    )
    found = diff(before, after)
    assert found.settings == (
        ("as-of", "2024-06-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("targets", "linux/amd64@3.11", "linux/amd64@3.11 macos/arm64@3.12.4"),
        ("engine", "uv", "pip-tools"),
    )
    assert not found.same_environment
    assert diff(before, replace(before, engine="pip-tools")).same_environment
