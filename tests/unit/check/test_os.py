"""dpkg's status against the lock: missing, other version, unfinished; the rest of a machine not."""

from __future__ import annotations

from pathlib import Path

import pytest

from envlock.check.os.compare import compare_os
from envlock.check.os.observe import distribution, observe_os, parse_status
from envlock.errors import UsageError
from envlock.lock.os import OsLayer, OsPackage

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.35-1

Package: tzdata
Status: hold ok installed
Architecture: all
Version: 2024a-0
Conffiles:
 /etc/timezone 0123456789

Package: half
Status: install ok half-configured
Architecture: amd64
Version: 1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: unrelated
Status: install ok installed
Architecture: amd64
Version: 7
"""


def _package(name: str, version: str, architecture: str = "amd64") -> OsPackage:
    return OsPackage(
        architecture=architecture,
        name=name,
        version=version,
        sha256="0" * 64,
        size=1,
        file_name=f"pool/{name}.deb",
        suite="bookworm",
        source=name,
        source_version=version,
    )


def _codes(*packages: OsPackage) -> list[tuple[str, str]]:
    layer = OsLayer(base="debian:bookworm", archives=(), packages=packages)
    installed = parse_status(STATUS, where="status")
    return [(d.code.value, d.subject) for d in compare_os(layer, "amd64", installed)]


def test_what_is_as_locked_is_silent_but_for_holds() -> None:
    found = _codes(_package("libc6", "2.36-9"), _package("tzdata", "2024a-0"))
    assert found == [("OS004", "tzdata")]


def test_configuration_files_are_read() -> None:
    installed = parse_status(STATUS, where="status")
    assert installed["tzdata", "all"].conffiles == " /etc/timezone 0123456789"
    assert installed["half", "amd64"].conffiles == ""


def test_each_difference_has_its_code() -> None:
    assert _codes(_package("libc6", "2.36-10"), _package("half", "1"), _package("gone", "1")) == [
        ("OS002", "libc6"),
        ("OS003", "half"),
        ("OS001", "gone"),
    ]


def test_another_architectures_packages_are_not_compared() -> None:
    assert _codes(_package("nothing", "1", architecture="arm64")) == []


def test_a_root_without_dpkg_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no dpkg status"):
        observe_os(tmp_path)


def test_a_damaged_status_is_refused() -> None:
    with pytest.raises(UsageError, match="without Package or Status"):
        parse_status("Version: 1\n\n", where="status")


def test_the_distribution_is_read_from_os_release(tmp_path: Path) -> None:
    assert distribution(tmp_path) is None
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    assert distribution(tmp_path) == "debian:bookworm"
