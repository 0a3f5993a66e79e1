"""``[tool.envlock.os]`` ⇄ ``OsLayer``; for ``codec``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from envlock.lock.os import OsArchive, OsLayer, OsPackage
from envlock.lock.reader import Reader

_PATH = "tool.envlock.os"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SNAPSHOT = re.compile(r"[0-9]{8}T[0-9]{6}Z")


def os_table(layer: OsLayer) -> dict[str, Any]:
    """The table's content; what is false or empty is left out."""
    return {
        "base": layer.base,
        "archives": [_archive_table(a) for a in sorted(layer.archives, key=_archive_key)],
        "packages": [_package_table(p) for p in sorted(layer.packages)],
    }


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
    return table


def read_os(reader: Reader, tool: Mapping[str, Any]) -> OsLayer:
    """The layer of a lock that has one.

    Raises:
        UsageError: a value has another shape; names its path in the file.
    """
    table = tool["os"]
    if not isinstance(table, dict):
        raise reader.wrong(_PATH, "a table")
    return OsLayer(
        base=reader.text(table, "base", _PATH),
        archives=tuple(_archive(reader, p, t) for p, t in reader.tables(table, "archives", _PATH)),
        packages=tuple(
            sorted(_package(reader, p, t) for p, t in reader.tables(table, "packages", _PATH))
        ),
    )


def _archive(reader: Reader, path: str, table: Mapping[str, Any]) -> OsArchive:
    return OsArchive(
        archive=reader.text(table, "archive", path),
        suite=reader.text(table, "suite", path),
        snapshot=(
            _shaped(reader, table, "snapshot", path, _SNAPSHOT, "20260301T000000Z")
            if "snapshot" in table
            else None
        ),
        components=reader.texts(table, "components", path),
        release_sha256=_digest(reader, table, "release-sha256", path),
        release_date=reader.instant(table, "release-date", path),
        key=reader.text(table, "key", path),
    )


def _package(reader: Reader, path: str, table: Mapping[str, Any]) -> OsPackage:
    size = table.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise reader.wrong(f"{path}.size", "a number of bytes")
    return OsPackage(
        name=reader.text(table, "name", path),
        version=reader.text(table, "version", path),
        architecture=reader.text(table, "architecture", path),
        suite=reader.text(table, "suite", path),
        file_name=reader.text(table, "file", path),
        size=size,
        sha256=_digest(reader, table, "sha256", path),
        source=reader.text(table, "source", path),
        source_version=reader.text(table, "source-version", path),
        base=reader.flag(table, "base", path),
        requested=reader.flag(table, "requested", path),
        via=reader.texts(table, "via", path),
    )


def _digest(reader: Reader, table: Mapping[str, Any], key: str, path: str) -> str:
    return _shaped(reader, table, key, path, _SHA256, "64 lower-case hex digits")


def _shaped(
    reader: Reader,
    table: Mapping[str, Any],
    key: str,
    path: str,
    shape: re.Pattern[str],
    expected: str,
) -> str:
    value = reader.text(table, key, path)
    if not shape.fullmatch(value):
        raise reader.wrong(f"{path}.{key}", expected)
    return value
