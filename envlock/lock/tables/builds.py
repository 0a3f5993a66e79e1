"""``[[tool.envlock.builds]]`` and ``build-graphs`` ⇄ ``Build``; for ``codec``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import is_normalized_name

from envlock.errors import EnvlockError
from envlock.lock.builds import Build, BuildPin, graph_id, source_of, wanted_builds
from envlock.lock.model import Lock
from envlock.lock.tables.reader import Reader
from envlock.lock.target import parse_target

_TOOL = "tool.envlock"
_SHA256 = re.compile(r"[0-9a-f]{64}")

Table = Mapping[str, Any]


def builds_tables(builds: Iterable[Build]) -> dict[str, Any]:
    """``builds`` and ``build-graphs``; equal graphs stand there once, empty values not at all."""
    ordered = sorted(builds, key=lambda build: build.key)
    graphs = {build.graph: build.pins for build in ordered}
    return {
        "builds": [_build_table(build) for build in ordered],
        "build-graphs": [
            {"id": name, "pins": [_pin_table(p) for p in sorted(pins, key=lambda p: p.sort_key)]}
            for name, pins in sorted(graphs.items())
        ],
    }


def _build_table(build: Build) -> dict[str, Any]:
    table = {
        "package": build.package,
        "version": build.version,
        "sdist-sha256": build.sdist,
        "backend": build.backend,
        "backend-path": list(build.backend_path),
        "static": sorted(build.static),
        "dynamic": sorted(build.dynamic),
        "asked-on": sorted(build.asked_on),
        "graph": build.graph,
        "generator": build.generator,
        "preferred": sorted(build.preferred),
        "as-of": build.as_of,
        "programs": sorted(build.programs),
    }
    return {key: value for key, value in table.items() if value}


def _pin_table(pin: BuildPin) -> dict[str, str]:
    table = {"name": pin.name, "version": pin.version}
    return table if pin.marker is None else table | {"marker": pin.marker}


def read_builds(reader: Reader, tool: Table) -> tuple[Build, ...]:
    """The builds of a lock, with their pins.

    Raises:
        UsageError: a value has another shape; names its path in the file.
    """
    graphs: dict[str, tuple[BuildPin, ...]] = {}
    for path, table in reader.tables(tool, "build-graphs"):
        pins = tuple(_pin(reader, p, t) for p, t in reader.tables(table, "pins", path))
        name = reader.text(table, "id", path)
        if name != graph_id(pins):
            raise reader.wrong(f"{path}.id", f"{graph_id(pins)}, the name of these pins")
        graphs[name] = pins
    builds: dict[tuple[str, str], Build] = {}
    used = set()
    for path, table in reader.tables(tool, "builds"):
        name = reader.text(table, "graph", path)
        if name not in graphs:
            raise reader.wrong(f"{path}.graph", f"a graph of {_TOOL}.build-graphs")
        build = _build(reader, path, table, graphs[name])
        if build.key in builds:
            raise reader.wrong(path, f"one entry only for {build.package} {build.version}")
        builds[build.key] = build
        used.add(name)
    if graphs.keys() != used:
        unused = min(graphs.keys() - used)
        raise reader.wrong(f"{_TOOL}.build-graphs", f"only graphs of some build, not {unused}")
    return tuple(builds.values())


def _pin(reader: Reader, path: str, table: Table) -> BuildPin:
    marker = reader.optional_text(table, "marker", path)
    try:
        if marker is not None:
            Marker(marker)
    except InvalidMarker:
        raise reader.wrong(f"{path}.marker", "a marker (PEP 508)") from None
    return BuildPin(
        name=_name(reader, table, "name", path),
        version=reader.text(table, "version", path),
        marker=marker,
    )


def _build(reader: Reader, path: str, table: Table, pins: tuple[BuildPin, ...]) -> Build:
    sha256 = reader.text(table, "sdist-sha256", path)
    if not _SHA256.fullmatch(sha256):
        raise reader.wrong(f"{path}.sdist-sha256", "64 lower-case hex digits")
    return Build(
        package=_name(reader, table, "package", path),
        version=reader.text(table, "version", path),
        sdist=sha256,
        backend=reader.text(table, "backend", path),
        backend_path=reader.texts(table, "backend-path", path),
        static=_requirements(reader, table, "static", path),
        dynamic=_requirements(reader, table, "dynamic", path),
        asked_on=_targets(reader, table, path),
        pins=pins,
        generator=reader.optional_text(table, "generator", path),
        preferred=_requirements(reader, table, "preferred", path),
        as_of=reader.instant(table, "as-of", path) if "as-of" in table else None,
        programs=reader.texts(table, "programs", path),
    )


def _name(reader: Reader, table: Table, key: str, path: str) -> str:
    name = reader.text(table, key, path)
    if not is_normalized_name(name):
        raise reader.wrong(f"{path}.{key}", "a normalized name (PEP 503)")
    return name


def _requirements(reader: Reader, table: Table, key: str, path: str) -> tuple[str, ...]:
    texts = reader.texts(table, key, path)
    for i, text in enumerate(texts):
        try:
            Requirement(text)
        except InvalidRequirement:
            raise reader.wrong(f"{path}.{key}[{i}]", "a requirement (PEP 508)") from None
    return texts


def _targets(reader: Reader, table: Table, path: str) -> tuple[str, ...]:
    keys = reader.texts(table, "asked-on", path)
    for key in keys:
        try:
            parse_target(key)
        except EnvlockError:
            raise reader.wrong(f"{path}.asked-on", "targets such as linux/amd64@3.11") from None
    return keys


def check_builds(reader: Reader, lock: Lock) -> None:
    """Hold the builds, the packages that they are of, and the files of their pins together.

    Raises:
        UsageError: a build is missing, belongs to no sdist, or its pins and files do not agree.
    """
    if lock.builds and not lock.request.sources:
        raise reader.wrong(f"{_TOOL}.builds", "nothing, since the request asks for no sources")
    built = {build.key for build in lock.builds}
    for package in wanted_builds(lock.packages, lock.request) if lock.request.sources else ():
        if (package.name, package.version) not in built:
            raise reader.wrong(f"{_TOOL}.builds", f"an entry for {package.name} {package.version}")
    there = {
        (p.name, p.version): file.sha256
        for p in (*lock.build_packages, *lock.packages)
        if (file := source_of(p)) is not None
    }
    for build in lock.builds:
        if there.get(build.key) != build.sdist:
            expected = f"the sdist of {build.package} {build.version}"
            raise reader.wrong(f"{_TOOL}.builds", f"{expected}, not {build.sdist}")
    _check_files(reader, lock)


def _check_files(reader: Reader, lock: Lock) -> None:
    path = f"{_TOOL}.build-packages"
    pins = {(pin.name, pin.version) for build in lock.builds for pin in build.pins}
    files = {(p.name, p.version or "") for p in lock.build_packages}
    if pins != files:
        name, version = min(pins ^ files)
        which = "the" if (name, version) in pins else "no"
        raise reader.wrong(path, f"{which} package {name} {version}, as the graphs have it")
    if len(files) != len(lock.build_packages):
        raise reader.wrong(path, "each package once")
    for package in lock.build_packages:
        if package.marker is not None or not package.files:
            raise reader.wrong(path, f"files of {package.name}, and no marker")
