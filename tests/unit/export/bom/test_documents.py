"""SBOMs and provenance: valid by each standard's own library, whole, and the same bytes twice."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf.json_format import ParseDict
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import resource_descriptor_pb2, statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from spdx_tools.spdx.model import RelationshipType
from spdx_tools.spdx.parser.json.json_parser import parse_from_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
from support.samples import LINUX, MACOS, full_lock, os_package, package, small_lock
from support.strategies import locks, shuffled

from envlock.export.bom.cyclonedx import FILE as CYCLONEDX
from envlock.export.bom.provenance import FILE as PROVENANCE
from envlock.export.bom.provenance import ProvenanceExporter
from envlock.export.bom.sbom import SbomExporter
from envlock.export.bom.spdx import FILE as SPDX
from envlock.lock import codec
from envlock.lock.hashing import environment_hash
from envlock.lock.image import BaseImage, PlatformImage
from envlock.lock.model import Lock
from envlock.lock.target import Target

IMAGE = BaseImage(
    reference="docker.io/library/debian:bookworm-slim",
    digest=f"sha256:{'7' * 64}",
    platforms=(PlatformImage(platform="linux/amd64", digest=f"sha256:{'8' * 64}"),),
)
FULL = dataclasses.replace(full_lock(), image=IMAGE)
VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)
SHA256 = re.compile(r"\b[0-9a-f]{64}\b")


def documents(lock: Lock, target: Target | None = None) -> dict[str, bytes]:
    return {
        **SbomExporter().export(lock, target),
        **ProvenanceExporter().export(lock, target),
    }


def check_valid(files: dict[str, bytes]) -> None:
    """Each by its standard's own library."""
    problem = VALIDATOR.validate_str(files[CYCLONEDX].decode())
    assert problem is None, problem
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, SPDX)
        path.write_bytes(files[SPDX])
        found = validate_full_spdx_document(parse_from_file(str(path)))
    assert [message.validation_message for message in found] == []
    statement = json.loads(files[PROVENANCE])
    predicate = statement["predicate"]
    # ParseDict refuses keys that the standard does not have; validate, what has to be there.
    Statement.copy_from_pb(ParseDict(statement, statement_pb2.Statement())).validate()
    ParseDict(predicate, provenance_pb2.Provenance())
    for descriptor in predicate["buildDefinition"]["resolvedDependencies"]:
        parsed = ParseDict(descriptor, resource_descriptor_pb2.ResourceDescriptor())
        ResourceDescriptor.copy_from_pb(parsed).validate()


@pytest.mark.parametrize("target", [None, LINUX, MACOS])
def test_each_is_valid_by_its_standard(target: Target | None) -> None:
    check_valid(documents(FULL, target))


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes minutes
)
@given(data=st.data())
def test_whatever_is_locked_they_are_valid(data: st.DataObject) -> None:
    lock = data.draw(locks())
    if lock.os is not None:  # a release that is not known is refused: see below
        lock = dataclasses.replace(lock, os=dataclasses.replace(lock.os, base="debian:bookworm"))
    files = documents(lock)
    check_valid(files)
    assert documents(data.draw(shuffled(lock))) == files


def _locked_digests(lock: Lock) -> set[str]:
    """Every digest that the lockfile has, found in its text."""
    table = codec.dump(lock).partition("[tool.envlock.request]")[0]
    return set(SHA256.findall(table))


@pytest.mark.parametrize("name", [CYCLONEDX, SPDX, PROVENANCE])
def test_every_locked_file_is_there_with_its_digest(name: str) -> None:
    text = documents(FULL)[name].decode()
    own = environment_hash(FULL)
    wanted = _locked_digests(FULL) - {own.python, own.os, own.toolchain}
    assert len(wanted) > 15
    assert wanted <= set(SHA256.findall(text))
    assert {"8" * 64} <= set(SHA256.findall(text))  # the image's


