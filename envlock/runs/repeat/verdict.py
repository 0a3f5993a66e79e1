"""What a repeat made, beside what the run had made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envlock.io.content import digests
from envlock.runs.judge.files import judge_files
from envlock.runs.judge.findings import Found, Meter, Tolerance, Verdict, shown
from envlock.runs.repeat.code import real_name
from envlock.runs.repeat.data import Finder

Table = dict[str, Any]
_ORDER = (Verdict.IDENTICAL, Verdict.CLOSE, Verdict.DIFFERENT, Verdict.MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One result: ``kind`` is ``exit``, ``output``, ``metric`` or ``stdout``.

    ``counts``: the verdict on the whole depends on it.
    """

    kind: str
    name: str
    found: Found
    counts: bool = True


def judge(
    before: Table,
    after: Table,
    tolerance: Tolerance,
    *,
    finder: Finder,
    root: str,
    pythons: tuple[str, ...],
) -> tuple[Judged, ...]:
    """Every result of a run, beside that of its repeat.

    Args:
        before: the run's record.
        after: the repeat's.
        tolerance: for numbers.
        finder: finds what the run had made.
        root: the project's folder in which the repeat took place.
        pythons: as for ``judge_files``.
    """
    found = [_exit(before, after)]
    outputs = list(_outputs(before, after, tolerance, finder, root, pythons))
    metrics = list(_metrics(before, after, tolerance))
    found += outputs + metrics
    # Times and paths stand in what programs say, so it counts only where it is all there is.
    found += _said(before, after, counts=not outputs and not metrics)
    return tuple(found)


def whole(judged: tuple[Judged, ...]) -> Verdict:
    """The verdict on all: the worst of those that count; what is missing makes it different."""
    worst = max((_ORDER.index(one.found.verdict) for one in judged if one.counts), default=0)
    return _ORDER[min(worst, _ORDER.index(Verdict.DIFFERENT))]


def _exit(before: Table, after: Table) -> Judged:
    one, other = before.get("exit") or {}, after.get("exit") or {}
    same = one == other
    texts = [
        f"exit code {end['code']}" if "code" in end else str(end.get("name") or "not started")
        for end in (one, other)
    ]
    found = Found(
        verdict=Verdict.IDENTICAL if same else Verdict.DIFFERENT,
        how="exit",
        where=None if same else f"{texts[0]} → {texts[1]}",
    )
    return Judged(kind="exit", name=texts[0], found=found)


def _outputs(
    before: Table,
    after: Table,
    tolerance: Tolerance,
    finder: Finder,
    root: str,
    pythons: tuple[str, ...],
) -> Iterator[Judged]:
    made = {fact["path"]: fact for fact in after.get("outputs") or ()}
    for fact in before.get("outputs") or ():
        if fact.get("written") is False or ("sha256" not in fact and "target" not in fact):
            continue
        now = made.get(fact["path"])
        found = _output(fact, now, tolerance, finder, root, pythons)
        yield Judged(kind="output", name=fact["path"], found=found)


def _output(
    fact: Table,
    now: Table | None,
    tolerance: Tolerance,
    finder: Finder,
    root: str,
    pythons: tuple[str, ...],
) -> Found:
    if now is None or now.get("written") is False or "problem" in now:
        reason = "it was not written" if now is None else now.get("problem", "it was not written")
        return Found(verdict=Verdict.MISSING, how="bytes", where=str(reason))
    if fact.get("kind") != now.get("kind"):
        kinds = f"a {fact.get('kind')} → a {now.get('kind')}"
        return Found(verdict=Verdict.DIFFERENT, how="bytes", where=kinds)
    if fact.get("kind") == "link":
        same = fact["target"] == now["target"]
        where = None if same else f"it leads to {shown(fact['target'])} → {shown(now['target'])}"
        verdict = Verdict.IDENTICAL if same else Verdict.DIFFERENT
        return Found(verdict=verdict, how="link", where=where)
    if fact["sha256"] == now.get("sha256"):
        return Found(verdict=Verdict.IDENTICAL, how="bytes")
    first = finder.content(fact)
    if first is None:
        told = "other bytes; what the run made is gone or was changed, so it cannot be said where"
        return Found(verdict=Verdict.DIFFERENT, how="bytes", where=told)
    second = os.path.join(root, real_name(fact["path"]))
    try:
        if fact.get("kind") == "folder":
            return _folder(first, second, tolerance, pythons)
        name = fact["path"]
        return judge_files(Path(first), Path(second), tolerance, name=name, pythons=pythons)
    except OSError as error:
        where = f"cannot be read: {error.strerror or error}"
        return Found(verdict=Verdict.DIFFERENT, how="bytes", where=where)


