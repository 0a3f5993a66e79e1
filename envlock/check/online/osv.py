"""Advisories in the OSV format (OSV schema 1.7): read, and judged for one version of a package.

Versions are ordered as their ecosystem does: PyPI by PEP 440, Debian and Ubuntu by dpkg. Ranges of
git commits are not judged: a lock has versions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

PYPI = "PyPI"

_SEPARATORS = re.compile(r"[-_.]+")
_WORDS = ("none", "low", "medium", "high", "critical")
_SPELLINGS = {"moderate": "medium", "important": "high", "negligible": "low"}

Order = Callable[[str], Any]
"""A version as text → what sorts as versions do; raises ValueError where it is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happens at a version: ``introduced``, ``fixed``, ``last_affected`` or ``limit``."""

    kind: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A package that an advisory names: versions one by one, and ranges of them.

    ``ecosystem`` is as written (``Debian:12``); ``name`` normalized for PyPI.
    """

    ecosystem: str
    name: str
    versions: tuple[str, ...] = ()
    ranges: tuple[tuple[Event, ...], ...] = ()
    severity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One record. ``aliases`` are other names of the same (``CVE-…``); ``covers`` are several
    matters that it is about at once; ``severity`` is a word and, where it is known, a CVSS score:
    ``high 7.5``."""

    id: str
    aliases: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    summary: str = ""
    withdrawn: bool = False
    severity: str | None = None
    affected: tuple[Affected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """That a version is affected; ``fixed`` is the next version that is not, where one is known.

    ``certain`` is False where a range cannot be read, so that nobody can tell.
    """

    fixed: str | None
    certain: bool = True


def normalized(name: str) -> str:
    """PEP 503."""
    return _SEPARATORS.sub("-", name).lower()


def parse_advisory(record: Mapping[str, Any]) -> Advisory:
    """The record's value.

    Raises:
        ValueError: it is none of the OSV schema; says what is missing.
    """
    identity = record.get("id")
    if not isinstance(identity, str) or not identity:
        raise ValueError("it has no id")
    entries = record.get("affected", [])
    if not isinstance(entries, list):
        raise ValueError("affected is not an array")
    affected = []
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise ValueError(f"affected[{number}] is not an object")
        if entry.get("package") is not None:
            affected.append(_affected(entry, f"affected[{number}]"))
    # A distribution's own record of one matter, or a notice of several.
    upstream = _texts(record.get("upstream"))
    one = upstream if len(upstream) == 1 else []
    return Advisory(
        id=identity,
        aliases=tuple(dict.fromkeys(_texts(record.get("aliases")) + one)),
        covers=tuple(upstream) if len(upstream) > 1 else (),
        summary=str(record.get("summary") or "").strip(),
        withdrawn=bool(record.get("withdrawn")),
        severity=_severity(record),
        affected=tuple(affected),
    )


def _affected(entry: Mapping[str, Any], where: str) -> Affected:
    package = entry["package"]
    name = package.get("name") if isinstance(package, dict) else None
    ecosystem = package.get("ecosystem") if isinstance(package, dict) else None
    if not isinstance(name, str) or not isinstance(ecosystem, str):
        raise ValueError(f"{where}.package has no name or ecosystem")
    ranges = entry.get("ranges") or []
    if not isinstance(ranges, list) or not all(isinstance(one, dict) for one in ranges):
        raise ValueError(f"{where}.ranges is not an array of objects")
    return Affected(
        ecosystem=ecosystem,
        name=normalized(name) if ecosystem.partition(":")[0] == PYPI else name,
        versions=tuple(_texts(entry.get("versions"))),
        ranges=tuple(_events(one, where) for one in ranges if one.get("type") != "GIT"),
        severity=_severity(entry),
    )


def _events(one: Mapping[str, Any], where: str) -> tuple[Event, ...]:
    events = one.get("events")
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ValueError(f"{where}.ranges has no events")
    return tuple(Event(kind=str(k), version=str(v)) for event in events for k, v in event.items())


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _severity(record: Mapping[str, Any]) -> str | None:
    """``high 7.5`` from a CVSS vector (the newest), else the word that a database uses."""
    vectors = sorted(_vectors(record.get("severity")), reverse=True)
    for kind, score in vectors:
        if kind.startswith("CVSS"):
            known = _cvss(kind, score)
            if known is not None:
                return known
        elif score.lower() in (*_WORDS, *_SPELLINGS):
            return _SPELLINGS.get(score.lower(), score.lower())
    for key in ("database_specific", "ecosystem_specific"):
        own = record.get(key)
        if not isinstance(own, dict):
            continue
        for name in ("severity", "urgency"):
            word = str(own.get(name, "")).lower()
            if word in (*_WORDS, *_SPELLINGS):
                return _SPELLINGS.get(word, word)
    return None


def _vectors(value: object) -> Iterator[tuple[str, str]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            yield str(one.get("type", "")), str(one.get("score", ""))


@lru_cache(maxsize=4096)
def _cvss(kind: str, vector: str) -> str | None:
    import cvss

    classes = {"CVSS_V2": cvss.CVSS2, "CVSS_V3": cvss.CVSS3, "CVSS_V4": cvss.CVSS4}
    if kind not in classes:
        return None
    try:
        found = classes[kind](vector)
    except (cvss.CVSSError, ValueError, KeyError):
        return None
    return f"{found.severities()[0].lower()} {float(found.scores()[0]):.1f}"


def judge_version(entry: Affected, version: str) -> Judgement | None:
    """Whether ``entry`` affects a version; None: it does not (OSV schema, "Evaluation").

    A version is affected when it is listed, or lies in a range.
    """
    order = _pep440 if entry.ecosystem.partition(":")[0] == PYPI else _dpkg
    try:
        own = order(version)
    except ValueError:
        own = None
    listed = version in entry.versions or (
        own is not None and any(_same(order, own, text) for text in entry.versions)
    )
    certain = True
    within = False
    for events in entry.ranges:
        try:
            if own is None:
                raise ValueError
            within |= _within(events, own, order)
        except ValueError:
            certain = False
    if not listed and not within:
        # Where versions are listed, all of them are (the schema asks for it).
        return None if certain or entry.versions else Judgement(fixed=None, certain=False)
    fixes = [event.version for events in entry.ranges for event in events if event.kind == "fixed"]
    return Judgement(fixed=_next(fixes, own, order))


def _within(events: tuple[Event, ...], own: Any, order: Order) -> bool:
    """The events in the order of their versions; ``0`` is before every version."""
    here = (1, own)
    limits = [event.version for event in events if event.kind == "limit"]
    if limits and not any(limit == "*" or own < order(limit) for limit in limits):
        return False
    inside = False
    ordered = [
        ((0,) if event.version == "0" else (1, order(event.version)), event.kind)
        for event in events
        if event.kind != "limit"
    ]
    for at, kind in sorted(ordered, key=lambda pair: pair[0]):
        if kind == "introduced" and here >= at:
            inside = True
        elif (kind == "fixed" and here >= at) or (kind == "last_affected" and here > at):
            inside = False
    return inside


def _next(fixes: list[str], own: Any, order: Order) -> str | None:
    """The least version of ``fixes`` above ``own``."""
    above = []
    for text in fixes:
        try:
            key = order(text)
        except ValueError:
            continue
        if own is None or key > own:
            above.append((key, text))
    return min(above, key=lambda pair: pair[0])[1] if above else None


def _same(order: Order, own: Any, text: str) -> bool:
    try:
        return bool(order(text) == own)
    except ValueError:
        return False


@lru_cache(maxsize=65536)
def _pep440(text: str) -> Any:
    """A release and its local builds (``2.1+cu118``) are one: advisories know releases."""
    from packaging.version import Version

    return Version(Version(text).public)


def _dpkg(text: str) -> Any:
    from envlock.resolve.os.packages.version import sort_key, valid

    if not valid(text):
        raise ValueError(text)
    return sort_key(text)