def test_identity_and_time_come_from_the_lock() -> None:
    bom = json.loads(documents(FULL)[CYCLONEDX])
    assert bom["metadata"]["timestamp"] == "2024-06-01T00:00:00+00:00"
    assert bom["metadata"]["component"]["version"] == environment_hash(FULL).root
    assert json.loads(documents(FULL)[SPDX])["creationInfo"]["created"] == "2024-06-01T00:00:00Z"
    other = dataclasses.replace(FULL, packages=FULL.packages[:-1])
    numbers = {
        json.loads(documents(lock, target)[CYCLONEDX])["serialNumber"]
        for lock, target in [(FULL, None), (FULL, None), (other, None), (FULL, LINUX)]
    }
    assert len(numbers) == 3


def test_what_only_builds_need_is_not_of_the_runtime() -> None:
    built = FULL.builds[0].package
    tools = (
        os_package("g++", via_wheels=(built,)),
        os_package("cpp", via=("g++",)),
        os_package("cmake", requested=True),
    )
    assert FULL.os is not None
    lock = dataclasses.replace(FULL, os=dataclasses.replace(FULL.os, build_packages=tools))
    files = documents(lock)
    check_valid(files)
    bom = json.loads(files[CYCLONEDX])
    scopes = {(c["name"], c["scope"]) for c in bom["components"]}
    assert {(n, "excluded") for n in ("g++", "cpp", "cmake")} | {("app", "required")} <= scopes
    graph = {entry["ref"]: set(entry.get("dependsOn", [])) for entry in bom["dependencies"]}
    [tool] = [ref for ref in graph if ref.startswith("os:g++=")]
    assert {ref for ref, needs in graph.items() if tool in needs} == {
        ref for ref in graph if re.match(f"(python|build):{built}==", ref)
    }
    assert any(ref.startswith("os:cpp=") for ref in graph[tool])
    spdx = json.loads(files[SPDX])
    names = {entry["SPDXID"]: entry["name"] for entry in spdx["packages"]}
    assert {
        (names[r["spdxElementId"]], names[r["relatedSpdxElement"]])
        for r in spdx["relationships"]
        if r["relationshipType"] == "BUILD_TOOL_OF"
    } == {("g++", built), ("cmake", "environment")}
    predicate = json.loads(files[PROVENANCE])["predicate"]
    kinds = [d["annotations"]["kind"] for d in predicate["buildDefinition"]["resolvedDependencies"]]
    assert kinds.count("os-build") == len(tools)


def test_the_graph_of_dependencies() -> None:
    lock = small_lock(package("aa", needs=["bb"]), package("bb"), package("cc"), wishes=["aa"])
    bom = json.loads(documents(lock)[CYCLONEDX])
    graph = {entry["ref"]: entry.get("dependsOn", []) for entry in bom["dependencies"]}
    # cc, which nobody asks for, is the environment's own.
    assert graph == {
        environment_hash(lock).root: ["python:aa==1.0", "python:cc==1.0"],
        "python:aa==1.0": ["python:bb==1.0"],
        "python:bb==1.0": [],
        "python:cc==1.0": [],
    }
    found = _spdx(lock)
    names = {p.spdx_id: p.name for p in found.packages}
    needed = {
        (names[r.spdx_element_id], names[str(r.related_spdx_element_id)])
        for r in found.relationships
        if r.relationship_type is RelationshipType.DEPENDS_ON
    }
    assert needed == {("environment", "aa"), ("environment", "cc"), ("aa", "bb")}


def _spdx(lock: Lock) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, SPDX)
        path.write_bytes(documents(lock)[SPDX])
        return parse_from_file(str(path))


def test_os_packages_stand_in_the_graph_and_know_their_sources() -> None:
    bom = json.loads(documents(FULL)[CYCLONEDX])
    graph = {entry["ref"]: entry.get("dependsOn", []) for entry in bom["dependencies"]}
    assert graph["os:app=1.0-1:amd64"] == ["os:lib=1.0-1:amd64", "os:libc6=1.0-1:amd64"]
    parts = {part["bom-ref"]: part for part in bom["components"]}
    assert parts["system:debian:bookworm"]["version"] == "12"
    assert parts["os:app=1.0-1:amd64"]["scope"] == "required"
    assert parts["os-source:app=1.0-1"]["scope"] == "excluded"
    place = parts["os:app=1.0-1:amd64"]["externalReferences"][0]["url"]
    assert place.endswith("/archive/debian/20240601T120000Z/pool/main/app.deb")


