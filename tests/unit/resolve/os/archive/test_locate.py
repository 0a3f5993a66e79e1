"""Where a locked .deb is asked for: near mirrors first, then the state that was locked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.tiny_archive import signer

from envlock.errors import UsageError
from envlock.lock.artifacts import SourceFile
from envlock.lock.os import OsArchive, OsLayer, OsPackage, OsSource, OsSourceFile
from envlock.resolve.os.archive.locate import locate_files, lock_mirrors
from envlock.resolve.os.archive.mirrors import Mirrors, choose_mirrors
from envlock.resolve.os.archive.trust import parse_keyring
from envlock.resolve.os.distributions.debian import Debian

AS_OF = datetime(2024, 6, 2, 10, tzinfo=UTC)
DATED = "https://snapshot.example.org/archive/{archive}/{timestamp}"
LIVE = "https://mirror.example.org/{archive}"
FILE = "pool/updates/main/l/lib/lib_1.0+b1_amd64.deb"


def layer(snapshot: str | None, released: datetime) -> OsLayer:
    archive = OsArchive(
        archive="debian-security",
        suite="bookworm-security",
        components=("main",),
        snapshot=snapshot,
        release_sha256="a" * 64,
        release_date=released,
        key="ABCD",
    )
    package = OsPackage(
        architecture="amd64",
        name="lib",
        version="1.0+b1",
        sha256="b" * 64,
        size=5,
        file_name=FILE,
        suite="bookworm-security",
        source="lib",
        source_version="1.0",
    )
    return OsLayer(base="debian:bookworm", archives=(archive,), packages=(package,))


def mirrors(*given: str) -> Mirrors:
    return choose_mirrors(
        Debian(), given=given, keyring=lambda: parse_keyring(signer().public, "test")
    )


def places(snapshot: str | None, *given: str, released: datetime = AS_OF) -> list[str]:
    locked = layer(snapshot, released)
    [wanted] = locate_files(locked, locked.packages, (), mirrors(*given), AS_OF)
    assert (wanted.name, wanted.sha256, wanted.size) == ("lib_1.0+b1_amd64.deb", "b" * 64, 5)
    return [url.removesuffix(f"/{FILE}") for url in wanted.urls]


def test_a_dated_lock_asks_near_mirrors_then_its_snapshot() -> None:
    assert places("20240601T120000Z", DATED, LIVE) == [
        "https://mirror.example.org/debian-security",
        "https://snapshot.example.org/archive/debian-security/20240601T120000Z",
    ]


def test_given_mirrors_are_asked_in_their_order() -> None:
    second = DATED.replace("snapshot", "second")
    assert places("20240601T120000Z", second, DATED) == [
        "https://second.example.org/archive/debian-security/20240601T120000Z",
        "https://snapshot.example.org/archive/debian-security/20240601T120000Z",
    ]


def test_a_lock_of_now_asks_for_the_past_at_its_date_and_after_its_release() -> None:
    behind = datetime(2024, 5, 20, 8, tzinfo=UTC)
    assert places(None, DATED, LIVE, released=behind) == [
        "https://mirror.example.org/debian-security",
        "https://snapshot.example.org/archive/debian-security/20240602T100000Z",
        "https://snapshot.example.org/archive/debian-security/20240521T080000Z",
    ]
    assert places(None, DATED, released=AS_OF) == [
        "https://snapshot.example.org/archive/debian-security/20240602T100000Z"
    ]


def test_a_name_is_written_as_an_address() -> None:
    locked = layer(None, AS_OF)
    [package] = locked.packages
    odd = replace(package, file_name="pool/l/lib_1%3a2 3~rc_all.deb")
    [wanted] = locate_files(locked, [odd], (), mirrors(LIVE), AS_OF)
    assert wanted.urls[0].endswith("/debian-security/pool/l/lib_1%253a2%203~rc_all.deb")


def test_a_source_packages_files_lie_in_its_folder() -> None:
    locked = layer("20240601T120000Z", AS_OF)
    files = tuple(
        OsSourceFile(name=f"lib_1.0.{end}", sha256=letter * 64, size=3)
        for end, letter in (("dsc", "c"), ("tar.xz", "d"))
    )
    source = OsSource(
        name="lib",
        version="1.0",
        suite="bookworm-security",
        directory="pool/updates/main/l/lib",
        files=files,
    )
    wanted = locate_files(
        locked, (), [SourceFile(source=source, file=file) for file in files], mirrors(DATED), AS_OF
    )
    assert [file.urls[0].partition("Z/")[2] for file in wanted] == [
        "pool/updates/main/l/lib/lib_1.0.dsc",
        "pool/updates/main/l/lib/lib_1.0.tar.xz",
    ]
    assert [file.sha256[0] for file in wanted] == ["c", "d"]


def test_a_suite_that_the_lock_does_not_describe_has_no_place() -> None:
    locked = layer(None, AS_OF)
    [package] = locked.packages
    other = replace(package, suite="elsewhere")
    [wanted] = locate_files(locked, [other], (), mirrors(LIVE), AS_OF)
    assert wanted.urls == ()


def test_the_projects_keys_are_read_from_its_folder(tmp_path: Path) -> None:
    locked = layer(None, AS_OF)
    (tmp_path / "keys.asc").write_bytes(signer().public)
    found = lock_mirrors(locked, tmp_path, given=[LIVE], keyring="keys.asc")
    assert found.live["debian"] == ("https://mirror.example.org/debian",)
    with pytest.raises(UsageError):
        lock_mirrors(locked, tmp_path, given=["nowhere"], keyring="keys.asc")
