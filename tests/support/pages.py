"""The pages of a package index: PEP 503 HTML, PEP 691/700 JSON, the per-project JSON."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
SIMPLE_HTML = "application/vnd.pypi.simple.v1+html"

MetadataMode = Literal["absent", "honest", "missing", "wrong-digest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file of an index.

    ``uploaded`` is UTC or None where the index does not know. ``yanked`` is the reason (may be
    empty) or None. ``metadata`` says what the index claims of PEP 658 metadata: nothing
    (``absent``), the truth, a file that is a 404 (``missing``) or one that does not have the
    digest claimed.
    """

    project: str
    version: str
    name: str
    content: bytes
    uploaded: datetime | None
    requires_python: str | None = None
    yanked: str | None = None
    metadata: MetadataMode = "absent"
    metadata_text: bytes = b""

    @property
    def sha256(self) -> str:
        """64 hex digits of the content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def path(self) -> str:
        """Where the server has it: named by its content, so that a re-upload has another URL."""
        return f"/files/{self.sha256[:2]}/{self.sha256[2:16]}/{self.name}"

    @property
    def claimed_metadata(self) -> str | None:
        """The SHA-256 that pages state for the metadata file, or None where they state none."""
        if self.metadata == "absent":
            return None
        if self.metadata == "wrong-digest":
            return hashlib.sha256(self.metadata_text + b"?").hexdigest()
        return hashlib.sha256(self.metadata_text).hexdigest()

    @property
    def upload_text(self) -> str | None:
        """``2024-01-02T03:04:05.000006Z``, as PEP 700 writes it."""
        if self.uploaded is None:
            return None
        return self.uploaded.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def project_html(
    project: str,
    files: Iterable[StoredFile],
    base: str,
    *,
    dated: bool,
    status: tuple[str, str] | None = None,
) -> bytes:
    """The PEP 503 page; ``dated`` adds ``data-upload-time`` to each anchor; ``status`` as PEP 792
    has it, with its reason."""
    keys = ("pypi:project-status", "pypi:project-status-reason")
    metas = [
        f'<meta name="{key}" content="{html.escape(value)}">'
        for key, value in zip(keys, status or (), strict=False)
    ]
    lines = [
        "<!DOCTYPE html>",
        f"<html><head>{''.join(metas)}<title>Links for {project}</title></head><body>",
        f"<h1>Links for {project}</h1>",
    ]
    for file in files:
        values: dict[str, str | None] = {
            "href": f"{base}{file.path}#sha256={file.sha256}",
            "data-requires-python": file.requires_python,
            "data-yanked": file.yanked,
            "data-upload-time": file.upload_text if dated else None,
        }
        if file.claimed_metadata is not None:
            values["data-core-metadata"] = f"sha256={file.claimed_metadata}"
            values["data-dist-info-metadata"] = f"sha256={file.claimed_metadata}"
        attributes = " ".join(
            f'{key}="{html.escape(value)}"' for key, value in values.items() if value is not None
        )
        lines.append(f"<a {attributes}>{html.escape(file.name)}</a><br/>")
    return "\n".join([*lines, "</body></html>", ""]).encode()


def root_html(projects: Iterable[str]) -> bytes:
    """The PEP 503 list of projects."""
    links = "".join(f'<a href="/simple/{name}/">{name}</a>\n' for name in sorted(projects))
    return f"<!DOCTYPE html>\n<html><body>\n{links}</body></html>\n".encode()


def project_json(
    project: str, files: Iterable[StoredFile], base: str, status: tuple[str, str] | None = None
) -> bytes:
    """The PEP 691 page, with PEP 700's versions, sizes and upload times, and PEP 792's status."""
    marker = {} if status is None else {"status": status[0], "reason": status[1]}
    files = list(files)
    entries = []
    for file in files:
        entry: dict[str, Any] = {
            "filename": file.name,
            "url": base + file.path,
            "hashes": {"sha256": file.sha256},
            "size": len(file.content),
            "yanked": file.yanked or file.yanked is not None,
        }
        if file.requires_python is not None:
            entry["requires-python"] = file.requires_python
        if file.upload_text is not None:
            entry["upload-time"] = file.upload_text
        if file.claimed_metadata is not None:
            entry["core-metadata"] = {"sha256": file.claimed_metadata}
            entry["dist-info-metadata"] = {"sha256": file.claimed_metadata}
        entries.append(entry)
    return _json(
        {
            "meta": {"api-version": "1.4" if marker else "1.1"},
            **({"project-status": marker} if marker else {}),
            "name": project,
            "versions": sorted({file.version for file in files}),
            "files": entries,
        }
    )


def root_json(projects: Iterable[str]) -> bytes:
    """The PEP 691 list of projects."""
    names = [{"name": name} for name in sorted(projects)]
    return _json({"meta": {"api-version": "1.1"}, "projects": names})


def legacy_json(project: str, files: Iterable[StoredFile], base: str) -> bytes:
    """The per-project JSON (``/pypi/NAME/json``), which has ``upload_time_iso_8601``."""
    releases: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        wheel = file.name.endswith(".whl")
        releases.setdefault(file.version, []).append(
            {
                "filename": file.name,
                "url": base + file.path,
                "digests": {"sha256": file.sha256},
                "size": len(file.content),
                "packagetype": "bdist_wheel" if wheel else "sdist",
                "requires_python": file.requires_python,
                "upload_time": (file.upload_text or "")[:19] or None,
                "upload_time_iso_8601": file.upload_text,
                "yanked": file.yanked is not None,
                "yanked_reason": file.yanked,
            }
        )
    latest = max(releases, default="0")
    return _json(
        {
            "info": {"name": project, "version": latest},
            "releases": releases,
            "urls": releases.get(latest, []),
        }
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()
