"""From the .debs of a lock to the source packages that they were built from.

The chain is that of the .debs: the signed Release → ``Sources`` by the digest in the Release → each
file by the digest in ``Sources``. A ``.dsc`` is signed by its uploader, too; that signature is not
looked at, since the archive's own already covers the file.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

from envlock.errors import SourceError, UsageError
from envlock.io.http.client import Http
from envlock.lock.os import OsPackage, OsSource, OsSourceFile
from envlock.resolve.os.archive.paragraphs import Layout, Paragraphs
from envlock.resolve.os.archive.suite import IndexFile, VerifiedSuite
from envlock.resolve.os.packages.control import read_fields, split_packages

_NAMED = 5
_REMEDY = "give a mirror that carries source packages, or take `sources = true` away"
_SHA256 = re.compile(r"[0-9a-f]{64}")
# A quarter of the text: all else is about building.
_USED = re.compile(
    rb"^(?:Package|Version|Directory):[^\n]*\n?|^Checksums-Sha256:[^\n]*\n?(?:[ \t][^\n]*\n?)*|^\n",
    re.M,
)
_VERSION = re.compile(rb"^Version:[ \t]*(\S+)", re.M)
_TABLES = """
CREATE TABLE source (
    name TEXT NOT NULL, version TEXT NOT NULL, number INTEGER NOT NULL,
    start INTEGER NOT NULL, length INTEGER NOT NULL, PRIMARY KEY (name, version, number)
) WITHOUT ROWID;
"""


def find_sources(
    packages: Iterable[OsPackage], suites: Sequence[VerifiedSuite], http: Http
) -> tuple[OsSource, ...]:
    """The source package of every .deb, each once, sorted.

    It is looked for in the .deb's own suite first, then in the others, and in components that the
    request does not name last (a source package of ``main`` may give packages of ``contrib``).
    Where suites have other files under the same name and version, each .deb keeps its own suite's.

    Args:
        packages: the .debs, of any architectures.
        suites: all of the base, as they were opened.
        http: for indexes that are not in the cache.

    Raises:
        SourceError: no suite has a .deb's source package, or an index of them cannot be had.
        VerificationError: an index has other bytes than its Release says.
    """
    wanted: dict[tuple[str, str, str], OsPackage] = {}
    for package in sorted(packages):
        wanted.setdefault((package.source, package.source_version, package.suite), package)
    order = [suite.suite.name for suite in suites]
    found: dict[tuple[str, str, tuple[OsSourceFile, ...]], OsSource] = {}
    lost: list[OsPackage] = []
    with _SourceIndexes(suites, http) as indexes:
        for (name, version, suite), package in wanted.items():
            source = indexes.find(name, version, near=suite)
            if source is None:
                lost.append(package)
                continue
            known = found.setdefault((name, version, source.files), source)
            if order.index(source.suite) < order.index(known.suite):
                found[name, version, source.files] = source
    if lost:
        raise _lost(lost, order)
    return tuple(sorted(found.values()))


def _lost(packages: Sequence[OsPackage], suites: Sequence[str]) -> SourceError:
    named = [f"{p.name} {p.version} (of {p.source} {p.source_version})" for p in packages[:_NAMED]]
    if len(packages) > _NAMED:
        named.append(f"{len(packages) - _NAMED} more")
    return SourceError(
        f"no suite has the source package of {', '.join(named)}",
        where=", ".join(suites),
        remedy="lock for another date, or take `sources = true` away",
    )


class _SourceIndexes:
    """The ``Sources`` of all suites, each opened when something is looked for in it."""

    def __init__(self, suites: Sequence[VerifiedSuite], http: Http) -> None:
        self._suites = suites
        self._http = http
        self._opened: dict[tuple[str, str], SourceIndex | None] = {}

    def __enter__(self) -> _SourceIndexes:
        return self

    def __exit__(self, *_: object) -> None:
        for index in self._opened.values():
            if index is not None:
                index.close()

    def find(self, name: str, version: str, *, near: str) -> OsSource | None:
        """The source package, in the suite ``near`` if that has it."""
        for suite, component in self._places(near):
            index = self._index(suite, component)
            if index is None and suite.suite.name == near and component in suite.components:
                raise SourceError(
                    f"the Release of {near} lists no source packages of {component}",
                    where=suite.folder,
                    remedy=_REMEDY,
                )
            found = index.find(name, version) if index is not None else None
            if found is not None:
                return found
        return None

    def _places(self, near: str) -> Iterator[tuple[VerifiedSuite, str]]:
        ordered = sorted(self._suites, key=lambda suite: suite.suite.name != near)
        for suite in ordered:
            yield from ((suite, component) for component in suite.components)
        for suite in ordered:
            for component in suite.release.components:
                if component not in suite.components:
                    yield suite, component

    def _index(self, suite: VerifiedSuite, component: str) -> SourceIndex | None:
        key = (suite.suite.name, component)
        if key not in self._opened:
            file = suite.index(f"{component}/source/Sources", self._http)
            self._opened[key] = None if file is None else SourceIndex(suite.suite.name, file)
        return self._opened[key]


class SourceIndex:
    """One ``Sources`` file, asked by name and version; `close` it after use.

    Raises:
        SourceError: it cannot be had, or not be kept in the cache.
        VerificationError: the text is not the one that its digest names.
        UsageError: it cannot be read.
    """

    def __init__(self, suite: str, file: IndexFile) -> None:
        self._suite = suite
        self._file = file
        self._kept = Paragraphs(_LAYOUT, sha256=file.sha256, load=self._load, where=file.where)

    def find(self, name: str, version: str) -> OsSource | None:
        """The source package of exactly that version, or None."""
        question = (
            "SELECT number, start, length FROM source WHERE name = ? AND version = ?"
            " ORDER BY number LIMIT 1"
        )
        for number, start, length in self._kept.rows(question, name, version):
            where = f"{self._file.where}, paragraph {number} ({name})"
            fields = read_fields(self._kept.paragraph(start, length), where)
            return _read_source(fields, self._suite, where)
        return None

    def close(self) -> None:
        """Let go of the file."""
        self._kept.close()

    def _load(self) -> bytes:
        try:
            return self._file.load()
        except SourceError as error:
            # Mirrors of binary packages alone are common.
            raise SourceError(error.what, where=error.where, remedy=_REMEDY) from None


def _fill(database: sqlite3.Connection, data: bytes, where: str) -> bytes:
    text = b"".join(_USED.findall(data))
    rows = []
    for stanza in split_packages(text, where):
        version = _VERSION.search(stanza.body)
        if version is None:
            raise UsageError(
                "the paragraph has no Version", where=f"{where}, paragraph {stanza.number}"
            )
        said = version[1].decode("utf-8", "replace")
        rows.append((stanza.name, said, stanza.number, stanza.start, len(stanza.body)))
    database.executemany("INSERT INTO source VALUES (?, ?, ?, ?, ?)", rows)
    return text


# The version changes with the tables, and with what is kept of the text.
_LAYOUT = Layout(name="source index", folder="os-sources", version=1, tables=_TABLES, fill=_fill)


def _read_source(fields: Mapping[str, str], suite: str, where: str) -> OsSource:
    for needed in ("Directory", "Checksums-Sha256"):
        if not fields.get(needed.lower()):
            raise UsageError(f"the paragraph has no {needed}", where=where)
    directory = fields["directory"]
    if directory.startswith("/") or ".." in directory.split("/"):
        raise UsageError(f"a folder outside of the archive: {directory!r}", where=where)
    words = fields["checksums-sha256"].split()
    files = tuple(
        _read_file(line, where) for line in zip(words[::3], words[1::3], words[2::3], strict=False)
    )
    names = {file.name for file in files}
    if len(words) % 3 or len(names) != len(files):
        raise UsageError("Checksums-Sha256 is not a list of files", where=where)
    if sum(name.endswith(".dsc") for name in names) != 1:
        raise UsageError("Checksums-Sha256 does not have one .dsc", where=where)
    return OsSource(
        name=fields["package"],
        version=fields["version"],
        suite=suite,
        directory=directory,
        files=tuple(sorted(files)),
    )


def _read_file(line: tuple[str, str, str], where: str) -> OsSourceFile:
    digest, size, name = line
    if not _SHA256.fullmatch(digest) or not (size.isascii() and size.isdecimal()) or "/" in name:
        raise UsageError(f"not a digest, a size and a name: {' '.join(line)!r}", where=where)
    return OsSourceFile(name=name, sha256=digest, size=int(size))
