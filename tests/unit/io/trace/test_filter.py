"""What the filter answers, by an interpreter of its instructions; also for other machines."""

from __future__ import annotations

import struct

import pytest

from envlock.io.trace.abi import AARCH64, ARM, I386, INTERFACES, X32_BIT, X86_64
from envlock.io.trace.filter import program

ALLOW, NOTIFY = 0x7FFF0000, 0x7FC00000


def answer(machine: str, arch: int, number: int, *arguments: int) -> int:
    """Run the program, as the kernel's documentation of socket filters says."""
    code = list(struct.iter_unpack("=HBBI", program(machine)))
    given = [*arguments, *([0] * (6 - len(arguments)))]
    data = struct.pack("=IIQ6Q", number, arch, 0, *given)
    at = accumulator = 0
    while True:
        operation, true, false, value = code[at]
        at += 1
        match operation:
            case 0x20:
                accumulator = struct.unpack_from("=I", data, value)[0]
            case 0x15:
                at += true if accumulator == value else false
            case 0x45:
                at += true if accumulator & value else false
            case 0x05:
                at += value
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"an instruction that is not used here: {operation:#x}")


ARCHES = [
    ("x86_64", X86_64, 0),
    ("x86_64", X86_64, X32_BIT),
    ("x86_64", I386, 0),
    ("aarch64", AARCH64, 0),
    ("aarch64", ARM, 0),
]


def numbers(machine: str, arch: int, bits: int) -> dict[str, int]:
    [found] = [i for i in INTERFACES[machine] if (i.arch, i.bits) == (arch, bits)]
    return {name: number | bits for name, number in found.numbers.items()}


@pytest.mark.parametrize(("machine", "arch", "bits"), ARCHES)
def test_watched_calls_ask_and_others_do_not(machine: str, arch: int, bits: int) -> None:
    watched = numbers(machine, arch, bits)
    for name in ("openat2", "execve", "execveat", "renameat2", "linkat", "connect", "exit_group"):
        assert answer(machine, arch, watched[name]) == NOTIFY, name
    for number in set(range(600)) - {number & ~bits for number in watched.values()}:
        assert answer(machine, arch, number | bits) == ALLOW, number


@pytest.mark.parametrize(("machine", "arch", "bits"), ARCHES)
def test_arguments_decide(machine: str, arch: int, bits: int) -> None:
    watched = numbers(machine, arch, bits)
    directory = 0o40000 if machine == "aarch64" else 0o200000
    for flags, expected in ((0, NOTIFY), (0o1101, NOTIFY), (directory, ALLOW), (1 << 21, ALLOW)):
        assert answer(machine, arch, watched["openat"], 0, 0, flags) == expected
        if "open" in watched:
            assert answer(machine, arch, watched["open"], 0, flags) == expected
    assert answer(machine, arch, watched["unlinkat"], 0, 0, 0) == NOTIFY
    assert answer(machine, arch, watched["unlinkat"], 0, 0, 0x200) == ALLOW
    assert answer(machine, arch, watched["unshare"], 0x20000) == NOTIFY
    assert answer(machine, arch, watched["unshare"], 0x10000000) == ALLOW
    for address, expected in ((0, ALLOW), (1, NOTIFY), (1 << 32, NOTIFY)):
        assert answer(machine, arch, watched["sendto"], 3, 0, 0, 0, address) == expected


def test_calls_through_socketcall() -> None:
    for call, expected in ((1, ALLOW), (2, NOTIFY), (3, NOTIFY), (9, ALLOW), (11, NOTIFY)):
        assert answer("x86_64", I386, 102, call) == expected


def test_another_architecture_is_left_alone() -> None:
    assert answer("x86_64", 0xDEAD, 2) == ALLOW
