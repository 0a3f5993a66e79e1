"""The published test vectors are what envlock computes, and what another implementation does.

The second implementation here follows docs/environment-hash.md alone: it reads the lockfile with
a TOML parser, canonicalizes with the ``rfc8785`` library, and uses nothing of envlock.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import rfc8785
import tomli
from hypothesis import given, settings
from support import strategies
from support.samples import full_lock

from envlock.lock import codec
from envlock.lock.canonical import canonical_json, digest
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "docs" / "environment-hash-vectors.json").read_text("utf-8"))


def sha256_of(value: Any) -> str:
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def root_of(python: str, toolchain: str | None = None, os: str | None = None) -> str:
    return "env1-" + sha256_of({"os": os, "python": python, "toolchain": toolchain})


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_vector_holds_for_both_implementations(vector: dict[str, Any]) -> None:
    assert rfc8785.dumps(vector["content"]).decode() == vector["canonical"]
    assert canonical_json(vector["content"]).decode() == vector["canonical"]
    assert sha256_of(vector["content"]) == digest(vector["content"]) == vector["python"]
    if "toolchain" in vector:
        content = vector["toolchain-content"]
        assert rfc8785.dumps(content).decode() == vector["toolchain-canonical"]
        assert canonical_json(content).decode() == vector["toolchain-canonical"]
        assert sha256_of(content) == digest(content) == vector["toolchain"]
    if "os" in vector:
        assert rfc8785.dumps(vector["os-content"]).decode() == vector["os-canonical"]
        assert canonical_json(vector["os-content"]).decode() == vector["os-canonical"]
        assert sha256_of(vector["os-content"]) == digest(vector["os-content"]) == vector["os"]
    assert root_of(vector["python"], vector.get("toolchain"), vector.get("os")) == vector["root"]


def test_the_vectors_cover_each_kind_and_differ() -> None:
    packages = [package for vector in VECTORS for package in vector["content"]["packages"]]
    for key in ("commit", "directory", "editable", "subdirectory"):
        assert any(key in package for package in packages), key
    assert any(not vector["content"]["packages"] for vector in VECTORS)
    assert any(len(vector["content"]["interpreters"]) > 2 for vector in VECTORS)
    pythons = [python for vector in VECTORS for python in vector["content"]["interpreters"]]
    assert {"artifact" in python for python in pythons} == {True, False}
    debs = [vector["os-content"]["packages"] for vector in VECTORS if "os" in vector]
    assert {len(packages) for packages in debs} == {0, 1, 2, 3}
    assert any("build-packages" in vector["os-content"] for vector in VECTORS if "os" in vector)
    assert any(len({deb["architecture"] for deb in packages}) == 2 for packages in debs)
    assert any(not vector["canonical"].isascii() for vector in VECTORS)
    chains = [vector["toolchain-content"] for vector in VECTORS if "toolchain" in vector]
    assert {frozenset(chain) for chain in chains} == {
        frozenset({"nixpkgs"}),
        frozenset({"guix"}),
        frozenset({"guix", "nixpkgs"}),
        frozenset({"builds", "build-packages"}),
        frozenset({"builds", "build-packages", "bootstrap"}),
        frozenset({"image"}),
    }
    images = [chain["image"]["platforms"] for chain in chains if "image" in chain]
    assert {len(platforms) for platforms in images} == {1, 2}
    assert len({vector["root"] for vector in VECTORS}) == len(VECTORS) >= 6


def script() -> ModuleType:
    path = ROOT / "scripts" / "make_hash_vectors.py"
    spec = importlib.util.spec_from_file_location("make_hash_vectors", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_making_the_vectors_again_gives_the_same_bytes() -> None:
    text = (ROOT / "docs" / "environment-hash-vectors.json").read_bytes()
    assert script().render().encode() == text


def test_the_example_in_the_specification_is_right() -> None:
    page = (ROOT / "docs" / "environment-hash.md").read_text("utf-8")
    [example] = re.findall(r"```json\n(.*)\n```", page)
    [python] = re.findall(r"^python  ([0-9a-f]{64})$", page, re.MULTILINE)
    [root] = re.findall(r"^hash    (env1-[0-9a-f]{64})$", page, re.MULTILINE)
    assert rfc8785.dumps(json.loads(example)).decode() == example
    assert sha256_of(json.loads(example)) == python
    assert root_of(python) == root


def by_the_specification(text: str) -> str:
    """The hash of a lockfile's text, from docs/environment-hash.md alone."""
    file = tomli.loads(text)
    interpreters = []
    for entry in file["tool"]["envlock"]["interpreters"]:
        platform, version = entry["target"].split("@")
        python = {"implementation": "cpython", "platform": platform, "version": version}
        if "standalone" in entry:
            python["artifact"] = entry["standalone"]["sha256"]
        interpreters.append(python)
    interpreters.sort(key=lambda one: (one["platform"], one["version"]))
    packages = sorted(
        file["packages"],
        key=entry_order,
    )
    python = {"interpreters": interpreters, "packages": [package_of(p) for p in packages]}
    tool = file["tool"]["envlock"]
    layer = None if "os" not in tool else sha256_of(os_of(tool["os"]))
    return root_of(sha256_of(python), toolchain_of(tool), layer)


