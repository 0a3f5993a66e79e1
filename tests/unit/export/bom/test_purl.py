"""Package URLs, judged by the purl specification's own library."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from packageurl import PackageURL
from support.samples import GUIX, LINUX, NIXPKGS, full_lock, os_package, os_source, standalone
from support.strategies import deb_names, deb_versions, hostile_texts, names, versions

from envlock.export.bom.purl import (
    cpython_purl,
    deb_purl,
    deb_source_purl,
    guix_purl,
    image_purl,
    nixpkgs_purl,
    public,
    python_purl,
)
from envlock.lock.image import BaseImage
from envlock.lock.package import Archive, PythonPackage, Vcs

IMAGE = BaseImage(
    reference="docker.io/library/debian:bookworm-slim", digest=f"sha256:{'7' * 64}", platforms=()
)


def canonical(purl: str) -> PackageURL:
    """What the text means; it must be written as the library writes it."""
    found = PackageURL.from_string(purl)
    assert found.to_string() == purl
    return found


@given(names, versions)
def test_of_python_packages(name: str, version: str) -> None:
    found = canonical(str(python_purl(PythonPackage(name=name, version=version))))
    assert (found.type, found.name, found.version) == ("pypi", name, version)


@given(deb_names, deb_versions)
def test_of_debs(name: str, version: str) -> None:
    package = os_package(name, version=version, file_name=f"pool/{name}_amd64.deb")
    found = canonical(deb_purl(package, "debian:bookworm"))
    assert (found.type, found.namespace, found.name, found.version) == (
        "deb",
        "debian",
        name,
        version,
    )
    assert found.qualifiers == {"arch": "amd64", "distro": "bookworm"}


def test_a_deb_for_all_machines_says_so() -> None:
    package = os_package("tzdata", file_name="pool/main/t/tzdata/tzdata_2024a-0+deb12u1_all.deb")
    assert canonical(deb_purl(package, "ubuntu:noble")).qualifiers == {
        "arch": "all",
        "distro": "noble",
    }
    assert canonical(deb_source_purl(os_source("lib"), "debian:bookworm")).qualifiers == {
        "arch": "source",
        "distro": "bookworm",
    }


def test_what_is_not_from_an_index_says_from_where() -> None:
    vcs = Vcs(kind="git", url="https://me:secret@git.example.org/a.git", commit="c" * 40)
    found = canonical(str(python_purl(PythonPackage(name="a", version="1", vcs=vcs))))
    assert found.qualifiers == {"vcs_url": f"git+https://git.example.org/a.git@{'c' * 40}"}
    archive = Archive(url="https://files.example.org/a b.zip?x=1&y=2", sha256="d" * 64)
    found = canonical(str(python_purl(PythonPackage(name="a", version="1", archive=archive))))
    assert found.qualifiers == {
        "checksum": f"sha256:{'d' * 64}",
        "download_url": "https://files.example.org/a b.zip?x=1&y=2",
    }


def test_a_folder_has_none() -> None:
    folders = [p for p in full_lock().packages if p.directory is not None]
    assert [python_purl(p) for p in folders] == [None]


def test_of_everything_else() -> None:
    build = dataclasses.replace(
        standalone(LINUX, "3.11.9"), url="https://files.example.org/a+b.zst"
    )
    assert canonical(cpython_purl(build)).version == "3.11.9+20240415"
    assert canonical(nixpkgs_purl(NIXPKGS)).version == NIXPKGS.rev
    assert canonical(guix_purl(GUIX)).qualifiers["vcs_url"].endswith(f"@{GUIX.commit}")
    found = canonical(image_purl(IMAGE, IMAGE.digest))
    assert (found.type, found.name, found.version) == ("oci", "debian", IMAGE.digest)
    assert found.qualifiers == {"repository_url": "docker.io/library/debian"}


@given(hostile_texts)
def test_no_user_part_is_left(text: str) -> None:
    shown = public(f"before https://name:pa%40ss@host.example.org/{text}")
    assert "name:pa" not in shown
    assert "https://host.example.org/" in shown
