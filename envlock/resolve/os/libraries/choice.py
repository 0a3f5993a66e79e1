"""Which package it shall be, where several have a library."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_NUMBERED = re.compile(r"(?P<name>.+)\.so\.(?P<version>[^/]+)")
_IN_THE_NAME = re.compile(r"(?P<name>.+)-(?P<version>[0-9][0-9.]*)\.so")
_RENAMED = ("", "t64", "v5")
"""What Debian appended when a library's ABI changed under the same soname."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """Packages that have a file of one name, sorted.

    ``found`` have it in a folder that the loader searches; ``below`` in one directly below the
    multiarch folder, as what update-alternatives chooses from has (``…/openblas-pthread/``).
    """

    found: tuple[str, ...]
    below: tuple[str, ...]


def choose(
    soname: str, holders: Holders, declared: Iterable[str], locked: Collection[str]
) -> str | None:
    """The package to name for a library; None when nobody has it.

    A package has it when the file lies where the loader looks, or when it declares to provide the
    soname (``Provides: libblas.so.3``, with a link made by update-alternatives). Where neither is
    so, those with the file one folder below are taken for such ones: ``libopenblas.so.0``. Of
    several, the first of: one that is locked; one with the file itself where the loader looks; the
    one named after the soname (Debian Policy §8.1); one that is not for development; by name.

    Args:
        declared: packages that provide the soname as a name.
        locked: names of the locked packages.
    """
    able = {*holders.found, *declared} or set(holders.below)
    named = policy_names(soname)

    def order(name: str) -> tuple[bool, bool, bool, bool, str]:
        return (
            name not in locked,
            name not in holders.found,
            name not in named,
            name.endswith("-dev"),
            name,
        )

    return min(able, key=order, default=None)


def policy_names(soname: str) -> tuple[str, ...]:
    """What Debian Policy §8.1 calls the package of a library, and its later spellings.

    >>> policy_names("libGL.so.1")[0], policy_names("libdb-5.3.so")[0]
    ('libgl1', 'libdb5.3')
    """
    match = _NUMBERED.fullmatch(soname) or _IN_THE_NAME.fullmatch(soname)
    if match is None:
        return (soname.removesuffix(".so").lower().replace("_", "-"),)
    # A hyphen keeps the version apart from a name that ends with a digit.
    between = "-" if match["name"][-1].isdigit() else ""
    name = f"{match['name']}{between}{match['version']}".lower().replace("_", "-")
    return tuple(name + suffix for suffix in _RENAMED)
