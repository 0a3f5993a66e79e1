"""Package URLs (purl specification, ECMA-427): ``pkg:type/namespace/name@version?qualifiers``."""

from __future__ import annotations

import re
from urllib.parse import quote

from envlock.lock.image import BaseImage
from envlock.lock.interpreter import StandalonePython
from envlock.lock.os import OsPackage, OsSource
from envlock.lock.package import PythonPackage
from envlock.lock.toolchain import GuixChannel, Nixpkgs

_RESERVED = ":/?#[]@!$&'()*+,;=%~"
"""RFC 3986, section 2.2, and what is written already: these stay as they are."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\[\]]+(/[^#\[\]]*)?(#[^#\[\]]*)?")

_USER = re.compile(r"\b(https?://)[^/?#\s]*@")


def public(text: str) -> str:
    """The text with no user part in its web addresses.

    A lock has none; what leaves the house is looked through all the same.
    """
    return _USER.sub(r"\1", text)


def address(url: str | None) -> str | None:
    """The URL as RFC 3986 writes it, without credentials; None for what is no URL with a host."""
    if url is None:
        return None
    text = public(quote(url, safe=_RESERVED))
    return text if _URL.fullmatch(text) else None


def python_purl(package: PythonPackage) -> str | None:
    """Of a Python package; None for a folder of the project's, which is nowhere published.

    The index is not in it: a mirror has no other packages. A repository and an archive given
    directly are, since the name alone would mean another package.
    """
    if package.directory is not None:
        return None
    qualifiers = {}
    if package.vcs is not None:
        vcs = package.vcs
        qualifiers["vcs_url"] = f"{vcs.kind}+{public(vcs.url)}@{vcs.commit}"
    if package.archive is not None:
        qualifiers["checksum"] = f"sha256:{package.archive.sha256}"
        if package.archive.url is not None:
            qualifiers["download_url"] = public(package.archive.url)
    return _purl("pypi", package.name, package.version, qualifiers)


def deb_purl(package: OsPackage, base: str) -> str:
    """Of a .deb of ``base`` (``debian:bookworm``), with ``arch`` and ``distro``."""
    distribution, _, release = base.partition(":")
    qualifiers = {"arch": deb_architecture(package), "distro": release}
    return _purl(f"deb/{distribution}", package.name, package.version, qualifiers)


def deb_source_purl(source: OsSource, base: str) -> str:
    """Of a source package of ``base``."""
    distribution, _, release = base.partition(":")
    qualifiers = {"arch": "source", "distro": release}
    return _purl(f"deb/{distribution}", source.name, source.version, qualifiers)


def deb_architecture(package: OsPackage) -> str:
    """The .deb's own architecture: ``all`` where its file says so."""
    return "all" if package.file_name.endswith("_all.deb") else package.architecture


def cpython_purl(build: StandalonePython) -> str:
    """Of an archive of Python."""
    qualifiers = {"checksum": f"sha256:{build.sha256}", "download_url": public(build.url)}
    return _purl("generic", "cpython", f"{build.version}+{build.build}", qualifiers)


def image_purl(image: BaseImage, digest: str) -> str:
    """Of a container image, or of one platform's manifest of it."""
    name = image.repository.rpartition("/")[2]
    return _purl("oci", name.lower(), digest, {"repository_url": image.repository})


def nixpkgs_purl(nixpkgs: Nixpkgs) -> str:
    """Of a revision of nixpkgs."""
    return _purl("github/nixos", "nixpkgs", nixpkgs.rev, {})


def guix_purl(channel: GuixChannel) -> str:
    """Of a commit of a Guix channel."""
    qualifiers = {"vcs_url": f"git+{public(channel.url)}@{channel.commit}"}
    return _purl("generic", channel.name, channel.commit, qualifiers)


def _purl(kind: str, name: str, version: str | None, qualifiers: dict[str, str]) -> str:
    text = f"pkg:{kind}/{quote(_stripped(name), safe=':')}"
    if version is not None:
        text += f"@{quote(version, safe=':')}"
    if qualifiers:
        pairs = (f"{key}={quote(qualifiers[key], safe=':/')}" for key in sorted(qualifiers))
        text += "?" + "&".join(pairs)
    return text


def _stripped(name: str) -> str:
    """As readers strip it; one that is empty then would be refused."""
    while name != (name := name.strip().strip("/")):
        pass
    return name or "unnamed"
