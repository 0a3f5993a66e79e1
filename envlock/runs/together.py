"""Runs that went on at the same time and wrote the same files, whose content is then nobody's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from envlock.runs.index import Index, Question, Summary

Table = dict[str, Any]
_MOST = 1000
"""Runs that began before and are looked at, the latest first: few last longer than these."""


def wrote_too(
    record: Table, *, index: Index, read: Callable[[Summary], Table]
) -> dict[str, tuple[str, ...]]:
    """Outputs of a run that others wrote while it ran, each with the ids of these.

    A file is digested when its run has ended: of two that write it at once, the record of one, or
    of both, has the other's content. Runs that are part of one another are one.

    Args:
        record: of a run that ended.
        index: where the others are found.
        read: gives the record of one.
    """
    paths = {fact["path"] for fact in record.get("outputs") or () if fact.get("written")}
    if not paths or record.get("duration") is None:
        return {}
    found: dict[str, list[str]] = {}
    for other in _meanwhile(record, index):
        table = read(other)
        if not table or _related(record, table) or _root(table) != _root(record):
            continue
        if (table.get("trace") or {}).get("method") != "seccomp":
            continue  # what was found by a scan may be anybody's
        for fact in table.get("outputs") or ():
            if fact.get("written") and fact["path"] in paths:
                found.setdefault(fact["path"], []).append(other.id)
    return {path: tuple(sorted(ids)) for path, ids in sorted(found.items())}


def _meanwhile(record: Table, index: Index) -> Iterator[Summary]:
    span = _span(record["started"], record["duration"])
    if span is None:
        return
    ended = span[1].isoformat(timespec="microseconds").replace("+00:00", "Z")
    during = Question(since=record["started"], until=ended, limit=_MOST)
    before = Question(until=record["started"], limit=_MOST)
    for one in (*index.select(during), *index.select(before)):
        if one.id == record["id"] or one.state != "finished":
            continue
        other = _span(one.started, one.duration)
        if other is not None and other[1] > span[0]:
            yield one


def _span(started: str, duration: float | None) -> tuple[datetime, datetime] | None:
    try:
        began = datetime.fromisoformat(started)
        return began, began + timedelta(seconds=duration or 0)
    except (ValueError, OverflowError, TypeError):
        return None  # a record that somebody else wrote


def _related(one: Table, other: Table) -> bool:
    return bool(one["id"] == other.get("parent") or other["id"] == one.get("parent"))


def _root(table: Table) -> Any:
    return (table.get("recorder") or {}).get("root")
