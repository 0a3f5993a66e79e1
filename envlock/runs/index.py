"""Answers to questions about many runs: an SQLite file made from the store, in the user's cache.

It holds nothing that the store does not: when it is lost, damaged or of another version it is made
again. What is new in the store is read before each answer; parts of it with the stamp of the last
time are not looked at.

Everything that runs are filtered by is a fact, ``tag=paper`` or ``param.lr=0.1``, in an index that
is ordered by time: the newest with a fact come first without sorting the rest.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from envlock.errors import EnvlockError, UsageError
from envlock.io.paths import cache_folder
from envlock.runs.facts import carried, current, facts_of
from envlock.runs.folder import EVENTS, RUNS, STARTED
from envlock.runs.record import Event, ending, parse, parse_event, state_of_note
from envlock.runs.store import Store

_VERSION = 1
_FRESH = 2_000_000_000
"""Nanoseconds within which a stamp does not tell one change from the next (FAT)."""
_BATCH = 2000
_FEW = 2000
"""Runs that are gone through one by one at no cost that a person notices."""

_TABLES = """
CREATE TABLE parts (
    store TEXT, kind TEXT, part TEXT, stamp INTEGER, PRIMARY KEY (store, kind, part)
);
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, id TEXT, store TEXT, kind TEXT, part TEXT, started TEXT,
    duration REAL, ending TEXT, why TEXT, argv TEXT, tags TEXT, more TEXT
);
CREATE TABLE facts (fact TEXT, started TEXT, run INTEGER);
CREATE TABLE events (
    id TEXT PRIMARY KEY, store TEXT, part TEXT, run TEXT, kind TEXT, at TEXT, text TEXT, tags TEXT
);
CREATE TABLE damaged (store TEXT, kind TEXT, part TEXT, id TEXT, problem TEXT);
"""
_INDEXES = """
CREATE INDEX IF NOT EXISTS runs_id ON runs (id, kind);
CREATE INDEX IF NOT EXISTS runs_started ON runs (started);
CREATE INDEX IF NOT EXISTS facts_all ON facts (fact, started, run);
CREATE INDEX IF NOT EXISTS events_run ON events (run);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One run in a list.

    ``state`` is ``finished``, or what became of a run without an end: ``running``, ``killed``,
    ``unknown``. ``duration`` is in seconds. ``store`` names the store that has it.
    """

    id: str
    store: str
    state: str
    started: str
    duration: float | None
    ending: str
    why: str
    argv: tuple[str, ...]
    tags: tuple[str, ...]
    outcome: str | None
    group: str | None
    environment_hash: str | None
    commit: str | None
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which runs: all ``facts`` hold, started at or after ``since`` and before ``until`` (RFC 3339
    texts), ``text`` stands in the command, the reason, a tag or a comment; at most ``limit``."""

    facts: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    text: str | None = None
    limit: int | None = None


