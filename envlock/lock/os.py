"""The lock's OS layer: the archives that were verified, and every package from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class OsArchive:
    """One suite of one archive, as its signed Release stood.

    ``archive`` is the archive's name (``debian``, ``debian-security``, ``ubuntu``); ``snapshot``
    the instant under which the snapshot service keeps it (``20260301T000000Z``), or None when it
    was read from a mirror as it is now. ``release_sha256`` covers the verified payload,
    ``release_date`` is the Release's own ``Date`` (UTC), ``key`` the signing key's fingerprint
    (upper-case hex).
    """

    archive: str
    suite: str
    components: tuple[str, ...]
    snapshot: str | None = None
    release_sha256: str
    release_date: datetime
    key: str


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class OsPackage:
    """One .deb of one architecture.

    ``architecture`` is the target's (``amd64``), also for packages that are ``all``; ``file_name``
    is the path in the archive; ``suite`` the one that it was taken from. ``base`` says that it
    belongs to the base system, ``requested`` that the project names it, ``via`` who pulled it in.
    ``via_wheels`` are the locked Python packages for whose libraries it was added (``auto``).
    """

    architecture: str
    name: str
    version: str
    sha256: str
    size: int
    file_name: str
    suite: str
    source: str
    source_version: str
    base: bool = False
    requested: bool = False
    via: tuple[str, ...] = ()
    via_wheels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OsLibrary:
    """A shared library that locked wheels need of the system, beyond the C library itself.

    ``soname`` is what ELF files call it (``libGL.so.1``); ``package`` the base's package that
    provides it, locked or not, or None where the base has none; ``wheels`` the locked Python
    packages that need it. ``partly_read`` says that only wheels need it that are so large that
    parts of them were read, which no digest covers.
    """

    architecture: str
    soname: str
    package: str | None = None
    wheels: tuple[str, ...]
    partly_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class OsSourceFile:
    """A file of a source package: its plain name, digest, and size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class OsSource:
    """A source package that some .deb of the lock was built from.

    ``suite`` is the one whose index has it; ``directory`` the folder in that suite's archive in
    which all ``files`` are, of which one is the ``.dsc``. That file is signed, too: its digest
    comes from an index that was verified, so the signature inside is not needed.
    """

    name: str
    version: str
    suite: str
    directory: str
    files: tuple[OsSourceFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OsLayer:
    """``base`` is the distribution (``debian:bookworm``); entries are sorted.

    ``build_packages`` are those that building needs beside ``packages``, which are what runs; of
    them ``via_wheels`` are the Python packages whose builds are known to need them.
    ``sources`` are those of all ``packages``, or empty where the request does not ask for them.
    ``libraries`` is what the locked wheels need of the system; ``unread`` the files of wheels
    that were too large to look into (``torch: torch/lib/libtorch_cuda.so``).
    """

    base: str
    archives: tuple[OsArchive, ...]
    packages: tuple[OsPackage, ...]
    build_packages: tuple[OsPackage, ...] = ()
    sources: tuple[OsSource, ...] = ()
    libraries: tuple[OsLibrary, ...] = ()
    unread: tuple[str, ...] = ()

    def package(self, name: str) -> tuple[OsPackage, ...]:
        """Entries called ``name``; one per architecture."""
        return tuple(p for p in self.packages if p.name == name)

    def build_package(self, name: str) -> tuple[OsPackage, ...]:
        """The same among what is only needed to build."""
        return tuple(p for p in self.build_packages if p.name == name)

    @property
    def missing(self) -> tuple[OsLibrary, ...]:
        """The libraries that no locked package provides."""
        there = {(p.architecture, p.name) for p in self.packages}
        return tuple(
            entry for entry in self.libraries if (entry.architecture, entry.package) not in there
        )
