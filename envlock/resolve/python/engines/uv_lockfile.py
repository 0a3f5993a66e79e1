"""Reads a ``uv.lock`` (version 1) into the lock's packages and their graph.

Only documented, versioned keys are read; another major version is refused by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import tomli
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from envlock.errors import SourceError
from envlock.lock.package import Artifact, Dependency, PythonPackage
from envlock.lock.target import Target, wheel_tags
from envlock.resolve.python.engines.reach import Edge, Graph, Node, markers

_KNOWN_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UvPackage:
    """One ``[[package]]`` table and the node it stands for."""

    node: Node
    table: Mapping[str, Any]

    @property
    def source_kind(self) -> str:
        """``registry``, ``git``, ``url``, ``path``, ``directory``, ``editable`` or ``virtual``."""
        return str(next(iter(self.table["source"])))


def read(text: str, *, root_name: str) -> tuple[tuple[UvPackage, ...], Graph]:
    """The packages of a uv.lock but the root project ``root_name``, and the graph from it.

    Raises:
        SourceError: uv wrote a lock of a version that this envlock does not know.
    """
    table = tomli.loads(text)
    if table.get("version") != _KNOWN_VERSION:
        raise SourceError(
            f"uv wrote a lock of version {table.get('version')}; known is {_KNOWN_VERSION}",
            remedy="install the uv that this envlock was made for: pip install --upgrade envlock",
        )
    packages = [
        UvPackage(node=Node(name=t["name"], version=t.get("version", "")), table=t)
        for t in table.get("package", ())
    ]
    by_name: dict[str, list[Node]] = {}
    for package in packages:
        by_name.setdefault(package.node.name, []).append(package.node)

    def edges(tables: list[Mapping[str, Any]]) -> tuple[Edge, ...]:
        return tuple(_edge(t, by_name) for t in tables)

    roots: tuple[Edge, ...] = ()
    plain: dict[Node, tuple[Edge, ...]] = {}
    extra: dict[tuple[Node, str], tuple[Edge, ...]] = {}
    for package in packages:
        own = edges(package.table.get("dependencies", []))
        if package.node.name == root_name:
            roots = own
            continue
        plain[package.node] = own
        for name, tables in package.table.get("optional-dependencies", {}).items():
            extra[(package.node, name)] = edges(tables)
    kept = tuple(p for p in packages if p.node.name != root_name)
    return kept, Graph(roots=roots, edges=plain, extra_edges=extra)


def _edge(table: Mapping[str, Any], by_name: Mapping[str, list[Node]]) -> Edge:
    candidates = by_name[table["name"]]
    version = table.get("version")
    # uv states a version where a name has several; otherwise the name is enough.
    node = next((n for n in candidates if version in (None, n.version)), candidates[0])
    return Edge(node=node, extras=tuple(table.get("extra", ())), marker=table.get("marker"))


def to_packages(
    packages: tuple[UvPackage, ...],
    graph: Graph,
    targets: tuple[Target, ...],
    *,
    local_file: Callable[[str], Artifact] | None = None,
) -> tuple[PythonPackage, ...]:
    """The lock's entries: markers per target, the wheels that some target can use, the sdist.

    ``local_file`` makes the artifact of a path in a folder of files (find-links), for which uv
    states no digest.

    Packages from elsewhere than an index carry name, version, marker and dependencies only; the
    caller adds where they came from.
    """
    found = markers(graph, targets)
    usable = frozenset().union(*(wheel_tags(t) for t in targets))
    count = Counter(node.name for node in found)
    needs = _needs(graph, found)
    entries = []
    for package in packages:
        if package.node not in found:
            continue
        dependencies = {
            Dependency(name=n.name, version=n.version if count[n.name] > 1 else None)
            for n in needs.get(package.node, ())
        }
        entries.append(_entry(package, found[package.node], dependencies, usable, local_file))
    return tuple(sorted(entries, key=lambda p: p.sort_key))


def _needs(graph: Graph, found: Mapping[Node, str | None]) -> dict[Node, set[Node]]:
    """Each package's needed neighbours, those of its extras included."""
    needs: dict[Node, set[Node]] = {}
    for node, edges in graph.edges.items():
        needs.setdefault(node, set()).update(e.node for e in edges if e.node in found)
    for (node, _), edges in graph.extra_edges.items():
        needs.setdefault(node, set()).update(e.node for e in edges if e.node in found)
    for node, others in needs.items():
        others.discard(node)
    return needs


def _entry(
    package: UvPackage,
    marker: str | None,
    dependencies: set[Dependency],
    usable: frozenset[Any],
    local_file: Callable[[str], Artifact] | None,
) -> PythonPackage:
    registry = package.source_kind == "registry"
    table = package.table

    def artifact(file: Mapping[str, Any]) -> Artifact:
        return local_file(file["path"]) if local_file and "path" in file else _artifact(file)

    wheels = [artifact(t) for t in (table.get("wheels", ()) if registry else ())]
    index = table["source"].get("registry", "")
    return PythonPackage(
        name=package.node.name,
        version=package.node.version or None,
        marker=marker,
        index=_without_user(index) if index.startswith(("http://", "https://")) else None,
        dependencies=tuple(sorted(dependencies, key=lambda d: (d.name, d.version or ""))),
        sdist=artifact(table["sdist"]) if registry and "sdist" in table else None,
        wheels=tuple(sorted((w for w in wheels if _fits(w.name, usable)), key=lambda w: w.name)),
    )


def _artifact(table: Mapping[str, Any]) -> Artifact:
    location: str = table.get("url") or table.get("path") or table["filename"]
    kind, _, hexdigits = table.get("hash", "").partition(":")
    if kind != "sha256":
        raise SourceError(
            f"the index gives no sha256 for {location.rsplit('/', 1)[-1]}",
            remedy="envlock uses nothing that it cannot verify: use an index that states digests",
        )
    uploaded = table.get("upload-time")
    return Artifact(
        name=unquote(urlsplit(location).path.rsplit("/", 1)[-1]),
        url=_without_user(table["url"]) if "url" in table else None,
        path=table.get("path"),
        sha256=hexdigits,
        size=table.get("size"),
        upload_time=None if uploaded is None else _instant(uploaded),
    )


def _instant(value: str | datetime) -> datetime:
    """UTC, whole microseconds (PEP 700's precision)."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC)


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, fragment="").geturl()


def _fits(filename: str, usable: frozenset[Any]) -> bool:
    try:
        tags = parse_wheel_filename(filename)[3]
    except InvalidWheelFilename:
        return False
    return not tags.isdisjoint(usable)
