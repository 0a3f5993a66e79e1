"""Generated flakes, evaluated and not built: what they derive, which of nixpkgs they use."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.nix import Nix, running, write_flake
from support.samples import package, sdist, small_lock, wheel
from support.strategies import HOSTILE, hostile_texts
from support.tools import run

from envlock.export.nix.exporter import NixExporter
from envlock.export.nix.text import fetchable, nix_string, store_name
from envlock.lock.builds import Build, BuildPin
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer, OsPackage
from envlock.lock.package import PythonPackage

pytestmark = pytest.mark.xdist_group("nix")

ROOT = Path(__file__).parents[2]
HOST = {
    "attribute": "python311",
    "libc": "2.36",
    "python": "/usr/bin/python3.11",
    "system": "x86_64-linux",
    "version": "3.11.2",
}
"""A machine for evaluation alone: the same derivations wherever the test runs."""

GOLDEN = {
    "environment": "y899a8gmq2ll681053rfppdc71zk5lb9",
    "from-source": "rw3l7930qnfrcgjn82qfpizp4jlvy9jv",
    "image": "1w742ghcdkalbhmcszz4i4brlsng77i9",
    "imports": "5h8d4n558b9m9ajccbyqcawsx0z5y9mz",
    "shell": "iny62p90d2cmmbljm9gd88271ck01r8s",
}
"""Hashes of the derivations of ``sample``. They say what Nix would build, to the last input: a
change here means that everybody's environments are built anew. Renew them only when that is meant.
(The stand-in for nixpkgs is an input, too.)"""


@pytest.fixture(scope="module")
def nix() -> Iterator[Nix]:
    with running() as found:
        yield found


def sample(nix: Nix) -> Lock:
    """Every kind of entry that a flake can hold."""
    both = PythonPackage(
        name="both",
        version="2.0",
        wheels=(wheel("both", "2.0", "1", "cp311-cp311-manylinux_2_17_x86_64"),),
        sdist=sdist("both", "2.0", "2"),
    )
    sole = PythonPackage(name="sole", version="1!1", sdist=sdist("sole", "1!1", "3"))
    tools = package("tools", "1.0")
    builds = tuple(
        Build(
            package=found.name,
            version=str(found.version),
            sdist=found.sdist.sha256,
            backend="tools.build:backend",
            pins=(BuildPin(name="tools", version="1.0"),),
            programs=("gcc", "graphviz"),
        )
        for found in (both, sole)
        if found.sdist
    )
    graphviz = OsPackage(
        architecture="amd64",
        name="graphviz",
        version="1",
        sha256="0" * 64,
        size=1,
        file_name="pool/graphviz.deb",
        suite="bookworm",
        source="graphviz",
        source_version="1",
        requested=True,
    )
    lock = small_lock(both, sole, package("pure"), wishes=("both", "pure"))
    return dataclasses.replace(
        lock,
        os=OsLayer(base="debian:bookworm", archives=(), packages=(graphviz,)),
        nixpkgs=nix.nixpkgs,
        builds=builds,
        build_packages=(tools,),
    )


def outputs(
    nix: Nix, lock: Lock, folder: Path, select: str, files: dict[str, bytes] | None = None
) -> Any:
    """``select``, a function of the flake's outputs, applied; nothing is written to a store."""
    flake = write_flake(folder / "flake", files or NixExporter().export(lock))
    nix.standin(folder / "nixpkgs", HOST)
    expression = f"""
        let
          nixpkgs = (import {folder}/nixpkgs/flake.nix).outputs {{ self = null; }};
          flake = (import {flake}/flake.nix).outputs {{ self = null; inherit nixpkgs; }};
        in ({select}) flake nixpkgs"""
    # The usual place of the store is in every path.
    usual = {"NIX_STORE_DIR": "/nix/store", "NIX_REMOTE": "dummy://"}
    return nix.evaluate(expression, **usual)


def test_derivations_are_the_same_as_ever(nix: Nix, tmp_path: Path) -> None:
    lock = sample(nix)
    digest = environment_hash(lock)
    # The lock's own text and hash are guarded by their own tests.
    fixed = {
        name: content.replace(digest.root.encode(), b"env1-" + b"0" * 64).replace(
            digest.short.encode(), b"env1-" + b"0" * 12
        )
        for name, content in NixExporter().export(lock).items()
    }
    found = outputs(
        nix,
        lock,
        tmp_path,
        "flake: _: let s = flake.packages.x86_64-linux; in {"
        " environment = s.default.drvPath; from-source = s.from-source.drvPath;"
        " image = s.image.drvPath; imports = flake.checks.x86_64-linux.imports.drvPath;"
        " shell = flake.devShells.x86_64-linux.default.drvPath; }",
        fixed | {"lock.toml": b"# a lock\n"},
    )
    assert {name: path[len("/nix/store/") :][:32] for name, path in found.items()} == GOLDEN


# --- what is used of nixpkgs ---------------------------------------------------------------------


