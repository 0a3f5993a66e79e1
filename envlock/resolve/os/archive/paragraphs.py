"""A verified text of many paragraphs, kept under its digest with tables that find them in it.

A distribution's indexes are some 50 MB of text, and a lock needs a few hundred of their
paragraphs. So each text is cut once; later commands read only the paragraphs they follow.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envlock.errors import SourceError, VerificationError
from envlock.io.paths import cache_dir

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA page_size = 4096;
{tables}
CREATE TABLE origin (sha256 TEXT NOT NULL, length INTEGER NOT NULL);
BEGIN;
PRAGMA user_version = {version};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one kind of index is kept.

    Args:
        name: for messages: ``package index``.
        folder: in the cache; the version is added to it.
        version: another one is built anew.
        tables: the SQL that makes them.
        fill: fills them (database, text, where) and gives the text that is kept behind them.
    """

    name: str
    folder: str
    version: int
    tables: str
    fill: Callable[[sqlite3.Connection, bytes, str], bytes]


def kept_in(layout: Layout) -> Path:
    """The folder of the cache that has the indexes of one kind, each as ``DIGEST.sqlite``."""
    return cache_dir() / f"{layout.folder}-v{layout.version}"


def kept_rows(
    layout: Layout, sha256: str, question: str, *values: str | int
) -> list[tuple[Any, ...]]:
    """All rows of a SELECT from a text that is kept; none where it is not, or cannot be read."""
    opened = _open(kept_in(layout) / f"{sha256}.sqlite", sha256, layout.version)
    if opened is None:
        return []
    with contextlib.closing(opened), contextlib.suppress(sqlite3.DatabaseError):
        return opened.database.execute(question, values).fetchall()
    return []


class Paragraphs:
    """One text with its tables, opened for reading; a damaged file is built again, once.

    The file is a SQLite database with the text behind its last page: what SQLite copies into
    pages takes longer to store than everything else, and is no use there.

    Args:
        layout: the kind of index.
        sha256: of the text.
        load: gives the text; called only when the cache lacks it.
        where: the index, for messages.

    Raises:
        VerificationError: ``load`` gives another text.
        SourceError: the cache cannot be written.
    """

    def __init__(
        self, layout: Layout, *, sha256: str, load: Callable[[], bytes], where: str
    ) -> None:
        self._layout = layout
        self._sha256 = sha256
        self._load = load
        self._where = where
        self.path = kept_in(layout) / f"{sha256}.sqlite"
        self._opened = _open(self.path, sha256, layout.version) or self._rebuild()

    def rows(self, question: str, *values: str | int) -> list[tuple[Any, ...]]:
        """All rows of a SELECT."""
        with contextlib.suppress(sqlite3.DatabaseError):
            return self._opened.database.execute(question, values).fetchall()
        self._opened = self._rebuild()
        try:
            return self._opened.database.execute(question, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise SourceError(
                f"the cached {self._layout.name} cannot be read: {error}", where=str(self.path)
            ) from None

    def paragraph(self, start: int, length: int) -> bytes:
        """Some bytes of the text."""
        found = self._opened.text(start, length)
        if b"\0" in found:  # a hole: the disk did not get what was written
            self._opened = self._rebuild()
            found = self._opened.text(start, length)
        return found

    def text(self) -> bytes:
        """All of it."""
        return self.paragraph(0, self.rows("SELECT length FROM origin")[0][0])

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(AttributeError):  # not opened yet
            self._opened.close()

    def _rebuild(self) -> _Opened:
        self.close()
        self._build()
        opened = _open(self.path, self._sha256, self._layout.version)
        if opened is None:
            raise SourceError(
                f"the cached {self._layout.name} cannot be read", where=str(self.path)
            )
        return opened

    def _build(self) -> None:
        import tempfile  # not needed when the cache is warm

        data = self._load()
        if hashlib.sha256(data).hexdigest() != self._sha256:
            raise VerificationError(
                f"the {self._layout.name} is not the one that was signed (sha256 {self._sha256})",
                where=self._where,
            )
        temporary = ""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Each process builds its own; the last rename wins, and all are the same.
            handle, temporary = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
            os.close(handle)
            kept = self._fill(temporary, data)
            with open(temporary, "ab") as file:  # noqa: PTH123 - a name from mkstemp
                file.write(kept)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
            temporary = ""
        except (OSError, sqlite3.Error) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise SourceError(
                f"cannot keep the {self._layout.name}: {said}",
                where=str(self.path.parent),
                remedy="make room there, or set ENVLOCK_CACHE_DIR to a folder that can be written",
            ) from None
        finally:
            if temporary:
                Path(temporary).unlink(missing_ok=True)

    def _fill(self, file: str, data: bytes) -> bytes:
        layout = self._layout
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.executescript(_SCHEMA.format(tables=layout.tables, version=layout.version))
            kept = layout.fill(database, data, self._where)
            database.execute("INSERT INTO origin VALUES (?, ?)", (self._sha256, len(kept)))
            database.execute("COMMIT")
        return kept


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


def _open(path: Path, sha256: str, version: int) -> _Opened | None:
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
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if (pages * page + length, digest, found) == (size, sha256, version):
            return _Opened(database, path, pages * page)
    except (sqlite3.DatabaseError, TypeError, OSError):
        pass
    if database is not None:
        database.close()
    return None
