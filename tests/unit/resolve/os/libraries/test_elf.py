"""What an ELF file needs and is called; files that no loader would take."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.elf import AMD64, ARM64, I386, PPC64, shared_object

from envlock.resolve.os.libraries.elf import Elf, read_elf


@pytest.mark.parametrize(
    ("options", "bits", "machine"),
    [
        ({}, 64, AMD64),
        ({"machine": ARM64, "padding": 100_000}, 64, ARM64),
        ({"machine": I386, "bits": 32}, 32, I386),
        ({"machine": PPC64, "big": True}, 64, PPC64),
    ],
)
def test_names_are_read_whatever_the_machine(
    options: dict[str, Any], bits: int, machine: int
) -> None:
    content = shared_object("libGL.so.1", "libc.so.6", soname="libown.so.2", **options)
    assert read_elf(BytesIO(content)) == Elf(
        bits=bits,
        machine=machine,
        soname="libown.so.2",
        needed=("libGL.so.1", "libc.so.6"),
    )


def test_a_runpath_takes_the_place_of_an_rpath() -> None:
    both = shared_object("a.so", rpath="$ORIGIN/old", runpath="$ORIGIN/../a.libs:/opt/x")
    found = read_elf(BytesIO(both))
    assert found is not None
    assert found.search == ("$ORIGIN/../a.libs", "/opt/x")
    found = read_elf(BytesIO(shared_object("a.so", rpath="$ORIGIN/old")))
    assert found is not None
    assert found.search == ("$ORIGIN/old",)


@pytest.mark.parametrize("content", [b"", b"\x7fEL", b"\x7fELF", b"#!/bin/sh\n", bytes(200)])
def test_what_is_no_elf_file_is_none(content: bytes) -> None:
    assert read_elf(BytesIO(content)) is None


def test_a_file_cut_anywhere_is_none() -> None:
    whole = shared_object("libGL.so.1", soname="libown.so.2")
    assert all(read_elf(BytesIO(whole[:end])) is None for end in range(len(whole)))


@given(st.data())
def test_damage_is_never_an_error(data: st.DataObject) -> None:
    content = bytearray(shared_object("libGL.so.1", "libc.so.6", soname="x.so", runpath="$ORIGIN"))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    found = read_elf(BytesIO(bytes(content)))
    assert found is None or isinstance(found, Elf)
