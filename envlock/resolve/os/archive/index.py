"""The package index: ``Packages`` files kept as SQLite, asked by name."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from envlock.errors import UsageError
from envlock.io.files import append_lines, write_atomic
from envlock.resolve.os.archive.paragraphs import Layout, Paragraphs, kept_in, kept_rows
from envlock.resolve.os.packages.candidates import BinaryPackage, Candidate, read_candidate
from envlock.resolve.os.packages.control import first_mentions, split_packages
from envlock.resolve.os.packages.version import sort_key

_TABLES = """
CREATE TABLE package (
    name TEXT NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL,
    length INTEGER NOT NULL, PRIMARY KEY (name, number)
) WITHOUT ROWID;
CREATE TABLE provider (
    virtual TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (virtual, name, number)
) WITHOUT ROWID;
CREATE TABLE essential (name TEXT NOT NULL, number INTEGER NOT NULL);
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
        date: its Release's (UTC), None when that does not matter.
    """

    suite: str
    component: str
    architecture: str
    sha256: str
    priority: int
    packages: Callable[[], bytes]
    date: datetime | None = None

    @property
    def where(self) -> str:
        """For messages: ``bookworm/main/binary-amd64/Packages``."""
        return f"{self.suite}/{self.component}/binary-{self.architecture}/Packages"


class _Part(Paragraphs):
    """One file, opened for reading."""

    def __init__(self, part: IndexPart) -> None:
        self.part = part
        super().__init__(_LAYOUT, sha256=part.sha256, load=part.packages, where=part.where)

    def _build(self) -> None:
        super()._build()
        if self.part.date is not None:
            part = self.part
            words = (part.suite, part.component, part.architecture, f"{part.date:%Y-%m-%d}")
            append_lines(self.path.with_suffix(".where"), [" ".join(words)])

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
        found = first_mentions(self.text(), providers)
        write_atomic(kept, "\n".join([str(len(found)), *found]) + "\n")
        return found


def _fill(database: sqlite3.Connection, data: bytes, where: str) -> bytes:
    stanzas = split_packages(data, where)
    providers = [
        (clause.partition("(")[0].partition(":")[0].strip(), stanza.name, stanza.number)
        for stanza in stanzas
        if b"\nProvides:" in stanza.body
        for clause in stanza.provides.split(",")
    ]
    essential = [(s.name, s.number) for s in stanzas if b"\nEssential:" in s.body and s.essential]
    rows = ((s.name, s.number, s.start, len(s.body)) for s in stanzas)
    database.executemany("INSERT INTO package VALUES (?, ?, ?, ?)", rows)
    database.executemany("INSERT INTO provider VALUES (?, ?, ?)", sorted(set(providers)))
    database.executemany("INSERT INTO essential VALUES (?, ?)", essential)
    return data


# The version changes with the tables.
_LAYOUT = Layout(name="package index", folder="os-index", version=1, tables=_TABLES, fill=_fill)


def kept_elsewhere(
    name: str, architecture: str, *, but: Container[str]
) -> tuple[tuple[str, str, str], ...]:
    """Day, suite and component of every kept index that has the package, the newest first.

    Args:
        name: the package.
        architecture: Debian's name.
        but: digests of indexes that are left out.
    """
    found = set()
    with contextlib.suppress(OSError):
        for path in kept_in(_LAYOUT).glob("*.where"):
            for line in path.read_text("utf-8", "replace").splitlines():
                words = line.split()
                if len(words) == 4 and words[2] == architecture and path.stem not in but:
                    found.add((words[3], words[0], words[1], path.stem))
    question = "SELECT 1 FROM package WHERE name = ? LIMIT 1"
    return tuple(
        (day, suite, component)
        for day, suite, component, digest in sorted(found, reverse=True)
        if kept_rows(_LAYOUT, digest, question, name)
    )


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