def test_a_wheels_library_is_needed_by_the_wheel() -> None:
    layer = dataclasses.replace(
        FULL.os,
        packages=(os_package("libgl1", via_wheels=("aa",)),),  # type: ignore[type-var]
    )
    lock = dataclasses.replace(small_lock(package("aa"), wishes=["aa"]), os=layer)
    bom = json.loads(documents(lock)[CYCLONEDX])
    graph = {entry["ref"]: entry.get("dependsOn", []) for entry in bom["dependencies"]}
    assert graph["python:aa==1.0"] == ["os:libgl1=1.0-1:amd64"]


def test_with_a_target_only_what_it_uses() -> None:
    files = documents(FULL, MACOS)
    text = files[CYCLONEDX].decode()
    assert "macosx_11_0_arm64" in text
    assert "manylinux" not in text
    assert "pkg:deb" not in text
    kinds = {d["annotations"]["kind"] for d in _dependencies(files)}
    assert not kinds & {"os", "release", "image"}
    assert "interpreter" in kinds


def _dependencies(files: dict[str, bytes]) -> list[dict[str, Any]]:
    statement = json.loads(files[PROVENANCE])
    found = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert isinstance(found, list)
    return found


def test_the_subject_is_the_lockfile_and_the_environment(tmp_path: Path) -> None:
    statement = json.loads(documents(FULL)[PROVENANCE])
    path = tmp_path / "pylock.toml"
    path.write_text(codec.dump(FULL))
    told = hashlib.sha256(path.read_bytes()).hexdigest()
    root = environment_hash(FULL).root
    assert statement["subject"] == [
        {"name": "pylock.toml", "digest": {"sha256": told}},
        {"name": root, "digest": {"sha256": root.removeprefix("env1-")}},
    ]
    exporter = ProvenanceExporter()
    exporter.lock_name = "pylock.gpu.toml"
    named = json.loads(exporter.export(FULL)[PROVENANCE])
    assert named["subject"][0] == {"name": "pylock.gpu.toml", "digest": {"sha256": told}}


def test_the_chain_of_the_os_begins_at_its_signed_releases() -> None:
    [release] = [d for d in _dependencies(documents(FULL)) if d["annotations"]["kind"] == "release"]
    assert release["name"] == "debian bookworm Release"
    assert release["digest"] == {"sha256": "a" * 64}
    assert release["annotations"]["key"] == "ABCD"
    assert release["uri"].endswith("/20240601T120000Z/dists/bookworm/InRelease")


def test_revisions_images_and_indexes_are_resolved_dependencies() -> None:
    found = _dependencies(documents(FULL))
    digests = {d["name"]: d["digest"] for d in found if "digest" in d}
    commits = {name: d["gitCommit"] for name, d in digests.items() if "gitCommit" in d}
    assert commits == {"nixpkgs": "d" * 40, "guix": "e" * 40, "from-git": "c" * 40}
    images = {d["digest"]["sha256"] for d in found if d["annotations"]["kind"].startswith("image")}
    assert images == {"7" * 64, "8" * 64}
    assert {"uri": "https://index.example.org/simple", "annotations": {"kind": "index"}} in found


def test_no_credential_leaves() -> None:
    secret = "https://me:secret@files.example.org/"
    packages = tuple(
        dataclasses.replace(
            p,
            index=f"{secret}simple" if p.index else None,
            wheels=tuple(dataclasses.replace(w, url=secret + w.name) for w in p.wheels),
            vcs=dataclasses.replace(p.vcs, url=secret) if p.vcs else None,
        )
        for p in FULL.packages
    )
    request = dataclasses.replace(FULL.request, default_index=f"{secret}simple")
    lock = dataclasses.replace(FULL, packages=packages, request=request)
    assert "secret" in codec.dump(lock)
    assert not [name for name, body in documents(lock).items() if b"secret" in body]
