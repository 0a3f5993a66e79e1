"""The target that serves a machine, the packages of that target, and errors that name both."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from packaging.markers import Marker
from support.samples import LINUX, MACOS, WINDOWS, package, small_lock
from support.strategies import locks

from envlock.errors import UsageError
from envlock.lock.model import Lock
from envlock.lock.selection import select_target, wanted_packages
from envlock.lock.target import Target

NEWER = Target(platform="linux/amd64", python="3.12")
OLD = Target(platform="linux/amd64", python="3.9")
EXACT = Target(platform="linux/amd64", python="3.11.7")


def lock_for(*targets: Target) -> Lock:
    return dataclasses.replace(small_lock(), targets=targets)


def test_the_platform_decides_and_the_newest_python_where_none_is_given() -> None:
    lock = lock_for(OLD, LINUX, NEWER, MACOS)
    assert select_target(lock, "linux/amd64") == NEWER
    assert select_target(lock, "macos/arm64") == MACOS


def test_the_interpreter_decides_where_it_is_given() -> None:
    lock = lock_for(OLD, LINUX, NEWER)
    assert select_target(lock, "linux/amd64", "3.11.4") == LINUX
    assert select_target(lock, "linux/amd64", "3.9.18") == OLD


def test_a_fixed_patch_goes_before_its_series_and_serves_no_other_patch() -> None:
    assert select_target(lock_for(LINUX, EXACT), "linux/amd64", "3.11.7") == EXACT
    assert select_target(lock_for(LINUX, EXACT), "linux/amd64", "3.11.8") == LINUX
    with pytest.raises(UsageError, match=r"CPython 3\.11\.8"):
        select_target(lock_for(EXACT), "linux/amd64", "3.11.8")


def test_no_target_for_the_platform_names_what_is_locked_and_the_line_to_change() -> None:
    with pytest.raises(UsageError) as caught:
        select_target(lock_for(LINUX, WINDOWS), "macos/arm64")
    assert "macos/arm64" in caught.value.what
    assert "linux/amd64@3.11, windows/amd64@3.11" in caught.value.what
    assert caught.value.remedy is not None
    assert '"macos/arm64" to targets' in caught.value.remedy
    assert caught.value.exit_code == 2


def test_no_target_for_the_python_names_both() -> None:
    with pytest.raises(UsageError) as caught:
        select_target(lock_for(LINUX), "linux/amd64", "3.12.1")
    assert "3.12.1" in caught.value.what
    assert "linux/amd64@3.11" in caught.value.what
    assert caught.value.remedy is not None
    assert 'python = "3.12"' in caught.value.remedy


def test_default_groups_count_and_extras_do_not() -> None:
    lock = small_lock(
        package("plain"),
        package("plot", marker="'plot' in extras"),
        package("dev", marker="'dev' in dependency_groups and sys_platform == 'linux'"),
    )
    assert [p.name for p in wanted_packages(lock, LINUX)] == ["plain"]
    asked = dataclasses.replace(lock.request, extras=("plot",), groups=("dev",))
    lock = dataclasses.replace(lock, request=asked)
    assert [p.name for p in wanted_packages(lock, LINUX)] == ["plain", "dev"]
    assert [p.name for p in wanted_packages(lock, WINDOWS)] == ["plain"]


@given(lock=locks())
def test_a_package_is_wanted_exactly_where_its_marker_holds(lock: Lock) -> None:
    for target in lock.targets:
        wanted = wanted_packages(lock, target)
        environment = {**target.environment(), "extras": set[str]()}
        environment["dependency_groups"] = set(lock.request.groups)
        assert wanted == tuple(
            p
            for p in lock.packages
            if p.marker is None or Marker(p.marker).evaluate(environment, "lock_file")
        )
