"""``[tool.envlock.os]`` ⇄ ``OsLayer``; for ``codec``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from envlock.lock.os import OsArchive, OsLayer, OsLibrary, OsPackage, OsSource, OsSourceFile
from envlock.lock.tables.reader import Reader

_PATH = "tool.envlock.os"
_SNAPSHOT = re.compile(r"[0-9]{8}T[0-9]{6}Z")


def os_table(layer: OsLayer) -> dict[str, Any]:
    """The table's content; what is false or empty is left out."""
    table: dict[str, Any] = {
        "base": layer.base,
        "archives": [_archive_table(a) for a in sorted(layer.archives, key=_archive_key)],
        "packages": [_package_table(p) for p in sorted(layer.packages)],
    }
    if layer.build_packages:
        table["build-packages"] = [_package_table(p) for p in sorted(layer.build_packages)]
    if layer.sources:
        table["sources"] = [_source_table(s) for s in sorted(layer.sources)]
    if layer.libraries:
        table["libraries"] = [
            _library_table(entry) for entry in sorted(layer.libraries, key=_library_key)
        ]
    if layer.unread:
        table["unread"] = sorted(layer.unread)
    return table


def _archive_key(archive: OsArchive) -> tuple[str, str]:
    return (archive.archive, archive.suite)


def _archive_table(archive: OsArchive) -> dict[str, Any]:
    table: dict[str, Any] = {"archive": archive.archive, "suite": archive.suite}
    if archive.snapshot is not None:
        table["snapshot"] = archive.snapshot
    return table | {
        "components": list(archive.components),
        "release-sha256": archive.release_sha256,
        "release-date": archive.release_date,
        "key": archive.key,
    }


def _package_table(package: OsPackage) -> dict[str, Any]:
    table: dict[str, Any] = {
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "suite": package.suite,
        "file": package.file_name,
        "size": package.size,
        "sha256": package.sha256,
        "source": package.source,
        "source-version": package.source_version,
    }
    if package.base:
        table["base"] = True
    if package.requested:
        table["requested"] = True
    if package.via:
        table["via"] = sorted(package.via)
    if package.via_wheels:
        table["via-wheels"] = sorted(package.via_wheels)
    return table


def _library_key(entry: OsLibrary) -> tuple[str, str]:
    return (entry.architecture, entry.soname)


def _library_table(entry: OsLibrary) -> dict[str, Any]:
    table: dict[str, Any] = {"soname": entry.soname, "architecture": entry.architecture}
    if entry.package is not None:
        table["package"] = entry.package
    table["wheels"] = sorted(entry.wheels)
    if entry.partly_read:
        table["partly-read"] = True
    return table


def _source_table(source: OsSource) -> dict[str, Any]:
    return {
        "name": source.name,
        "version": source.version,
        "suite": source.suite,
        "directory": source.directory,
        "files": [
            {"name": f.name, "size": f.size, "sha256": f.sha256} for f in sorted(source.files)
        ],
    }


def read_os(reader: Reader, tool: Mapping[str, Any], *, sources: bool) -> OsLayer:
    """The layer of a lock that has one; ``sources`` is whether the request asks for them.

    Raises:
        UsageError: a value has another shape; names its path in the file.
    """
    table = tool["os"]
    if not isinstance(table, dict):
        raise reader.wrong(_PATH, "a table")
    layer = OsLayer(
        base=reader.text(table, "base", _PATH),
        archives=tuple(_archive(reader, p, t) for p, t in reader.tables(table, "archives", _PATH)),
        packages=_packages(reader, table, "packages"),
        build_packages=_packages(reader, table, "build-packages"),
        sources=tuple(
            sorted(_source(reader, p, t) for p, t in reader.tables(table, "sources", _PATH))
        ),
        libraries=_libraries(reader, table),
        unread=reader.texts(table, "unread", _PATH),
    )
    both = {(p.architecture, p.name) for p in layer.packages}
    for package in layer.build_packages:
        if (package.architecture, package.name) in both:
            expected = f"no {package.name}, which is among packages"
            raise reader.wrong(f"{_PATH}.build-packages", expected)
    _check_sources(reader, layer, asked=sources)
    return layer