class Index:
    """The index of some stores, up to date when it is made.

    Args:
        stores: where to look; a finished record counts more than a first note elsewhere.
        key: what tells this project from others; None keeps nothing on disk.
    """

    def __init__(self, stores: Sequence[Store], *, key: str | None) -> None:
        self._stores = stores
        path = None
        if key is not None:
            name = hashlib.sha256(os.fsencode(key)).hexdigest()[:24]
            path = os.path.join(cache_folder(), "runs", f"{name}.sqlite")
        try:
            self._open(path)
            self._refresh()
        except (sqlite3.Error, OSError):
            # Damaged, or a cache that cannot be written: it is only an index.
            if path is not None:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            self._reopen(path)
            self._refresh()

    def _reopen(self, path: str | None) -> None:
        try:
            self._open(path)
        except (sqlite3.Error, OSError):
            self._open(None)

    def _open(self, path: str | None) -> None:
        if path is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        self._db = sqlite3.connect(path or ":memory:", timeout=60, isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA cache_size = -65536")
        self._db.execute("BEGIN IMMEDIATE")
        if self._one("PRAGMA user_version") != _VERSION:
            if self._one("SELECT count(*) FROM sqlite_master"):
                raise sqlite3.DatabaseError("another version")
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
        self._db.execute("COMMIT")

    def _one(self, query: str, *values: object) -> Any:
        row = self._db.execute(query, values).fetchone()
        return None if row is None else row[0]

    # --- reading what is new ---

    def _refresh(self) -> None:
        changed = list(self._changed_parts())
        if not changed:
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for store, kind, part, stamp in changed:
                self._take_part(store, kind, part)
                settled = stamp if time.time_ns() - stamp > _FRESH else -1
                self._db.execute(
                    "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)",
                    (store.name, kind, part, settled),
                )
            for statement in _INDEXES.split(";"):
                self._db.execute(statement)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def _changed_parts(self) -> Iterator[tuple[Store, str, str, int]]:
        known = {
            (store, kind, part): stamp
            for store, kind, part, stamp in self._db.execute("SELECT * FROM parts")
        }
        for kind in (RUNS, STARTED, EVENTS):
            for store in self._stores:
                now = store.partitions(kind)
                gone = {key[2] for key in known if key[:2] == (store.name, kind)} - now.keys()
                for part, stamp in [*now.items(), *((part, 0) for part in gone)]:
                    if known.get((store.name, kind, part)) != stamp:
                        yield store, kind, part, stamp

    def _take_part(self, store: Store, kind: str, part: str) -> None:
        query = "SELECT id FROM runs WHERE store = ? AND part = ? AND kind = ?"
        if kind == EVENTS:
            query = "SELECT id FROM events WHERE store = ? AND part = ? AND ? = 'events'"
        known = {row[0] for row in self._db.execute(query, (store.name, part, kind))}
        there = set(store.members(kind, part))
        self._db.execute(
            "DELETE FROM damaged WHERE store = ? AND kind = ? AND part = ?",
            (store.name, kind, part),
        )
        for name in known - there:
            self._forget(store, kind, name)
        new = sorted(there - known)
        take = self._take_events if kind == EVENTS else self._take_runs
        for start in range(0, len(new), _BATCH):
            take(store, kind, part, new[start : start + _BATCH])

    def _forget(self, store: Store, kind: str, name: str) -> None:
        if kind == EVENTS:
            run = self._one("SELECT run FROM events WHERE id = ?", name)
            self._db.execute("DELETE FROM events WHERE id = ?", (name,))
            if run is not None:
                self._apply_events([run])
            return
        query = "SELECT number FROM runs WHERE id = ? AND kind = ? AND store = ?"
        number = self._one(query, name, kind, store.name)
        self._db.execute("DELETE FROM facts WHERE run = ?", (number,))
        self._db.execute("DELETE FROM runs WHERE number = ?", (number,))

    def _take_runs(self, store: Store, kind: str, part: str, names: list[str]) -> None:
        number = self._one("SELECT coalesce(max(number), 0) FROM runs")
        rows: list[tuple[Any, ...]] = []
        facts: list[tuple[str, str, int]] = []
        for name in names:
            table = self._read(store, kind, part, name)
            if table is None:
                continue
            try:
                columns, found = _columns(table), facts_of(table)
            except (AttributeError, TypeError, KeyError):
                self._damaged(store, kind, part, name, ValueError("no record of a run"))
                continue
            number += 1
            rows.append((number, name, store.name, kind, part, *columns))
            started = str(table.get("started", ""))
            facts += [(fact, started, number) for fact in found]
        self._db.executemany("INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", rows)
        self._db.executemany("INSERT INTO facts VALUES (?, ?, ?)", facts)
        if self._one("SELECT 1 FROM events LIMIT 1"):
            self._apply_events([row[1] for row in rows])

    def _take_events(self, store: Store, kind: str, part: str, names: list[str]) -> None:
        touched: dict[str, None] = {}
        for name in names:
            try:
                event = parse_event(store.read(kind, name), where=name)
            except (EnvlockError, OSError) as error:
                self._damaged(store, kind, part, name, error)
                continue
            tags = json.dumps({"add": event.add, "remove": event.remove})
            self._db.execute(
                "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    name,
                    store.name,
                    part,
                    event.run,
                    event.kind,
                    event.at,
                    carried(event.text),
                    tags,
                ),
            )
            touched[event.run] = None
        self._apply_events(touched)

    def _read(self, store: Store, kind: str, part: str, name: str) -> dict[str, Any] | None:
        try:
            return parse(store.read(kind, name), where=name)
        except (EnvlockError, OSError) as error:
            self._damaged(store, kind, part, name, error)
            return None

    def _damaged(self, store: Store, kind: str, part: str, name: str, error: Exception) -> None:
        row = (store.name, kind, part, name, getattr(error, "what", None) or str(error))
        self._db.execute("INSERT INTO damaged VALUES (?, ?, ?, ?, ?)", row)

    def _apply_events(self, runs: Iterable[str]) -> None:
        """Bring tags and outcomes of runs to what their record and all their events say."""
        for run in runs:
            rows = self._db.execute(
                "SELECT number, started, more FROM runs WHERE id = ?", (run,)
            ).fetchall()
            for number, started, more in rows:
                table = json.loads(more)
                tags, outcome = current(table.get("recorded-tags", []), self.events(run))
                table["outcome"] = outcome
                self._db.execute(
                    "DELETE FROM facts WHERE run = ?"
                    " AND (fact LIKE 'tag=%' OR fact LIKE 'outcome=%')",
                    (number,),
                )
                found = [carried(f"tag={tag}") for tag in tags] + (
                    [carried(f"outcome={outcome}")] if outcome else []
                )
                self._db.executemany(
                    "INSERT INTO facts VALUES (?, ?, ?)", [(f, started, number) for f in found]
                )
                self._db.execute(
                    "UPDATE runs SET tags = ?, more = ? WHERE number = ?",
                    (json.dumps(tags), json.dumps(table), number),
                )

    # --- answers ---

    def events(self, run: str) -> tuple[Event, ...]:
        """What was said of a run, oldest first."""
        rows = self._db.execute(
            "SELECT id, kind, at, text, tags FROM events WHERE run = ? ORDER BY at, id", (run,)
        )
        return tuple(
            Event(
                id=id_,
                run=run,
                kind=kind,
                at=at,
                text=text,
                add=tuple(json.loads(tags)["add"]),
                remove=tuple(json.loads(tags)["remove"]),
            )
            for id_, kind, at, text, tags in rows
        )

    def damaged(self) -> tuple[tuple[str, str], ...]:
        """Members that cannot be read, with what is wrong with each."""
        return tuple(self._db.execute("SELECT id, problem FROM damaged ORDER BY id"))

    def find(self, text: str) -> tuple[str, str, str]:
        """Id, store and kind of the one run that ``text`` means.

        An id, the beginning of one or of its random part, or ``last`` (``last~2``: the second one
        before the last).

        Raises:
            UsageError: there is none, or several.
        """
        word, _, back = text.partition("~")
        if word == "last" and (not back or back.isdigit()):
            rows = self._rows("", (), 1, offset=int(back or 0))
        else:
            pattern = text.replace("*", "").replace("?", "").replace("[", "")
            rows = self._rows("AND id GLOB ?", (f"{pattern}*",), 3)
            if not rows and len(pattern) >= 3:
                rows = self._rows("AND id GLOB ?", (f"*Z-{pattern}*",), 3)
        if not rows:
            raise UsageError(f"no such run: {text}", remedy="envlock runs list")
        if len(rows) > 1:
            ids = ", ".join(row[0] for row in rows)
            raise UsageError(f"several runs are called so: {ids}…", remedy="give more of the id")
        return rows[0]

    def _rows(
        self, condition: str, values: tuple[str, ...], limit: int, offset: int = 0
    ) -> list[tuple[str, str, str]]:
        query = (
            f"SELECT id, store, kind FROM runs r WHERE {_COUNTS} {condition}"  # noqa: S608
            " ORDER BY started DESC, id DESC LIMIT ? OFFSET ?"
        )
        return self._db.execute(query, (*values, limit, offset)).fetchall()

    def select(self, question: Question) -> tuple[Summary, ...]:
        """The runs that are asked for, newest first."""
        conditions, values = [_COUNTS], list[object]()
        source = "runs r"
        facts = sorted(map(carried, question.facts), key=self._commonness)
        if facts:
            # The rarest fact leads; its index gives the runs in order of time.
            source = "facts f CROSS JOIN runs r ON r.number = f.run"
            conditions.append("f.fact = ?")
            values.append(facts[0])
        order = "f.started" if facts else "r.started"
        for fact in facts[1:]:
            conditions.append(
                "EXISTS (SELECT 1 FROM facts o WHERE o.fact = ? AND o.started = r.started"
                " AND o.run = r.number)"
            )
            values.append(fact)
        for sign, bound in ((">=", question.since), ("<", question.until)):
            if bound is not None:
                conditions.append(f"{order} {sign} ?")
                values.append(bound)
        if question.text is not None:
            conditions.append(_TEXT)
            pattern = f"%{_escaped(carried(question.text))}%"
            values += [pattern] * 4
        limit = -1 if question.limit is None else question.limit
        rows = self._db.execute(
            "SELECT r.id, r.store, r.kind, r.started, r.duration, r.ending, r.why, r.argv, r.tags,"  # noqa: S608
            f" r.more FROM {source} WHERE {' AND '.join(conditions)}"
            f" ORDER BY {order} DESC LIMIT ?",
            (*values, limit),
        )
        return tuple(_summary(row) for row in rows)

    def _commonness(self, fact: str) -> int:
        """How many runs have it, counted no further than matters."""
        return int(
            self._one(
                "SELECT count(*) FROM (SELECT 1 FROM facts WHERE fact = ? LIMIT ?)", fact, _FEW
            )
        )