def documented() -> set[str]:
    """The attributes that docs/nix.md lists."""
    page = (ROOT / "docs" / "nix.md").read_text()
    section = page.partition("## What the flake uses of nixpkgs")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)`", section, re.M))


def test_the_stand_in_has_what_is_documented_and_no_more(nix: Nix, tmp_path: Path) -> None:
    """So that the other tests fail where a flake uses anything else."""
    paths = outputs(
        nix,
        sample(nix),
        tmp_path,
        "_: nixpkgs: let pkgs = nixpkgs.legacyPackages.x86_64-linux; in"
        " builtins.attrNames pkgs"
        ' ++ map (n: "stdenv.${n}") (builtins.attrNames pkgs.stdenv)'
        ' ++ map (n: "stdenv.cc.${n}") (builtins.attrNames pkgs.stdenv.cc)'
        ' ++ map (n: "dockerTools.${n}") (builtins.attrNames pkgs.dockerTools)',
    )
    inner = {"stdenv", "dockerTools", "stdenv.cc"}
    renamed = {
        "python311": "python3XY",
        "stdenv.cc.cc": "stdenv.cc.cc.lib",
        "stdenv.cc.libc": "stdenv.cc.libc.version",
    }
    samples = {"graphviz", "libGL"}
    assert {renamed.get(path, path) for path in paths} - inner - samples == documented()


def test_nothing_else_is_written_in_the_flake() -> None:
    """The same by reading it: attributes that no test happens to evaluate."""
    files = ROOT / "envlock" / "export" / "nix" / "files"
    text = re.sub(r"#.*", "", (files / "environment.nix").read_text())
    used = {f"{path}" for path in re.findall(r"\bpkgs\.([A-Za-z]+(?:\.[A-Za-z]+)*)", text)}
    used |= {
        f"stdenv.{path}" for path in re.findall(r"\bstdenv\.([A-Za-z]+(?:\.[A-Za-z]+)*)", text)
    }
    assert "inherit (pkgs) stdenv;" in text
    assert used == documented() - {"python3XY"}
    assert not re.search(r"\bwith\b|\blib\.[a-z]|<nixpkgs>|\bimport\b", text)


# --- hostile texts -------------------------------------------------------------------------------

NIX_HOSTILE = (*HOSTILE, "''", "''${", "${", "$${", "\\${", "(", ")", ";", "or", "\t", "a\\", "--")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.one_of(hostile_texts, st.lists(st.sampled_from(NIX_HOSTILE), max_size=4).map("".join)),
        min_size=20,
        max_size=60,
    )
)
def test_nix_reads_texts_back(nix: Nix, texts: list[str]) -> None:
    texts = [text.replace("\0", "") for text in texts]
    expression = "[ " + " ".join(nix_string(text) for text in texts) + " ]"
    run(["nix-instantiate", "--parse", "--expr", expression], env=nix.variables)
    assert nix.evaluate(expression) == texts


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(hostile_texts, min_size=20, max_size=40))
def test_nix_accepts_the_names_of_files(nix: Nix, texts: list[str]) -> None:
    names = [store_name(text) for text in (*texts, "." + texts[0], "x" * 500 + ".whl", "1!2.whl")]
    listed = " ".join(nix_string(name) for name in names)
    paths = nix.evaluate(f'map (name: builtins.toFile name "") [ {listed} ]')
    assert [path.rpartition("/")[2][33:] for path in paths] == names


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(hostile_texts, min_size=4, max_size=4))
def test_a_hostile_lock_is_data_to_nix(nix: Nix, texts: list[str], tmp_path_factory: Any) -> None:
    """File names, addresses, names of the project's own: they end where they belong."""
    folder = tmp_path_factory.mktemp("hostile")
    address, backend, path, name = (text.replace("\0", "") or "x" for text in texts)
    lock = sample(nix)
    packages = []
    for found in lock.packages:
        wheels = tuple(
            dataclasses.replace(file, url=f"https://files.example.org/{address}/{file.name}")
            for file in found.wheels
        )
        packages.append(dataclasses.replace(found, wheels=wheels))
    first, second = lock.builds
    builds = (dataclasses.replace(first, backend=backend, backend_path=(path,)), second)
    assert lock.nixpkgs is not None
    nixpkgs = dataclasses.replace(lock.nixpkgs, branch=name, names=("graphviz=libGL",))
    hostile = dataclasses.replace(lock, packages=tuple(packages), builds=builds, nixpkgs=nixpkgs)
    seen = outputs(
        nix,
        hostile,
        folder,
        "flake: _: let"
        " env = builtins.fromJSON (builtins.readFile " + str(folder) + "/flake/env.json);"
        " in { inherit env; drv = flake.packages.x86_64-linux.from-source.drvPath; }",
    )
    written = json.loads(NixExporter().export(hostile)["env.json"])
    assert seen["env"] == written
    [target] = written["targets"]
    assert target["builds"]["both==2.0"]["backend"] == backend
    assert target["builds"]["both==2.0"]["backend-path"] == [path]
    assert written["nixpkgs"]["branch"] == name
    urls = {entry["wheel"]["url"] for entry in target["wheels"] if entry["wheel"]}
    assert f"https://files.example.org/{fetchable(address)}/pure-1.0-py3-none-any.whl" in urls
    assert not re.search(r"[\s'\"`\\]", "".join(urls))