def _folder(first: str, second: str, tolerance: Tolerance, pythons: tuple[str, ...]) -> Found:
    """File by file; the first that is not close is told."""
    one, other = digests.files_below(first), digests.files_below(second)
    for name in sorted(set(one) ^ set(other)):
        side = "the first run's" if name in one else "the repeat's"
        where = f"{shown(name)}: only in {side}"
        return Found(verdict=Verdict.DIFFERENT, how="folder", where=where)
    for name in one:
        pair = Path(first) / name, Path(second) / name
        found = judge_files(*pair, tolerance, name=name, pythons=pythons)
        if found.verdict is Verdict.DIFFERENT:
            where = f"{shown(name)}: {found.where}"
            return Found(verdict=Verdict.DIFFERENT, how=found.how, where=where)
    return Found(verdict=Verdict.CLOSE, how="folder")


def _metrics(before: Table, after: Table, tolerance: Tolerance) -> Iterator[Judged]:
    now = after.get("metrics") or {}
    for name, value in sorted((before.get("metrics") or {}).items()):
        yield Judged(kind="metric", name=name, found=_metric(value, now.get(name), tolerance))


def _metric(one: Any, other: Any, tolerance: Tolerance) -> Found:
    if other is None:
        return Found(verdict=Verdict.MISSING, how="number", where="it was not said")
    if one == other and type(one) is type(other):
        return Found(verdict=Verdict.IDENTICAL, how="number")
    meter = Meter(tolerance)
    numbers = [v for v in (one, other) if isinstance(v, int | float) and not isinstance(v, bool)]
    same = len(numbers) == 2 and meter.close(*numbers)
    return meter.found("number", None if same else f"{shown(one)} → {shown(other)}")


def _said(before: Table, after: Table, *, counts: bool) -> Iterator[Judged]:
    streams = before.get("output") or {}, after.get("output") or {}
    for name in ("stdout", "both"):
        one, other = (found.get(name) or {} for found in streams)
        if "sha256" not in one or not (one["bytes"] or other.get("bytes")):
            continue
        if one["sha256"] == other.get("sha256"):
            yield Judged(
                kind="stdout",
                name=name,
                found=Found(verdict=Verdict.IDENTICAL, how="bytes"),
                counts=counts,
            )
            continue
        where = _line(one.get("tail", ""), other.get("tail", ""))
        if one["bytes"] > len(one.get("tail", "").encode()):
            where = f"{one['bytes']} → {other.get('bytes', 0)} bytes, of which the end was kept"
        yield Judged(
            kind="stdout",
            name=name,
            found=Found(verdict=Verdict.DIFFERENT, how="bytes", where=where),
            counts=counts,
        )


def _line(one: str, other: str) -> str:
    before, after = one.splitlines(), other.splitlines()
    for number in range(max(len(before), len(after))):
        pair = [lines[number] if number < len(lines) else "" for lines in (before, after)]
        if pair[0] != pair[1]:
            return f"line {number + 1}: {shown(pair[0])} → {shown(pair[1])}"
    return "other line ends"