# A first note counts as long as there is no record; the same record in two stores counts once.
_COUNTS = (
    "NOT EXISTS (SELECT 1 FROM runs e WHERE e.id = r.id AND ((e.kind = 'runs' AND r.kind <> 'runs')"
    " OR (e.kind = r.kind AND e.number < r.number)))"
)
_TEXT = (
    "(r.argv LIKE ? ESCAPE '\\' OR r.why LIKE ? ESCAPE '\\' OR r.tags LIKE ? ESCAPE '\\'"
    " OR EXISTS (SELECT 1 FROM events e WHERE e.run = r.id AND e.text LIKE ? ESCAPE '\\'))"
)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _columns(table: dict[str, Any]) -> tuple[Any, ...]:
    command = table.get("command") or {}
    more = {
        "commit": (table.get("code") or {}).get("commit"),
        "environment-hash": table.get("environment-hash"),
        "group": table.get("group"),
        "metrics": table.get("metrics") or {},
        "recorded-tags": table.get("tags", []),
    }
    if table.get("state") != "finished":
        more["recorder"] = table.get("recorder")
    return (
        table.get("started", ""),
        table.get("duration"),
        ending(table),
        carried(table.get("why") or ""),
        json.dumps(command.get("argv", []), ensure_ascii=True),
        json.dumps(table.get("tags", [])),
        json.dumps(more),
    )


def _summary(row: tuple[Any, ...]) -> Summary:
    id_, store, kind, started, duration, end, why, argv, tags, more = row
    table = json.loads(more)
    state = "finished" if kind == RUNS else state_of_note(table.get("recorder") or {})
    return Summary(
        id=id_,
        store=store,
        state=state,
        started=started,
        duration=duration,
        ending=end,
        why=why,
        argv=tuple(json.loads(argv)),
        tags=tuple(json.loads(tags)),
        outcome=table.get("outcome"),
        group=table["group"],
        environment_hash=table["environment-hash"],
        commit=table["commit"],
        metrics=table["metrics"],
    )
