"""Reads JSON index pages: PEP 691 with fields of PEP 700 and 792; the older per-project JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from envlock.resolve.python.index.page import (
    PageError,
    PageFile,
    ProjectPage,
    absolute,
    hex_digest,
    is_file_name,
    parse_time,
)


def parse_json(body: bytes, name: str, url: str) -> ProjectPage:
    """The PEP 691 page that ``url`` answered for project ``name`` (normalized).

    Raises:
        PageError: not JSON, not of that shape, or of a newer major version.
    """
    document = _load(body)
    meta = document.get("meta")
    version = meta.get("api-version") if isinstance(meta, dict) else None
    major = version.partition(".")[0] if isinstance(version, str) else ""
    if major != "1":
        raise PageError(f"meta.api-version is {version!r}; this envlock reads 1.x")
    entries = document.get("files")
    if not isinstance(entries, list):
        raise PageError("files is not an array")
    files = (_file(entry, position, url) for position, entry in enumerate(entries))
    status, reason = _status(document.get("project-status"))
    return ProjectPage(
        name=name,
        files=tuple(file for file in files if file is not None),
        status=status,
        reason=reason,
    )


def _status(value: Any) -> tuple[str | None, str | None]:
    """The project's status marker (PEP 792) and its reason."""
    if not isinstance(value, dict) or not isinstance(value.get("status"), str):
        return None, None
    reason = value.get("reason")
    return value["status"], reason if isinstance(reason, str) and reason else None


def _file(entry: Any, position: int, base: str) -> PageFile | None:
    """One entry of ``files``; None for a file at an address that cannot be fetched."""
    if not isinstance(entry, dict):
        raise PageError(f"files[{position}] is not an object")
    filename, reference = entry.get("filename"), entry.get("url")
    if not isinstance(filename, str) or not isinstance(reference, str):
        raise PageError(f"files[{position}] has no filename or url")
    url = absolute(reference.partition("#")[0], base)
    if url is None or not is_file_name(filename):
        return None
    hashes = entry.get("hashes")
    uploaded = entry.get("upload-time")
    requires_python = entry.get("requires-python")
    claimed = entry.get("core-metadata", entry.get("dist-info-metadata"))
    size = entry.get("size")
    return PageFile(
        filename,
        url,
        hex_digest(hashes.get("sha256")) if isinstance(hashes, dict) else None,
        parse_time(uploaded) if isinstance(uploaded, str) else None,
        requires_python if isinstance(requires_python, str) and requires_python else None,
        _yanked(entry.get("yanked"), ""),
        size if type(size) is int and size >= 0 else None,
        hex_digest(claimed.get("sha256")) if isinstance(claimed, dict) else None,
    )


def with_project_json(page: ProjectPage, body: bytes) -> ProjectPage:
    """The page with the times and sizes that the per-project JSON has for the very same files.

    A file is the same when name and SHA-256 agree; where the page states no digest, the JSON's is
    taken over.

    Raises:
        PageError: not JSON, or not of that shape.
    """
    known: dict[str, list[tuple[str | None, Any]]] = {}
    for entry in _releases(_load(body)):
        filename, digests = entry.get("filename"), entry.get("digests")
        digest = hex_digest(digests.get("sha256")) if isinstance(digests, dict) else None
        if isinstance(filename, str):
            known.setdefault(filename, []).append((digest, entry))
    return replace(page, files=tuple(_joined(file, known) for file in page.files))


def _joined(file: PageFile, known: dict[str, list[tuple[str | None, Any]]]) -> PageFile:
    if file.upload_time is not None and file.size is not None:
        return file
    for digest, entry in known.get(file.filename, ()):
        if digest is None or (file.sha256 is not None and file.sha256 != digest):
            continue
        text = entry.get("upload_time_iso_8601") or entry.get("upload_time")
        size = entry.get("size")
        time = parse_time(text) if isinstance(text, str) else None
        return file._replace(
            sha256=digest,
            upload_time=file.upload_time or time,
            size=file.size if file.size is not None else (size if type(size) is int else None),
        )
    return file


def _releases(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    releases = document.get("releases")
    if not isinstance(releases, dict):
        raise PageError("releases is not an object")
    for entries in releases.values():
        if isinstance(entries, list):
            yield from (entry for entry in entries if isinstance(entry, dict))


def _load(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        start = body[:40].decode("utf-8", "replace").strip()
        raise PageError(f"not JSON, or cut short (begins {start!r})") from None
    if not isinstance(document, dict):
        raise PageError("not a JSON object")
    return document


def _yanked(value: Any, unnamed: str) -> str | None:
    """PEP 592 as PEP 691 writes it: false, true, or the reason."""
    if isinstance(value, str) and value:
        return value
    return unnamed if value is True else None
