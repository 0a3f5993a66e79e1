"""The package index: ``Packages`` files kept as SQLite, asked by name.

A distribution's index is some 50 MB of text and a closure needs a few hundred of its paragraphs.
So each file is cut into paragraphs once and kept under its digest; later commands read only the
paragraphs they follow.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from envlock.errors import SourceError, UsageError, VerificationError
from envlock.io.files import write_atomic
from envlock.io.paths import cache_dir
from envlock.resolve.os.candidates import BinaryPackage, Candidate, read_candidate
from envlock.resolve.os.control import first_mentions, split_packages
from envlock.resolve.os.version import sort_key

# Changes with the tables below; another number is built anew.
_FORMAT = 1
_SCHEMA = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA page_size = 4096;
CREATE TABLE package (
    name TEXT NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL,
    length INTEGER NOT NULL, PRIMARY KEY (name, number)
) WITHOUT ROWID;
CREATE TABLE provider (
    virtual TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (virtual, name, number)
) WITHOUT ROWID;
CREATE TABLE essential (name TEXT NOT NULL, number INTEGER NOT NULL);
CREATE TABLE origin (sha256 TEXT NOT NULL, length INTEGER NOT NULL);
BEGIN;
PRAGMA user_version = {_FORMAT};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPart:
    """One ``Packages`` file: a component of a suite for an architecture.

    Args:
        suite: ``bookworm``, ``bookworm-security``…
        component: ``main``…
        architecture: Debian's name, ``amd64``.
        sha256: of the uncompressed text.
        priority: higher is preferred whatever the version; apt gives 500 to all by default.
        packages: the uncompressed text; called only when the cache lacks it.
    """

    suite: str
    component: str
    architecture: str
    sha256: str
    priority: int
    packages: Callable[[], bytes]

    @property
    def where(self) -> str:
        """For messages: ``bookworm/main/binary-amd64/Packages``."""
        return f"{self.suite}/{self.component}/binary-{self.architecture}/Packages"


class _Part:
    """One text with its tables, opened for reading; a damaged file is built again, once.

    The file is a SQLite database with the text behind its last page: what SQLite copies into
    pages takes longer to store than everything else, and is no use there.
    """

    def __init__(self, part: IndexPart) -> None:
        self.part = part
        self.path = cache_dir() / f"os-index-v{_FORMAT}" / f"{part.sha256}.sqlite"
        self._opened = _opened(self.path, part.sha256) or self._rebuild()

    def rows(self, question: str, *values: str | int) -> list[tuple[Any, ...]]:
        """All rows of a SELECT."""
        with contextlib.suppress(sqlite3.DatabaseError):
            return self._opened.database.execute(question, values).fetchall()
        self._opened = self._rebuild()
        try:
            return self._opened.database.execute(question, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise SourceError(
                f"the cached package index cannot be read: {error}", where=str(self.path)
            ) from None

    def paragraph(self, start: int, length: int) -> bytes:
        """Some bytes of the text."""
        found = self._opened.text(start, length)
        if b"\0" in found:  # a hole: the disk did not get what was written
            self._opened = self._rebuild()
            found = self._opened.text(start, length)
        return found

    @cached_property
    def mentions(self) -> tuple[str, ...]:
        """Names of the packages that provide something, in the order the text first names them.

        Few requests need it and it takes a while, so it is found, and kept, at the first one.
        """
        kept = self.path.with_suffix(".order")
        with contextlib.suppress(OSError, ValueError):
            count, *names = kept.read_text("ascii").splitlines()
            if int(count) == len(names):
                return tuple(names)
        providers = {name for (name,) in self.rows("SELECT name FROM provider")}
        length = self.rows("SELECT length FROM origin")[0][0]
        found = first_mentions(self.paragraph(0, length), providers)
        write_atomic(kept, "\n".join([str(len(found)), *found]) + "\n")
        return found

    def _rebuild(self) -> _Opened:
        self.close()
        _build(self.path, self.part)
        opened = _opened(self.path, self.part.sha256)
        if opened is None:
            raise SourceError("the cached package index cannot be read", where=str(self.path))
        return opened

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(AttributeError):  # not opened yet
            self._opened.close()


class _Opened:
    """A file that looks whole: its tables, and the text behind them."""

    def __init__(self, database: sqlite3.Connection, path: Path, behind: int) -> None:
        self.database = database
        self._file = path.open("rb")
        self._behind = behind

    def text(self, start: int, length: int) -> bytes:
        """Some bytes of the text."""
        return os.pread(self._file.fileno(), length, self._behind + start)

    def close(self) -> None:
        """Let go of both."""
        self.database.close()
        self._file.close()


def _opened(path: Path, sha256: str) -> _Opened | None:
    # None: not there, made by another format, or torn. A truncated file is told by its size; the
    # name is taken by one rename after everything is on disk, so that is rare.
    try:
        size = path.stat().st_size
    except OSError:
        return None
    database = None
    try:
        # immutable: the file never changes under its name, so SQLite needs no locks.
        database = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None
        )
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        page = database.execute("PRAGMA page_size").fetchone()[0]
        digest, length = database.execute("SELECT sha256, length FROM origin").fetchone()
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if (pages * page + length, digest, version) == (size, sha256, _FORMAT):
            return _Opened(database, path, pages * page)
    except (sqlite3.DatabaseError, TypeError, OSError):
        pass
    if database is not None:
        database.close()
    return None


def _build(path: Path, part: IndexPart) -> None:
    import tempfile  # not needed when the cache is warm

    data = part.packages()
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise VerificationError(
            f"the package index is not the one that was signed (sha256 {part.sha256})",
            where=part.where,
        )
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Each process builds its own; the last rename wins, and all are the same.
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        _fill(temporary, data, part)
        with open(temporary, "ab") as file:  # noqa: PTH123 - a name from mkstemp
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        temporary = ""
    except (OSError, sqlite3.Error) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SourceError(
            f"cannot keep the package index: {said}",
            where=str(path.parent),
            remedy="make room there, or set ENVLOCK_CACHE_DIR to a folder that can be written",
        ) from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _fill(file: str, data: bytes, part: IndexPart) -> None:
    stanzas = split_packages(data, part.where)
    providers = [
        (clause.partition("(")[0].partition(":")[0].strip(), stanza.name, stanza.number)
        for stanza in stanzas
        if b"\nProvides:" in stanza.body
        for clause in stanza.provides.split(",")
    ]
    essential = [(s.name, s.number) for s in stanzas if b"\nEssential:" in s.body and s.essential]
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.executescript(_SCHEMA)
        rows = ((s.name, s.number, s.start, len(s.body)) for s in stanzas)
        database.executemany("INSERT INTO package VALUES (?, ?, ?, ?)", rows)
        database.executemany("INSERT INTO provider VALUES (?, ?, ?)", sorted(set(providers)))
        database.executemany("INSERT INTO essential VALUES (?, ?)", essential)
        database.execute("INSERT INTO origin VALUES (?, ?)", (part.sha256, len(data)))
        database.execute("COMMIT")


class PackageIndex:
    """Several parts as one: what an apt that has them all as sources sees.

    Use as a context manager, or call `close`.

    Args:
        parts: the files; where two have the same version of a package, the earlier one is kept.
        architecture: the native architecture, ``amd64``.

    Raises:
        UsageError: no part at all, or one for another architecture; a file that cannot be read.
        VerificationError: a text that its digest does not name.
        SourceError: the cache cannot be written.
    """

    def __init__(self, parts: Sequence[IndexPart], *, architecture: str) -> None:
        if not parts:
            raise UsageError("no package index was given")
        for part in parts:
            if part.architecture not in (architecture, "all"):
                raise UsageError(f"an index for {part.architecture}, not {architecture}")
        self.architecture = architecture
        self.suites = tuple(dict.fromkeys(part.suite for part in parts))
        self._parts: list[_Part] = []
        try:
            for part in parts:
                self._parts.append(_Part(part))
        except BaseException:
            self.close()
            raise
        self._versions: dict[str, tuple[Candidate, ...]] = {}
        self._suites: dict[tuple[str, str], str] = {}
        self._providers: dict[str, tuple[Candidate, ...]] = {}

    def __enter__(self) -> PackageIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        for part in self._parts:
            part.close()

    def versions(self, name: str) -> tuple[Candidate, ...]:
        """Every version of the package: highest priority first, then newest first."""
        known = self._versions.get(name)
        if known is None:
            known = self._versions[name] = self._read_versions(name)
        return known

    def candidate(self, name: str) -> Candidate | None:
        """The version that apt would install when none is asked for."""
        versions = self.versions(name)
        return versions[0] if versions else None

    def suite_of(self, package: BinaryPackage) -> str:
        """The suite that the package was taken from; one that this index gave."""
        return self._suites[(package.name, package.version)]

    def providers(self, virtual: str) -> tuple[Candidate, ...]:
        """Every version of every package that ``Provides`` the name, in the index's order."""
        known = self._providers.get(virtual)
        if known is None:
            question = "SELECT DISTINCT name FROM provider WHERE virtual = ?"
            names = [n for part in self._parts for (n,) in part.rows(question, virtual)]
            known = self._providers[virtual] = tuple(
                candidate
                for name in dict.fromkeys(names)
                for candidate in self.versions(name)
                if any(relation.name == virtual for relation in candidate.provides)
            )
        return known

    def mentioned(self, names: Sequence[str]) -> dict[str, int]:
        """Where each provider is first named, by a paragraph or a relation: only the order counts.

        Parts come one after the other in the order they were given.
        """
        order = dict.fromkeys(name for part in self._parts for name in part.mentions)
        places = {name: place for place, name in enumerate(order)}
        return {name: places.get(name, -1) for name in names}

    @cached_property
    def essential(self) -> tuple[str, ...]:
        """Names of the packages whose candidate is ``Essential: yes``, sorted."""
        names = {n for part in self._parts for (n,) in part.rows("SELECT name FROM essential")}
        found = ((name, self.candidate(name)) for name in sorted(names))
        return tuple(n for n, candidate in found if candidate and candidate.package.essential)

    def near(self, name: str, count: int = 3) -> tuple[str, ...]:
        """Names that look like a mistyped one, the nearest first."""
        import difflib  # slow to load, and only wanted by a mistake

        lowered = name.lower()
        question = "SELECT DISTINCT name FROM package WHERE length(name) BETWEEN ? AND ?"
        lengths = (len(name) - 3, len(name) + 3)
        names = {n for part in self._parts for (n,) in part.rows(question, *lengths)}
        return tuple(difflib.get_close_matches(lowered, _alike(lowered, names), count, 0.7))

    def _read_versions(self, name: str) -> tuple[Candidate, ...]:
        found: dict[str, tuple[int, Candidate]] = {}
        for part in self._parts:
            question = "SELECT number, start, length FROM package WHERE name = ? ORDER BY number"
            for number, start, length in part.rows(question, name):
                body = part.paragraph(start, length)
                where = f"{part.part.where}, paragraph {number} ({name})"
                candidate = read_candidate(body, self.architecture, where)
                if candidate.package.architecture not in (self.architecture, "all"):
                    continue
                held = found.get(candidate.version)
                if held is None or held[0] < part.part.priority:
                    found[candidate.version] = (part.part.priority, candidate)
                    self._suites[(name, candidate.version)] = part.part.suite
        ranked = sorted(
            found.values(), key=lambda held: (held[0], sort_key(held[1].version)), reverse=True
        )
        return tuple(candidate for _, candidate in ranked)


def _alike(name: str, names: Iterable[str]) -> list[str]:
    # difflib on tens of thousands of names takes seconds: keep those that share enough letters.
    letters = set(name)
    shared = len(letters) * 0.6
    return sorted(other for other in names if len(letters.intersection(other)) >= shared)
