"""Which wheel a flake takes, where an installer would look at the machine."""

from __future__ import annotations

import pytest
from support.samples import LINUX, wheel

from envlock.export.nix.wheels import choose
from envlock.lock.target import Target

ARM_MAC = Target(platform="macos/arm64", python="3.12")


@pytest.mark.parametrize(
    ("tags", "target", "chosen", "glibc"),
    [
        (["py3-none-any", "cp311-cp311-manylinux_2_17_x86_64"], LINUX, 1, None),
        # What every nixpkgs can run goes before what only some can.
        (
            ["cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_34_x86_64"],
            LINUX,
            0,
            None,
        ),
        (
            ["cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_28_x86_64"],
            LINUX,
            1,
            None,
        ),
        (
            ["cp311-cp311-manylinux_2_39_x86_64", "cp311-cp311-manylinux_2_34_x86_64"],
            LINUX,
            1,
            "2.34",
        ),
        (["cp311-cp311-manylinux2014_x86_64.manylinux_2_34_x86_64"], LINUX, 0, None),
        (["cp311-abi3-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_17_x86_64"], LINUX, 1, None),
        (["cp312-cp312-macosx_14_0_arm64", "cp312-cp312-macosx_11_0_arm64"], ARM_MAC, 1, None),
        (["cp312-cp312-macosx_14_0_arm64", "cp312-cp312-macosx_13_0_arm64"], ARM_MAC, 1, None),
        (["cp312-cp312-macosx_10_9_universal2", "cp312-cp312-macosx_11_0_arm64"], ARM_MAC, 1, None),
        (["cp312-cp312-manylinux_2_17_x86_64", "cp311-cp311-win_amd64"], LINUX, None, None),
        ([], LINUX, None, None),
    ],
)
def test_choice(tags: list[str], target: Target, chosen: int | None, glibc: str | None) -> None:
    files = tuple(wheel("x", "1", tag=tag) for tag in tags)
    for order in (files, files[::-1]):
        found = choose(order, target)
        if chosen is None:
            assert found is None
        else:
            assert found is not None
            assert (found.file, found.glibc) == (files[chosen], glibc)


def test_the_higher_build_number_is_taken() -> None:
    import dataclasses

    plain = wheel("x", "1")
    names = ["x-1-2-py3-none-any.whl", "x-1-10-py3-none-any.whl", "x-1-2a-py3-none-any.whl"]
    files = (plain, *(dataclasses.replace(plain, name=name) for name in names))
    found = choose(files, LINUX)
    assert found is not None
    assert found.file.name == "x-1-10-py3-none-any.whl"