def _check_sources(reader: Reader, layer: OsLayer, *, asked: bool) -> None:
    """Hold the source packages to the .debs, since no digest in the file covers them."""
    wanted = {(p.source, p.source_version) for p in layer.packages} if asked else set()
    there = {(s.name, s.version) for s in layer.sources}
    if wanted != there:
        name, version = min(wanted ^ there)
        which = "the" if (name, version) in wanted else "no"
        raise reader.wrong(f"{_PATH}.sources", f"{which} source package {name} {version}")
    if len({(s.name, s.version, s.suite) for s in layer.sources}) != len(layer.sources):
        raise reader.wrong(f"{_PATH}.sources", "each source package once")


def _packages(reader: Reader, table: Mapping[str, Any], key: str) -> tuple[OsPackage, ...]:
    """Every entry, sorted; none of them twice for one architecture."""
    found: dict[tuple[str, str], OsPackage] = {}
    for path, entry in reader.tables(table, key, _PATH):
        package = _package(reader, path, entry)
        if found.setdefault((package.architecture, package.name), package) is not package:
            expected = f"one entry only for {package.name} of {package.architecture}"
            raise reader.wrong(path, expected)
    return tuple(sorted(found.values()))


def _archive(reader: Reader, path: str, table: Mapping[str, Any]) -> OsArchive:
    return OsArchive(
        archive=reader.text(table, "archive", path),
        suite=reader.text(table, "suite", path),
        snapshot=(
            reader.shaped(table, "snapshot", path, _SNAPSHOT, "20260301T000000Z")
            if "snapshot" in table
            else None
        ),
        components=reader.texts(table, "components", path),
        release_sha256=reader.digest(table, "release-sha256", path),
        release_date=reader.instant(table, "release-date", path),
        key=reader.text(table, "key", path),
    )


def _package(reader: Reader, path: str, table: Mapping[str, Any]) -> OsPackage:
    return OsPackage(
        name=reader.text(table, "name", path),
        version=reader.text(table, "version", path),
        architecture=reader.text(table, "architecture", path),
        suite=reader.text(table, "suite", path),
        file_name=reader.text(table, "file", path),
        size=reader.size(table, path),
        sha256=reader.digest(table, "sha256", path),
        source=reader.text(table, "source", path),
        source_version=reader.text(table, "source-version", path),
        base=reader.flag(table, "base", path),
        requested=reader.flag(table, "requested", path),
        via=reader.texts(table, "via", path),
        via_wheels=reader.texts(table, "via-wheels", path),
    )


def _source(reader: Reader, path: str, table: Mapping[str, Any]) -> OsSource:
    directory = reader.text(table, "directory", path)
    if directory.startswith("/") or ".." in directory.split("/"):
        raise reader.wrong(f"{path}.directory", "a folder in the archive")
    files = [_source_file(reader, p, t) for p, t in reader.tables(table, "files", path)]
    if not files:
        raise reader.wrong(f"{path}.files", "the source package's files")
    return OsSource(
        name=reader.text(table, "name", path),
        version=reader.text(table, "version", path),
        suite=reader.text(table, "suite", path),
        directory=directory,
        files=tuple(sorted(files)),
    )


def _source_file(reader: Reader, path: str, table: Mapping[str, Any]) -> OsSourceFile:
    name = reader.text(table, "name", path)
    if "/" in name or name in (".", ".."):
        raise reader.wrong(f"{path}.name", "a plain file name")
    return OsSourceFile(
        name=name, size=reader.size(table, path), sha256=reader.digest(table, "sha256", path)
    )


def _libraries(reader: Reader, table: Mapping[str, Any]) -> tuple[OsLibrary, ...]:
    found: dict[tuple[str, str], OsLibrary] = {}
    for path, entry in reader.tables(table, "libraries", _PATH):
        library = OsLibrary(
            architecture=reader.text(entry, "architecture", path),
            soname=reader.text(entry, "soname", path),
            package=reader.optional_text(entry, "package", path),
            wheels=reader.texts(entry, "wheels", path),
            partly_read=reader.flag(entry, "partly-read", path),
        )
        if found.setdefault(_library_key(library), library) is not library:
            raise reader.wrong(path, f"one entry only for {library.soname}")
    return tuple(sorted(found.values(), key=_library_key))