def os_of(layer: dict[str, Any]) -> dict[str, Any]:
    keys = ("architecture", "name", "version", "sha256")
    found = {}
    for kind in ("packages", "build-packages"):
        if kind in layer:
            packages = sorted([deb[key] for key in keys] for deb in layer[kind])
            found[kind] = [dict(zip(keys, deb, strict=True)) for deb in packages]
    return found


def builds_of(tool: dict[str, Any]) -> dict[str, Any]:
    graphs = {graph["id"]: graph.get("pins", []) for graph in tool["build-graphs"]}
    return {
        "builds": [
            {
                "package": build["package"],
                "version": build["version"],
                "sdist": build["sdist-sha256"],
                "backend": build["backend"],
                "backend-path": build.get("backend-path", []),
                "pins": [
                    {"name": p["name"], "version": p["version"], "marker": p.get("marker")}
                    for p in sorted(graphs[build["graph"]], key=entry_order)
                ],
            }
            for build in sorted(tool["builds"], key=lambda b: (b["package"], b["version"]))
        ],
        "build-packages": [
            {key: package_of(p)[key] for key in ("name", "version", "artifacts")}
            for p in sorted(tool["build-packages"], key=entry_order)
        ],
    }


def entry_order(entry: dict[str, Any]) -> tuple[str, str, str]:
    return (entry["name"], entry.get("version", ""), entry.get("marker", ""))


def toolchain_of(tool: dict[str, Any]) -> str | None:
    content: dict[str, Any] = {}
    if "nixpkgs" in tool:
        pin = tool["nixpkgs"]
        names = sorted(pin.get("names", []))
        content["nixpkgs"] = {"rev": pin["rev"], "nar-hash": pin["nar-hash"], "names": names}
    if "image" in tool:
        pin = tool["image"]
        own = [{"digest": p["digest"], "platform": p["platform"]} for p in pin["platforms"]]
        own.sort(key=lambda p: p["platform"])
        content["image"] = {"digest": pin["digest"], "platforms": own}
    if "guix" in tool:
        pin = tool["guix"]
        content["guix"] = {"commit": pin["commit"], "names": sorted(pin.get("names", []))}
    if "builds" in tool:
        content |= builds_of(tool)
    seeds = [(s["package"], s["version"]) for s in tool.get("bootstrap", []) if "cycle" in s]
    if seeds:
        content["bootstrap"] = [{"package": n, "version": v} for n, v in sorted(seeds)]
    return sha256_of(content) if content else None


def package_of(entry: dict[str, Any]) -> dict[str, Any]:
    files = [*entry.get("wheels", []), *([entry["sdist"]] if "sdist" in entry else [])]
    if "archive" in entry:
        files.append(entry["archive"])
    found = {
        "name": entry["name"],
        "version": entry.get("version"),
        "marker": entry.get("marker"),
        "artifacts": sorted(file["hashes"]["sha256"] for file in files),
    }
    if "archive" in entry:
        found["subdirectory"] = entry["archive"].get("subdirectory")
    if "vcs" in entry:
        found["commit"] = entry["vcs"]["commit-id"]
        found["subdirectory"] = entry["vcs"].get("subdirectory")
    if "directory" in entry:
        found["directory"] = entry["directory"]["path"]
        found["editable"] = entry["directory"].get("editable", False)
        found["subdirectory"] = entry["directory"].get("subdirectory")
    return found


def test_the_specification_gives_the_full_samples_hash() -> None:
    lock = full_lock()
    assert by_the_specification(codec.dump(lock)) == environment_hash(lock).root


@given(strategies.locks())
@settings(deadline=None, max_examples=50)
def test_the_specification_gives_any_locks_hash(lock: Lock) -> None:
    text = codec.dump(lock)
    declared = tomli.loads(text)["tool"]["envlock"]["environment-hash"]
    assert by_the_specification(text) == environment_hash(lock).root == declared
