"""Provenance: an in-toto Statement v1 with the predicate of SLSA Provenance v1.

The subject is the lock, as a file and as an environment hash; what it was resolved from are the
dependencies. It is unsigned: signing is for who vouches for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from envlock.export.bom.identity import MADE_BY
from envlock.export.bom.inventory import inventory
from envlock.export.bom.os_parts import archive_urls, release_name
from envlock.export.bom.parts import Inventory, Kind, Part, PartFile
from envlock.export.bom.purl import address, image_purl, public
from envlock.export.exporter import FileTree
from envlock.lock.hashing import PREFIX
from envlock.lock.image import BaseImage
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer
from envlock.lock.target import Target

FILE = "provenance.intoto.json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://github.com/envlock/envlock/lock/v1"
BUILDER = "https://github.com/envlock/envlock"


class ProvenanceExporter:
    """``envlock.exporters: provenance``."""

    name = "provenance"

    def __init__(self) -> None:
        self.lock_name = "pylock.toml"

    def export(self, lock: Lock, target: Target | None = None) -> FileTree:
        """See ``Exporter.export``. With a target, the dependencies are those of that one."""
        content = inventory(lock, target)
        statement = {
            "_type": STATEMENT,
            "subject": _subject(content, self.lock_name),
            "predicateType": PREDICATE,
            "predicate": _predicate(lock, content),
        }
        return {FILE: json.dumps(statement, indent=2, ensure_ascii=False).encode() + b"\n"}


def _subject(content: Inventory, lock_name: str) -> list[dict[str, Any]]:
    root = content.environment_hash
    return [
        {"name": lock_name, "digest": {"sha256": content.lock_sha256}},
        # The hash is the SHA-256 of a canonical document: see docs/environment-hash.md.
        {"name": root, "digest": {"sha256": root.removeprefix(PREFIX)}},
    ]


def _predicate(lock: Lock, content: Inventory) -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "asOf": f"{lock.as_of:%Y-%m-%dT%H:%M:%SZ}",
                "request": _public(lock.request.canonical()),
                "scope": content.scope,
            },
            "internalParameters": {"engine": lock.engine, "note": MADE_BY},
            "resolvedDependencies": [_present(d) for d in _dependencies(lock, content)],
        },
        "runDetails": {"builder": {"id": BUILDER}},
    }


def _dependencies(lock: Lock, content: Inventory) -> Iterator[dict[str, Any]]:
    if lock.os is not None and any(part.kind is Kind.OS for part in content.parts):
        yield from _releases(lock.os)
    for index in sorted({v for part in content.parts for k, v in part.facts if k == "index"}):
        yield {"uri": index, "annotations": {"kind": "index"}}
    if lock.image is not None:
        yield from _image_index(lock.image)
    for part in content.parts:
        yield from _part(part)


def _releases(layer: OsLayer) -> Iterator[dict[str, Any]]:
    places = archive_urls(layer)
    for archive in sorted(layer.archives, key=lambda a: (a.archive, a.suite)):
        place = places.get(archive.suite)
        yield {
            "name": f"{release_name(archive)} Release",
            "uri": None if place is None else address(f"{place}/dists/{archive.suite}/InRelease"),
            # Of what was signed: the text within InRelease, without the signature's armour.
            "digest": {"sha256": archive.release_sha256},
            "annotations": {
                "components": sorted(archive.components),
                "date": f"{archive.release_date:%Y-%m-%dT%H:%M:%SZ}",
                "key": archive.key,
                "kind": "release",
            },
        }


def _image_index(image: BaseImage) -> Iterator[dict[str, Any]]:
    if image.digest not in {platform.digest for platform in image.platforms}:
        yield {
            "name": image.reference,
            "uri": image_purl(image, image.digest),
            "digest": {"sha256": image.digest.partition(":")[2]},
            "annotations": {"kind": "image-index"},
        }


def _part(part: Part) -> Iterator[dict[str, Any]]:
    facts = dict(part.facts)
    if part.kind is Kind.SYSTEM:
        return  # its Releases say it
    for file in part.files:
        yield _file(part, file)
    if part.revision is not None:
        yield {
            "name": part.name,
            "uri": f"git+{part.repository}@{part.revision}" if part.repository else part.purl,
            "digest": {"gitCommit": part.revision},
            "annotations": {"kind": part.kind, **facts},
        }
    elif part.sha256 is not None:
        yield {
            "name": part.name,
            "uri": part.purl,
            "digest": {"sha256": part.sha256},
            "annotations": {"kind": part.kind, **facts},
        }
    elif "directory" in facts:
        # A folder of the project's own: no digest is locked for it.
        yield {
            "name": part.name,
            "uri": f"./{facts['directory']}",
            "annotations": {"kind": "folder"},
        }


def _file(part: Part, file: PartFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "uri": part.purl,
        "digest": {"sha256": file.sha256},
        "downloadLocation": file.url or file.path,
        "annotations": {"kind": part.kind},
    }


def _present(descriptor: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in descriptor.items() if value is not None}


def _public(value: Any) -> Any:
    """Every text without credentials, whatever it is part of."""
    if isinstance(value, str):
        return public(value)
    if isinstance(value, dict):
        return {key: _public(inner) for key, inner in value.items()}
    return [_public(inner) for inner in value] if isinstance(value, list) else value
