"""Which packages each target needs, walked over a resolved graph whose edges carry markers.

The answer becomes each package's marker in the lock. A target that leaves the patch release open
(``3.11``) is split at every patch that some marker names (``python_full_version < '3.11.3'``), so
that the marker stays true for every patch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from packaging.markers import Marker
from packaging.version import Version

from envlock.lock.target import PLATFORMS, Target

_FULL_VERSION = re.compile(r"python_full_version\s*[<>=!~]+\s*['\"]([0-9.]+)[^'\"]*['\"]")
_FULL_VERSION_REVERSED = re.compile(r"['\"]([0-9.]+)[^'\"]*['\"]\s*[<>=!~]+\s*python_full_version")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Node:
    """One resolved package: normalized name and version (``""`` for a source tree without one)."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A dependency on ``node`` with some of its ``extras``, where ``marker`` holds."""

    node: Node
    extras: tuple[str, ...] = ()
    marker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """``roots`` are the request's edges; ``edges`` and ``extra_edges`` those of each package."""

    roots: tuple[Edge, ...]
    edges: Mapping[Node, tuple[Edge, ...]]
    extra_edges: Mapping[tuple[Node, str], tuple[Edge, ...]] = field(default_factory=dict)

    def all_edges(self) -> Iterator[Edge]:
        """Every edge, in no particular order."""
        yield from self.roots
        for edges in self.edges.values():
            yield from edges
        for edges in self.extra_edges.values():
            yield from edges


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Slice:
    """A target, or the part of it from patch ``first`` up to (excluding) ``end``."""

    target: Target
    first: str | None = None
    end: str | None = None

    @property
    def sample(self) -> str:
        """A full Python version inside the slice."""
        return self.first or self.target.environment()["python_full_version"]

    @property
    def marker(self) -> str:
        """The marker that holds exactly here."""
        parts = [self.target.marker]
        if self.first is not None and Version(self.first) > Version(f"{self.target.series}.0"):
            parts.append(f"python_full_version >= '{self.first}'")
        if self.end is not None:
            parts.append(f"python_full_version < '{self.end}'")
        return " and ".join(parts)


def slices(targets: Iterable[Target], graph: Graph) -> tuple[Slice, ...]:
    """The targets, cut at each patch release that a marker of the graph distinguishes."""
    named = set()
    for marker in {e.marker for e in graph.all_edges() if e.marker}:
        named.update(_FULL_VERSION.findall(marker))
        named.update(_FULL_VERSION_REVERSED.findall(marker))
    found = []
    for target in sorted(targets):
        cuts = _cuts(target, named)
        ends = [*cuts[1:], None]
        found += [
            Slice(target=target, first=first if len(cuts) > 1 else None, end=end)
            for first, end in zip(cuts, ends, strict=True)
        ]
    return tuple(found)


def _cuts(target: Target, named: Iterable[str]) -> list[str]:
    if target.python.count(".") == 2:
        return [target.python]
    start = f"{target.series}.0"
    cuts = {start}
    for text in named:
        # `3.12.*` arrives here as `3.12.`
        release = (*Version(text.rstrip(".")).release, 0, 0)[:3]
        if release[:2] == Version(target.series).release:
            # `==`, `<=` and `>` change after the patch that they name, `<` and `>=` before it.
            cuts.add(f"{target.series}.{release[2]}")
            cuts.add(f"{target.series}.{release[2] + 1}")
    return sorted(cuts, key=Version)


def reached(graph: Graph, where: Slice) -> frozenset[Node]:
    """The packages that an environment inside ``where`` needs."""
    environment = where.target.environment(where.sample)
    seen: set[tuple[Node, str]] = set()
    queue = [(edge, "") for edge in graph.roots]
    while queue:
        edge, _ = queue.pop()
        if edge.marker is not None and not _holds(edge.marker, tuple(environment.items())):
            continue
        for extra in ("", *edge.extras):
            key = (edge.node, extra)
            if key in seen:
                continue
            seen.add(key)
            more = graph.extra_edges.get(key, ()) if extra else graph.edges.get(edge.node, ())
            queue.extend((next_edge, extra) for next_edge in more)
    return frozenset(node for node, _ in seen)


@cache
def _holds(marker: str, environment: tuple[tuple[str, str], ...]) -> bool:
    return Marker(marker).evaluate({**dict(environment), "extra": ""})


def markers(graph: Graph, targets: Iterable[Target]) -> dict[Node, str | None]:
    """Each needed package's marker; None where every target needs it. Unneeded ones are absent."""
    everywhere = slices(targets, graph)
    where: dict[Node, list[Slice]] = {}
    for part in everywhere:
        for node in reached(graph, part):
            where.setdefault(node, []).append(part)
    return {node: _normal(_marker(parts, everywhere)) for node, parts in where.items()}


def _normal(marker: str | None) -> str | None:
    """As ``packaging`` writes it, so that reading the file back gives the same text."""
    return None if marker is None else str(Marker(marker))


def _marker(parts: list[Slice], everywhere: tuple[Slice, ...]) -> str | None:
    if len(parts) == len(everywhere):
        return None
    chosen = set(parts)
    for name, key in (
        ("sys_platform", lambda s: PLATFORMS[s.target.platform].sys_platform),
        ("python_version", lambda s: s.target.series),
    ):
        values = sorted({key(s) for s in parts})
        if chosen == {s for s in everywhere if key(s) in values}:
            return " or ".join(f"{name} == '{value}'" for value in values)
    return " or ".join(_joined(parts))


def _joined(parts: list[Slice]) -> list[str]:
    """Markers of the slices, neighbouring patches of one target melted together."""
    melted: list[Slice] = []
    for part in parts:
        last = melted[-1] if melted else None
        if last and last.target == part.target and last.end is not None and last.end == part.first:
            melted[-1] = Slice(target=part.target, first=last.first, end=part.end)
        else:
            melted.append(part)
    texts = [part.marker for part in melted]
    return [f"({text})" for text in texts] if len(texts) > 1 else texts
