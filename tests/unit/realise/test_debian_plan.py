"""Which builds bring locked .debs back, and the changelog's entry of a binNMU."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.io.progress import SilentReporter
from envlock.lock.os import OsLayer, OsPackage, OsSource, OsSourceFile
from envlock.realise.debian.build import source_folder
from envlock.realise.debian.plan import entry_of, make_jobs
from envlock.resolve.os.builds.needs import LockedArchive


def _package(name: str, version: str, source: str = "", **values: str) -> OsPackage:
    said, _, source_version = source.partition(" ")
    architecture = values.get("architecture", "amd64")
    kind = values.get("kind", architecture)
    return OsPackage(
        architecture=architecture,
        name=name,
        version=version,
        sha256=f"{name}{architecture}",
        size=1,
        file_name=f"pool/{name}_{version}_{kind}.deb",
        suite=values.get("suite", "bookworm"),
        source=said or name,
        source_version=source_version or version,
    )


PACKAGES = (
    _package("tool", "1-1"),
    _package("tool", "1-1", architecture="arm64"),
    _package("libx1", "2-1+b2", "x 2-1"),
    _package("libx-dev", "2-1+b2", "x 2-1"),
    _package("x-data", "2-1", "x 2-1", kind="all"),
    _package("y", "3", kind="all"),
    _package("y-bin", "3", "y 3"),
    _package("gcc", "4:12.2-3+b1", "gcc-defaults 1.203+b1"),
)
LAYER = OsLayer(base="debian:bookworm", archives=(), packages=tuple(sorted(PACKAGES)))


def _told(*names: str) -> list[str]:
    return [
        f"{job.folder}: {' '.join(package.name for package in job.packages)}"
        for job in make_jobs(LAYER, names, "amd64")
    ]


def test_all_packages_of_a_build_come_together() -> None:
    assert _told("tool") == ["tool_1-1_any: tool"]
    assert _told("y") == _told("y-bin") == ["y_3_binary: y y-bin"]
    # A binNMU is of packages for one machine; those for all come from the first build.
    assert _told("libx1") == ["x_2-1_all: x-data", "x_2-1+b2_any: libx-dev libx1"]
    assert _told("x", "libx1", "tool") == [*_told("libx1"), *_told("tool")]
    assert _told("gcc") == ["gcc-defaults_1.203+b1_any: gcc"]


def test_a_name_that_is_not_locked_is_refused_with_what_is_near() -> None:
    with pytest.raises(UsageError, match="no package libx2") as caught:
        make_jobs(LAYER, ["libx2"], "amd64")
    assert caught.value.remedy == "did you mean libx1?"


ENTRY = """\
x (2-1+b2) sid; urgency=low, binary-only=yes

  * Binary-only non-maintainer upload for amd64; no source changes.

  * Rebuild

 -- A Builder <b@example.org>  Sun, 18 Sep 2022 23:42:13 +0000
"""


def test_the_entry_of_a_binnmu_is_taken_alone() -> None:
    rest = (
        "\nx (2-1) sid; urgency=low\n\n  * One.\n\n -- B <b@x>  Sun, 18 Sep 2021 23:42:13 +0000\n"
    )
    assert entry_of(ENTRY, "x", "2-1+b2") == entry_of(ENTRY + rest, "x", "2-1+b2") == f"{ENTRY}\n"
    assert entry_of(ENTRY + rest, "x", "2-1+b3") is None
    assert entry_of(rest, "x", "2-1") is None
    assert entry_of(ENTRY.partition(" -- ")[0], "x", "2-1+b2") is None


@pytest.mark.parametrize(
    ("version", "folder"),
    [("1-1", "a-1"), ("2:1.0~rc1-3.1", "a-1.0~rc1"), ("5", "a-5"), ("1-2-3", "a-1-2")],
)
def test_the_folder_is_what_dpkg_source_calls_it(version: str, folder: str) -> None:
    assert source_folder("a", version) == folder


def test_a_lock_with_sources_needs_no_archive_to_name_them(tmp_path: Path) -> None:
    files = (OsSourceFile(name="x_2-1.dsc", sha256="0" * 64, size=1),)
    wanted = OsSource(name="x", version="2-1", suite="bookworm", directory="pool/x", files=files)
    layer = replace(LAYER, sources=(wanted, replace(wanted, suite="bookworm-security")))
    [_, job] = make_jobs(layer, ["libx1"], "amd64")
    with LockedArchive(
        layer,
        datetime(2024, 6, 1, tzinfo=UTC),
        tmp_path,
        architecture="amd64",
        offline=True,
        reporter=SilentReporter(),
    ) as archive:
        assert archive.source(job.packages) == wanted
