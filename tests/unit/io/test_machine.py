"""This machine's name is one that targets know, and an unknown machine is told what to do."""

from __future__ import annotations

import itertools

import pytest

from envlock.errors import UsageError
from envlock.io.machine import machine_platform, platform_name, running_python
from envlock.lock.target import PLATFORMS, Target


def test_this_machine_is_a_platform() -> None:
    assert Target(platform=machine_platform(), python=running_python())


def test_every_platform_is_some_machines() -> None:
    systems = ("linux", "darwin", "win32")
    machines = ("x86_64", "AMD64", "aarch64", "arm64", "ARM64")
    found = {platform_name(s, m) for s, m in itertools.product(systems, machines)}
    assert found == set(PLATFORMS)


def test_names_agree_with_the_markers() -> None:
    for name, platform in PLATFORMS.items():
        assert platform_name(platform.sys_platform, platform.platform_machine) == name


@pytest.mark.parametrize(
    ("system", "machine", "triplet"),
    [
        ("freebsd14", "amd64", ""),
        ("linux", "riscv64", ""),
        ("linux", "i686", ""),
        ("linux", "x86_64", "x86_64-pc-linux-musl"),
    ],
)
def test_unknown(system: str, machine: str, triplet: str) -> None:
    with pytest.raises(UsageError) as caught:
        platform_name(system, machine, triplet)
    assert machine in caught.value.what
    assert "targets = " in (caught.value.remedy or "")
