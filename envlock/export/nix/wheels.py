"""Which of a package's wheels an environment gets that Nix builds.

An installer looks at the machine; a flake must say beforehand. On Linux the C library is that of
nixpkgs: glibc 2.31 or newer in every revision since September 2020. On macOS it is that of the
machine that runs it, so the wheel is taken that the oldest macOS can use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from envlock.lock.package import Artifact
from envlock.lock.target import Target, ranked_tags

_ALWAYS = {"linux": 31, "macos": 11}
_LEGACY = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
_FLOOR = re.compile(r"manylinux_2_(?P<glibc>[0-9]+)_|macosx_(?P<macos>[0-9]+)_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A wheel. ``glibc`` (``2.39``) is what it needs, where not every nixpkgs has that."""

    file: Artifact
    glibc: str | None = None


def choose(files: tuple[Artifact, ...], target: Target) -> Choice | None:
    """The wheel that installers would prefer among those that any nixpkgs can run.

    Where there is none, the one that needs the oldest C library; None where none fits at all.
    """
    ranks = {tag: rank for rank, tag in enumerate(ranked_tags(target))}
    always = _ALWAYS[target.platform.partition("/")[0]]
    found = []
    for file in files:
        _name, _version, build, tags = parse_wheel_filename(file.name)
        number, suffix = build or (0, "")
        # The higher build number is preferred.
        rest = (-number, [-ord(sign) for sign in suffix], file.name)
        found += [
            ((max(_floor(tag), always), ranks[tag], rest), file) for tag in tags if tag in ranks
        ]
    if not found:
        return None
    (floor, _rank, _rest), file = min(found, key=lambda option: option[0])
    linux = target.platform.startswith("linux/")
    return Choice(file=file, glibc=f"2.{floor}" if linux and floor > always else None)


def _floor(tag: Tag) -> int:
    """The minor version of glibc, or the major one of macOS, that a tag asks for; 0 for neither."""
    match = _FLOOR.match(tag.platform)
    if match:
        return int(match["glibc"] or match["macos"])
    return _LEGACY.get(tag.platform.partition("_")[0], 0)
