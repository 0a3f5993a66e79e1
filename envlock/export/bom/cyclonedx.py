"""CycloneDX 1.6 JSON (ECMA-424), by the standard's own library."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from urllib.parse import quote

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from envlock.export.bom.identity import MADE_BY, document_id
from envlock.export.bom.inventory import inventory
from envlock.export.bom.parts import Inventory, Kind, Part, PartFile
from envlock.export.exporter import FileTree
from envlock.lock.model import Lock
from envlock.lock.target import Target

FILE = "sbom.cdx.json"

_TYPES = {
    Kind.PYTHON: ComponentType.LIBRARY,
    Kind.BUILD: ComponentType.LIBRARY,
    Kind.OS: ComponentType.LIBRARY,
    Kind.OS_BUILD: ComponentType.LIBRARY,
    Kind.OS_SOURCE: ComponentType.LIBRARY,
    Kind.SYSTEM: ComponentType.OPERATING_SYSTEM,
    Kind.INTERPRETER: ComponentType.PLATFORM,
    Kind.IMAGE: ComponentType.CONTAINER,
    Kind.TOOLCHAIN: ComponentType.FRAMEWORK,
}


class CycloneDxExporter:
    """``envlock.exporters: cyclonedx``."""

    name = "cyclonedx"

    def export(self, lock: Lock, target: Target | None = None) -> FileTree:
        """See ``Exporter.export``."""
        return {FILE: cyclonedx(inventory(lock, target))}


def cyclonedx(content: Inventory) -> bytes:
    """The document: serial number and time follow from the lock alone."""
    root = Component(
        name="environment",
        version=content.environment_hash,
        type=ComponentType.APPLICATION,
        bom_ref=content.environment_hash,
        properties=[_property("scope", content.scope)],
    )
    bom = Bom(
        serial_number=document_id("cyclonedx", content),
        components=[_component(part) for part in content.parts],
        dependencies=_dependencies(content),
        metadata=BomMetaData(
            timestamp=content.as_of,
            component=root,
            tools=ToolRepository(
                components=[Component(name="envlock", type=ComponentType.APPLICATION)]
            ),
            properties=[
                _property("lockfile-sha256", content.lock_sha256),
                _property("note", MADE_BY),
            ],
        ),
    )
    with warnings.catch_warnings():
        # The library warns of a described component without dependencies; an empty lock has none.
        warnings.simplefilter("ignore", UserWarning)
        text = JsonV1Dot6(bom).output_as_string(indent=2)
    return text.encode() + b"\n"


def _component(part: Part) -> Component:
    # A component has the digest of its one file; the files of one with several stand apart.
    digests = {part.sha256} if part.sha256 else {file.sha256 for file in part.files}
    return Component(
        name=part.name,
        version=part.version,
        type=_TYPES[part.kind],
        bom_ref=part.ref,
        scope=ComponentScope.REQUIRED if part.runtime else ComponentScope.EXCLUDED,
        hashes=[_hash(digest) for digest in digests] if len(digests) == 1 else [],
        purl=None if part.purl is None else PackageURL.from_string(part.purl),
        external_references=list(_references(part)),
        properties=[_property(key, value) for key, value in _facts(part)],
    )


def _references(part: Part) -> Iterator[ExternalReference]:
    for file in part.files:
        place = _place(file)
        if place is not None:
            kind = ExternalReferenceType.DISTRIBUTION
            if file.source:
                kind = ExternalReferenceType.SOURCE_DISTRIBUTION
            yield ExternalReference(
                type=kind, url=XsUri(place), comment=file.name, hashes=[_hash(file.sha256)]
            )
    if part.repository is not None:
        yield ExternalReference(
            type=ExternalReferenceType.VCS, url=XsUri(part.repository), comment=part.revision
        )


def _place(file: PartFile) -> str | None:
    if file.url is not None or file.path is None:
        return file.url
    return quote(f"./{file.path}")


def _facts(part: Part) -> Iterator[tuple[str, str]]:
    yield "kind", part.kind
    yield from part.facts
    if part.built_from is not None:
        yield "built-from", part.built_from
    for file in part.files:
        if _place(file) is None:
            yield "file", f"{file.name} sha256:{file.sha256}"


def _dependencies(content: Inventory) -> list[Dependency]:
    found = [_dependency(content.environment_hash, content.roots)]
    return found + [
        _dependency(p.ref, (*p.needs, *p.built_with, *p.built_by)) for p in content.parts
    ]


def _dependency(ref: str, needs: tuple[str, ...]) -> Dependency:
    return Dependency(ref=BomRef(ref), dependencies=[Dependency(ref=BomRef(n)) for n in needs])


def _hash(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def _property(name: str, value: str) -> Property:
    return Property(name=f"envlock:{name}", value=value)
