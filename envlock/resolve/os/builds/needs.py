"""What building a source package needs, from the very archives that a lock was made from.

A lock names the digest of each suite's Release. That Release covers the indexes, these every .deb
and source package: whoever opens the same Releases resolves the same build dependencies, so that
they need not stand in the lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, cast

from envlock.errors import DiskError, SourceError, UsageError
from envlock.io.cache import DiskCache
from envlock.io.http.client import Http
from envlock.io.progress import Reporter
from envlock.lock.canonical import digest
from envlock.lock.os import OsLayer, OsPackage, OsSource, OsSourceFile
from envlock.resolve.os.archive.index import PackageIndex
from envlock.resolve.os.archive.locate import lock_mirrors
from envlock.resolve.os.archive.locked import locked_suites
from envlock.resolve.os.archive.suite import VerifiedSuite
from envlock.resolve.os.archive.trust import read_keyring
from envlock.resolve.os.builds.relations import build_relations
from envlock.resolve.os.builds.sources import find_sources
from envlock.resolve.os.closure.close import close_needs
from envlock.resolve.os.lock import locked_packages
from envlock.resolve.os.packages.control import read_fields

_KIND = "debian-build-needs-1"
"""Another number when the same archives come to other build dependencies."""

ALWAYS = ("build-essential", "fakeroot")
"""What Debian's own builders install for every package (sbuild's core dependencies)."""

_ONLINE = "run it once without --offline"
_BEGIN = "-----BEGIN PGP SIGNED MESSAGE-----"
_END = "-----BEGIN PGP SIGNATURE-----"


class LockedArchive:
    """The archives of a lock's OS layer, opened when something is first asked that is not known.

    A context manager.

    Args:
        layer: the lock's.
        as_of: the lock's date (UTC).
        root: the project's folder.
        architecture: this machine's, as Debian calls it: what is built, and builds.
        mirrors, keyring: the project's own, as in its request.
        offline: nothing is asked that needs the network.
        reporter: told the phases.
    """

    def __init__(
        self,
        layer: OsLayer,
        as_of: datetime,
        root: Path,
        *,
        architecture: str,
        mirrors: tuple[str, ...] = (),
        keyring: str | None = None,
        offline: bool,
        reporter: Reporter,
    ) -> None:
        self._layer = layer
        self._as_of = as_of
        self._root = root
        self._architecture = architecture
        self._mirrors = mirrors
        self._keyring = keyring
        self._offline = offline
        self._reporter = reporter
        self._http: Http | None = None
        self._cache = DiskCache(_KIND)

    def __enter__(self) -> LockedArchive:
        return self

    def __exit__(self, *_: object) -> None:
        if self._http is not None:
            self._http.close()

    def source(self, packages: Iterable[OsPackage]) -> OsSource:
        """The source package that .debs of the lock, all of the same one, were built from.

        Raises:
            SourceError, VerificationError: see `needs`.
        """
        package = min(packages)
        key = self._key("source", package.source, package.source_version, package.suite)
        for source in self._layer.sources:
            named = (source.name, source.version) == (package.source, package.source_version)
            if named and (source.suite == package.suite or self._only(source)):
                return source
        kept = self._cache.get(key)
        if kept is not None:
            return _source(json.loads(kept))
        [found] = find_sources([package], self._suites, self._client())
        self._cache.put(key, json.dumps(asdict(found)).encode())
        return found

    def needs(self, source: OsSource, dsc: bytes, kind: str) -> tuple[OsPackage, ...]:
        """Every package of a root in which the source package can be built, sorted.

        The essential ones, `ALWAYS`, and the build dependencies without any build profile, chosen
        as apt chooses them.

        Args:
            source: the source package.
            dsc: its ``.dsc``, verified.
            kind: ``any``, ``all`` or ``binary``: which of its packages are built.

        Raises:
            UsageError: the ``.dsc`` cannot be read.
            NoSolutionError: the build dependencies cannot be installed.
            SourceError: an archive is not to be had as it was locked.
            VerificationError: a signature or digest is not right.
        """
        architecture = self._architecture
        key = self._key("needs", source.name, digest(asdict(source)), kind, architecture)
        kept = self._cache.get(key)
        if kept is not None:
            return tuple(_package(table) for table in json.loads(kept))
        where = next(file.name for file in source.files if file.name.endswith(".dsc"))
        fields = dsc_fields(dsc, where)
        depends, conflicts = build_relations(fields, kind, architecture, where)
        suites = self._suites
        parts = [part for s in suites for part in s.parts if part.architecture == architecture]
        self._reporter.step(f"resolving what {source.name} is built with")
        with PackageIndex(parts, architecture=architecture) as index:
            solution = close_needs(
                index,
                f"builddeps:{source.name}",
                source.version,
                depends=", ".join(filter(None, (*ALWAYS, depends))),
                conflicts=conflicts,
            )
            found = tuple(sorted(locked_packages(solution, index, architecture, {})))
        self._cache.put(key, json.dumps([asdict(package) for package in found]).encode())
        return found

    def _only(self, source: OsSource) -> bool:
        """Whether the lock has no other source package of that name and version."""
        same = [
            one
            for one in self._layer.sources
            if (one.name, one.version) == (source.name, source.version)
        ]
        return len(same) == 1

    def _key(self, *words: str) -> str:
        archives = [[a.archive, a.suite, a.release_sha256] for a in self._layer.archives]
        components = [list(a.components) for a in self._layer.archives]
        return digest([archives, components, list(ALWAYS), list(words)])

    def _client(self) -> Http:
        if self._offline:
            return cast("Http", _Offline())
        if self._http is None:
            self._http = Http()
        return self._http

    @cached_property
    def _suites(self) -> tuple[VerifiedSuite, ...]:
        layer = self._layer
        self._reporter.step(f"verifying {layer.base}")
        own = None if self._keyring is None else read_keyring(self._root / self._keyring)
        mirrors = lock_mirrors(layer, self._root, given=self._mirrors, keyring=self._keyring)
        try:
            return locked_suites(
                layer, self._as_of, self._architecture, mirrors, own, self._client()
            )
        except DiskError:
            raise
        except SourceError as error:
            mirror = "check the network, or name a snapshot mirror in [tool.envlock.os]"
            remedy = _ONLINE if self._offline else mirror
            raise SourceError(error.what, where=error.where, remedy=remedy) from None


class _Offline:
    """In the place of a client: all that would be asked is not at hand."""

    def __getattr__(self, name: str) -> NoReturn:
        raise SourceError(
            "the archive's signed indexes are not on this machine",
            remedy=_ONLINE,
        )


def dsc_fields(content: bytes, where: str) -> dict[str, str]:
    """The fields of a ``.dsc``, names in lower case; a signature around it is passed over.

    Raises:
        UsageError: it is none.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"not UTF-8 (byte {error.start})", where=where) from None
    if text.startswith(_BEGIN):
        _, _, text = text.partition("\n\n")
        text = text.partition(_END)[0]
        text = "\n".join(line.removeprefix("- ") for line in text.split("\n"))
    fields = read_fields(text.strip("\n").encode(), where)
    if "source" not in fields or "version" not in fields:
        raise UsageError("it is no .dsc: it has no Source or no Version", where=where)
    return fields


def _source(table: Mapping[str, Any]) -> OsSource:
    files = tuple(OsSourceFile(**file) for file in table["files"])
    return OsSource(**{**table, "files": files})


def _package(table: Mapping[str, Any]) -> OsPackage:
    package = OsPackage(**table)
    return replace(package, via=tuple(package.via), via_wheels=tuple(package.via_wheels))
