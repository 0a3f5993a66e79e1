"""SPDX 2.3 JSON (ISO/IEC 5962:2021 and its successor), by the SPDX project's library."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator

from spdx_tools.spdx.model import (
    Actor,
    ActorType,
    Checksum,
    ChecksumAlgorithm,
    CreationInfo,
    Document,
    ExternalPackageRef,
    ExternalPackageRefCategory,
    Package,
    PackagePurpose,
    Relationship,
    RelationshipType,
    SpdxNoAssertion,
)
from spdx_tools.spdx.writer.json.json_writer import write_document_to_stream

from envlock.export.bom.identity import MADE_BY, document_id
from envlock.export.bom.inventory import inventory
from envlock.export.bom.parts import Inventory, Kind, Part, PartFile
from envlock.export.exporter import FileTree
from envlock.lock.model import Lock
from envlock.lock.target import Target

FILE = "sbom.spdx.json"
ROOT = "SPDXRef-environment"

_PURPOSES = {
    Kind.PYTHON: PackagePurpose.LIBRARY,
    Kind.BUILD: PackagePurpose.LIBRARY,
    Kind.OS: PackagePurpose.INSTALL,
    Kind.OS_BUILD: PackagePurpose.INSTALL,
    Kind.OS_SOURCE: PackagePurpose.SOURCE,
    Kind.SYSTEM: PackagePurpose.OPERATING_SYSTEM,
    Kind.INTERPRETER: PackagePurpose.APPLICATION,
    Kind.IMAGE: PackagePurpose.CONTAINER,
    Kind.TOOLCHAIN: PackagePurpose.FRAMEWORK,
}


class SpdxExporter:
    """``envlock.exporters: spdx``."""

    name = "spdx"

    def export(self, lock: Lock, target: Target | None = None) -> FileTree:
        """See ``Exporter.export``."""
        return {FILE: spdx(inventory(lock, target))}


def spdx(content: Inventory) -> bytes:
    """The document: namespace and time follow from the lock alone."""
    root = Package(
        spdx_id=ROOT,
        name="environment",
        version=content.environment_hash,
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        comment=f"scope: {content.scope}; sha256 of the lockfile: {content.lock_sha256}",
    )
    packages, relationships = [root], [_relation("SPDXRef-DOCUMENT", "DESCRIBES", ROOT)]
    relationships += [_relation(ROOT, "DEPENDS_ON", spdx_id(ref)) for ref in content.roots]
    relationships += [_relation(spdx_id(ref), "BUILD_TOOL_OF", ROOT) for ref in content.tools]
    for part in content.parts:
        packages.append(_package(part))
        relationships += _relations(part)
        for file in _apart(part):
            packages.append(_file_package(part, file))
            own, other = spdx_id(part.ref), _file_id(part, file)
            relationships.append(_relation(own, "DISTRIBUTION_ARTIFACT", other))
    document = Document(
        CreationInfo(
            spdx_version="SPDX-2.3",
            spdx_id="SPDXRef-DOCUMENT",
            name=content.environment_hash,
            document_namespace=f"https://spdx.org/spdxdocs/envlock-{document_id('spdx', content)}",
            creators=[Actor(ActorType.TOOL, "envlock")],
            created=content.as_of.replace(tzinfo=None),  # the library writes its Z to naive ones
            document_comment=MADE_BY,
        ),
        packages=packages,
        relationships=relationships,
    )
    text = io.StringIO()
    # What it writes is valid by construction, and tested to be; validating 1,000 packages takes
    # it seconds.
    write_document_to_stream(document, text, validate=False, drop_duplicates=False)
    return text.getvalue().encode() + b"\n"


def spdx_id(ref: str) -> str:
    """An SPDX identifier (letters, digits, ``.`` and ``-``) for a part; different for each."""
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", ref)[:80].strip("-")
    return f"SPDXRef-{readable}-{hashlib.sha256(ref.encode()).hexdigest()[:12]}"


def _apart(part: Part) -> tuple[PartFile, ...]:
    """The files that need an entry of their own: a package has room for one."""
    return part.files if len(part.files) > 1 else ()


def _package(part: Part) -> Package:
    own = part.files[0] if len(part.files) == 1 else None
    digest = part.sha256 or (own.sha256 if own else None)
    location = None if own is None else own.url
    if part.repository is not None and part.revision is not None:
        location = f"git+{part.repository}@{part.revision}"
    return Package(
        spdx_id=spdx_id(part.ref),
        name=part.name,
        version=part.version,
        file_name=None if own is None else own.path or own.name,
        download_location=location or SpdxNoAssertion(),
        files_analyzed=False,
        checksums=[_checksum(digest)] if digest else [],
        external_references=[] if part.purl is None else [_purl(part.purl)],
        primary_package_purpose=_PURPOSES[part.kind],
        comment="; ".join(f"{key}: {value}" for key, value in part.facts) or None,
    )


def _file_package(part: Part, file: PartFile) -> Package:
    return Package(
        spdx_id=_file_id(part, file),
        name=file.name,
        version=part.version,
        file_name=file.path or file.name,
        download_location=file.url or SpdxNoAssertion(),
        files_analyzed=False,
        checksums=[_checksum(file.sha256)],
        primary_package_purpose=PackagePurpose.SOURCE if file.source else PackagePurpose.INSTALL,
    )


def _file_id(part: Part, file: PartFile) -> str:
    return spdx_id(f"{part.ref} {file.name} {file.sha256}")


def _relations(part: Part) -> Iterator[Relationship]:
    own = spdx_id(part.ref)
    for ref in part.needs:
        yield _relation(own, "DEPENDS_ON", spdx_id(ref))
    for ref in part.built_with:
        yield _relation(spdx_id(ref), "BUILD_DEPENDENCY_OF", own)
    for ref in part.built_by:
        yield _relation(spdx_id(ref), "BUILD_TOOL_OF", own)
    if part.built_from is not None:
        yield _relation(own, "GENERATED_FROM", spdx_id(part.built_from))


def _relation(one: str, relation: str, other: str) -> Relationship:
    return Relationship(one, RelationshipType[relation], other)


def _checksum(digest: str) -> Checksum:
    return Checksum(ChecksumAlgorithm.SHA256, digest)


def _purl(purl: str) -> ExternalPackageRef:
    return ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", purl)
