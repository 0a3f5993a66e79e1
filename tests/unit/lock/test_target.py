"""Targets: one spelling, markers that exclude one another, tags that agree with packaging's."""

from __future__ import annotations

import itertools
import platform
import sysconfig

import pytest
from hypothesis import assume, given, settings
from packaging.markers import Marker, default_environment
from packaging.tags import Tag, cpython_tags, mac_platforms, parse_tag, sys_tags
from support import strategies

from envlock.errors import UsageError
from envlock.lock.target import PLATFORMS, Target, parse_target, wheel_tags

[HERE] = (
    Target(platform=name, python=".".join(platform.python_version_tuple()[:2]))
    for name, known in PLATFORMS.items()
    if (known.platform_system, known.platform_machine) == (platform.system(), platform.machine())
)
SERIES = [Target(platform=p, python=f"3.{minor}") for p in PLATFORMS for minor in range(8, 16)]


@given(strategies.targets)
def test_a_key_names_its_target(target: Target) -> None:
    assert parse_target(target.key) == target
    assert target.python.startswith(target.series)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "linux/amd64",
        "linux/amd64@",
        "linux/amd64@3",
        "linux/amd64@2.7",
        "linux/amd64@3.011",
        "linux/amd64@3.11.0rc1",
        "linux/amd64@3.11.7.1",
        "linux/amd64@3..1",
        "linux/amd64@٣.١١",
        "linux/amd64@3.11\n",
        "linux/mips@3.11",
        "Linux/amd64@3.11",
    ],
)
def test_what_is_no_target_is_refused_with_an_example(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(key)
    assert caught.value.remedy


def test_an_unknown_platform_lists_the_known() -> None:
    with pytest.raises(UsageError, match="linux/mips") as caught:
        Target(platform="linux/mips", python="3.11")
    assert "linux/arm64" in (caught.value.remedy or "")


def test_no_environment_is_on_two_targets() -> None:
    for one, two in itertools.permutations(SERIES, 2):
        assert not Marker(one.marker).evaluate(two.environment()), (one, two)


@given(strategies.targets, strategies.targets)
@settings(deadline=None)
def test_markers_exclude_each_other_unless_one_contains_the_other(one: Target, two: Target) -> None:
    overlap = (
        one.platform == two.platform
        and one.series == two.series
        and (one.python == two.python or one.series in (one.python, two.python))
    )
    assume(not overlap)
    assert not Marker(one.marker).evaluate(two.environment())


@given(strategies.targets)
@settings(deadline=None)
def test_a_marker_holds_on_its_own_target(target: Target) -> None:
    assert Marker(target.marker).evaluate(target.environment())
    other = target.environment() | {"implementation_name": "pypy"}
    assert not Marker(target.marker).evaluate(other)


def test_any_patch_is_on_an_open_target_and_only_one_on_a_closed_one() -> None:
    open_target = Target(platform="linux/amd64", python="3.11")
    closed = Target(platform="linux/amd64", python="3.11.7")
    for patch in ("3.11.0", "3.11.7", "3.11.12"):
        environment = open_target.environment(patch)
        assert environment["python_full_version"] == patch
        assert Marker(open_target.marker).evaluate(environment)
        assert Marker(closed.marker).evaluate(environment) is (patch == "3.11.7")
    assert not Marker(open_target.marker).evaluate(
        closed.environment("3.12.0") | {"python_version": "3.12"}
    )


def test_this_machines_environment_is_the_one_that_packaging_sees() -> None:
    here = default_environment()
    environment = HERE.environment(here["python_full_version"])
    assert environment.keys() == here.keys()
    for key in environment.keys() - {"platform_release", "platform_version"}:
        assert environment[key] == here[key], key
    assert Marker(HERE.marker).evaluate()


def test_every_wheel_that_this_machine_takes_is_taken() -> None:
    taken = wheel_tags(HERE)
    missing = {tag for tag in sys_tags() if tag not in taken and "musllinux" not in tag.platform}
    assert missing == set()


@pytest.mark.parametrize("version", [(11, 0), (12, 0), (14, 0), (15, 0), (26, 0), (10, 15)])
@pytest.mark.parametrize(("name", "machine"), [("macos/arm64", "arm64"), ("macos/amd64", "x86_64")])
def test_every_wheel_that_some_mac_takes_is_taken(
    name: str, machine: str, version: tuple[int, int]
) -> None:
    if machine == "arm64" and version < (11, 0):
        version = (11, 0)  # there was no such machine before
    target = Target(platform=name, python="3.12")
    tags = set(cpython_tags((3, 12), abis=["cp312"], platforms=mac_platforms(version, machine)))
    assert tags <= wheel_tags(target)


@pytest.mark.parametrize(
    ("key", "taken", "refused"),
    [
        (
            "linux/amd64@3.11",
            [
                "py3-none-any",
                "py2.py3-none-any",
                "cp311-cp311-manylinux_2_17_x86_64",
                "cp311-cp311-manylinux_2_28_x86_64",
                "cp37-abi3-manylinux2014_x86_64",
                "cp311-cp311-manylinux1_x86_64",
                "cp311-cp311-manylinux2010_x86_64",
                "py3-none-linux_x86_64",
                "py311-none-any",
                "py39-none-any",
            ],
            [
                "cp311-cp311-musllinux_1_1_x86_64",
                "cp311-cp311-manylinux_2_17_aarch64",
                "cp311-cp311-manylinux_2_17_i686",
                "cp312-cp312-manylinux_2_17_x86_64",
                "cp312-abi3-manylinux_2_17_x86_64",
                "cp311-cp311t-manylinux_2_17_x86_64",
                "cp311-cp311d-manylinux_2_17_x86_64",
                "pp311-pypy311_pp73-manylinux_2_17_x86_64",
                "py2-none-any",
                "py312-none-any",
                "cp311-cp311-win_amd64",
            ],
        ),
        (
            "linux/arm64@3.11",
            ["cp311-cp311-manylinux2014_aarch64", "cp311-cp311-manylinux_2_17_aarch64"],
            ["cp311-cp311-manylinux1_x86_64", "cp311-cp311-manylinux2010_aarch64"],
        ),
        (
            "macos/arm64@3.13",
            ["cp313-cp313-macosx_11_0_arm64", "cp313-cp313-macosx_10_13_universal2"],
            ["cp313-cp313-macosx_10_13_x86_64", "cp313-cp313t-macosx_11_0_arm64"],
        ),
        (
            "macos/amd64@3.13",
            ["cp313-cp313-macosx_10_13_x86_64", "cp313-cp313-macosx_10_13_universal2"],
            ["cp313-cp313-macosx_11_0_arm64"],
        ),
        ("windows/amd64@3.12", ["cp312-cp312-win_amd64"], ["cp312-cp312-win32"]),
        ("windows/arm64@3.12", ["cp312-cp312-win_arm64"], ["cp312-cp312-win_amd64"]),
        ("linux/amd64@3.7", ["cp37-cp37m-manylinux1_x86_64"], ["cp37-cp37-manylinux1_x86_64"]),
    ],
)
def test_wheels_that_are_taken_and_refused(key: str, taken: list[str], refused: list[str]) -> None:
    tags = wheel_tags(parse_target(key))
    assert [text for text in taken if tags.isdisjoint(parse_tag(text))] == []
    assert [text for text in refused if not tags.isdisjoint(parse_tag(text))] == []


def test_tags_do_not_follow_the_python_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(platform="linux/amd64", python="3.14")
    expected = wheel_tags(target)
    known = sysconfig.get_config_var
    strange = {"Py_DEBUG": 1, "Py_GIL_DISABLED": 1, "EXT_SUFFIX": ".cpython-314td.so"}
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: strange.get(name, known(name)))
    wheel_tags.cache_clear()
    try:
        assert wheel_tags(target) == expected
    finally:
        wheel_tags.cache_clear()
    assert Tag("cp314", "cp314", "manylinux_2_28_x86_64") in expected
