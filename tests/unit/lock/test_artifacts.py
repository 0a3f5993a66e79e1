"""What a target uses of a lock: the wheels that fit it, else the sdist, and its .debs."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from packaging.utils import parse_wheel_filename
from support.samples import LINUX, MACOS, WINDOWS, digest, full_lock, sdist, small_lock, wheel
from support.strategies import locks

from envlock.lock.artifacts import UsedFiles, package_files, used_files
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer, OsPackage, OsSource, OsSourceFile
from envlock.lock.package import Archive, PythonPackage
from envlock.lock.target import Target, wheel_tags


def names(files: UsedFiles) -> list[str]:
    return [entry.file.name for entry in files.python]


def test_each_target_uses_its_own_wheel() -> None:
    lock = full_lock()
    assert names(used_files(lock, [LINUX])) == [
        "from-url.zip",
        "lib-2.1-cp311-cp311-manylinux_2_17_x86_64.whl",
        "old-1.0.tar.gz",
        "ze_1-1.0-py3-none-any.whl",
    ]
    assert names(used_files(lock, [MACOS])) == [
        "from-url.zip",
        "lib-2.1-cp312-cp312-macosx_11_0_arm64.whl",
        "old-1.0.tar.gz",
    ]
    both = used_files(lock, lock.targets)
    assert len(both.python) == 5
    assert both.without == ("app", "from-git==0.1")


def test_all_wheels_that_fit_are_used_and_the_sdist_only_without_any() -> None:
    package = PythonPackage(
        name="a",
        version="1",
        wheels=(
            wheel("a", "1", "1", "cp311-cp311-manylinux_2_17_x86_64"),
            wheel("a", "1", "2", "cp311-cp311-manylinux_2_28_x86_64"),
            wheel("a", "1", "3", "cp311-cp311-win_amd64"),
            wheel("a", "1", "4", "cp310-cp310-manylinux_2_17_x86_64"),
        ),
        sdist=sdist("a", "1"),
    )
    assert [file.sha256[0] for file in package_files(package, LINUX)] == ["1", "2"]
    assert [file.sha256[0] for file in package_files(package, WINDOWS)] == ["3"]
    assert package_files(package, MACOS) == (package.sdist,)
    assert package_files(replace(package, sdist=None), MACOS) == ()


def test_an_archive_given_directly_is_called_by_its_address() -> None:
    for place in ({"url": "https://x.example.org/d/b-1.zip?token=1"}, {"path": "vendor/b-1.zip"}):
        package = PythonPackage(name="b", archive=Archive(**place, sha256=digest("d"), size=7))
        [file] = package_files(package, LINUX)
        assert (file.name, file.sha256, file.size) == ("b-1.zip", digest("d"), 7)
        assert (file.url, file.path) == (place.get("url"), place.get("path"))


def test_a_marker_on_the_patch_release_counts_for_any_patch() -> None:
    early, late = (
        PythonPackage(
            name=name,
            version="1",
            marker=f"python_full_version {bound} '3.11.4'",
            sdist=sdist(name, "1", letter),
        )
        for name, bound, letter in (("early", "<", "1"), ("late", ">=", "2"))
    )
    lock = small_lock(early, late)
    assert names(used_files(lock, [LINUX])) == ["early-1.tar.gz", "late-1.tar.gz"]
    exact = Target(platform="linux/amd64", python="3.11.7")
    assert names(used_files(lock, [exact])) == ["late-1.tar.gz"]


def deb(name: str, architecture: str, letter: str) -> OsPackage:
    return OsPackage(
        architecture=architecture,
        name=name,
        version="1",
        sha256=digest(letter),
        size=1,
        file_name=f"pool/{name}.deb",
        suite="bookworm",
        source=name,
        source_version="1",
    )


def with_debs() -> Lock:
    packages = (
        deb("data", "amd64", "1"),
        deb("data", "arm64", "1"),
        deb("lib", "amd64", "2"),
        deb("lib", "arm64", "3"),
    )
    return replace(
        full_lock(),
        os=OsLayer(base="debian:bookworm", archives=(), packages=tuple(sorted(packages))),
    )


def test_debs_are_those_of_the_targets_architectures_each_once() -> None:
    arm = Target(platform="linux/arm64", python="3.11")
    lock = with_debs()

    def debs(*targets: Target) -> list[str]:
        return [f"{p.name}:{p.architecture}" for p in used_files(lock, targets).os]

    assert debs(LINUX) == ["data:amd64", "lib:amd64"]
    assert debs(arm) == ["data:arm64", "lib:arm64"]
    assert debs(LINUX, arm) == ["data:amd64", "lib:amd64", "lib:arm64"]
    assert debs(MACOS) == []


def test_a_layer_can_be_left_out() -> None:
    lock = with_debs()
    assert used_files(lock, [LINUX], os=False).os == ()
    assert used_files(lock, [LINUX], python=False) == UsedFiles(os=used_files(lock, [LINUX]).os)
    assert used_files(lock, []).os == ()
    assert [b.version for b in used_files(full_lock(), [LINUX]).interpreters] == ["3.11.9"]
    assert used_files(full_lock(), [LINUX], python=False).interpreters == ()


def test_sources_are_every_sdist_and_the_source_packages_of_the_debs() -> None:
    lock = with_debs()
    assert lock.os is not None
    sources = tuple(
        OsSource(
            name=name,
            version="1",
            suite="bookworm",
            directory=f"pool/{name}",
            files=(OsSourceFile(name=f"{name}.dsc", sha256=digest(letter), size=1),),
        )
        for name, letter in (("data", "5"), ("lib", "6"), ("other", "7"))
    )
    lock = replace(lock, os=replace(lock.os, sources=sources))
    assert used_files(lock, [LINUX]).os_sources == ()
    used = used_files(lock, [LINUX], sources=True)
    assert [entry.file.name for entry in used.os_sources] == ["data.dsc", "lib.dsc"]
    assert {"lib-2.1.tar.gz", "hatchling-1.27.0.tar.gz"} <= set(names(used))
    assert "hatchling-1.27.0.tar.gz" not in names(used_files(lock, [LINUX]))
    assert set(names(used_files(lock, [LINUX]))) < set(names(used))
    assert used_files(lock, [LINUX], os=False, sources=True).os_sources == ()
    assert used_files(lock, [MACOS], sources=True).os_sources == ()


@given(locks())
@settings(max_examples=25)
def test_every_package_of_a_target_has_a_file_that_fits_or_is_named(lock: Lock) -> None:
    used = used_files(lock, lock.targets)
    digests = [entry.file.sha256 for entry in used.python]
    assert len(set(digests)) == len(digests)
    fits = frozenset().union(*(wheel_tags(target) for target in lock.targets))
    for entry in used.python:
        if entry.file.name.endswith(".whl") and entry.package.archive is None:
            assert parse_wheel_filename(entry.file.name)[3] & fits
    told = {entry.package.name for entry in used.python} | {
        n.partition("==")[0] for n in used.without
    }
    assert told <= {package.name for package in lock.packages}
