"""The values of an inventory: parts, their files, and who needs whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a part is."""

    PYTHON = "python"
    BUILD = "build"
    """A Python package that only building an sdist needs."""
    OS = "os"
    OS_BUILD = "os-build"
    """A package of the distribution that only builds need."""
    OS_SOURCE = "os-source"
    SYSTEM = "system"
    """The distribution's release itself."""
    INTERPRETER = "interpreter"
    IMAGE = "image"
    TOOLCHAIN = "toolchain"
    """nixpkgs, or a Guix channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFile:
    """A file of a part. ``url`` has no credentials, ``path`` is relative to the lockfile; both may
    be None where the lock names no place. ``source`` says that it is to be built."""

    name: str
    sha256: str
    size: int | None = None
    url: str | None = None
    path: str | None = None
    source: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of an environment.

    ``ref`` is its name within the inventory. ``needs``, ``built_with`` (packages of its build
    environment), ``built_by`` (tools: packages of the distribution) and ``built_from`` are refs of
    other parts. ``revision`` is a commit (hex), ``sha256`` a digest of the part itself where it
    is no file (an image). ``facts`` are further properties, sorted.
    """

    ref: str
    kind: Kind
    name: str
    version: str | None = None
    purl: str | None = None
    files: tuple[PartFile, ...] = ()
    needs: tuple[str, ...] = ()
    built_with: tuple[str, ...] = ()
    built_by: tuple[str, ...] = ()
    built_from: str | None = None
    repository: str | None = None
    revision: str | None = None
    sha256: str | None = None
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def runtime(self) -> bool:
        """Whether it is in the environment, and not only needed to make it."""
        return self.kind not in (Kind.BUILD, Kind.OS_BUILD, Kind.OS_SOURCE, Kind.TOOLCHAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All parts of a lock, sorted by ref.

    ``environment_hash`` is the whole one, ``lock_sha256`` the digest of the lockfile, ``scope`` the
    target's key or ``all``. ``roots`` are the parts that the environment itself asks for: all
    others of the environment are needed by one of them. ``tools`` are those that the project asks
    for to build with, whatever is built.
    """

    environment_hash: str
    lock_sha256: str
    as_of: datetime
    scope: str
    parts: tuple[Part, ...]
    roots: tuple[str, ...]
    tools: tuple[str, ...] = ()
