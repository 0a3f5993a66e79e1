"""What made a published wheel, by its own word, and which build requirements follow from it.

The line ``Generator`` of a wheel's WHEEL file names the backend and its version. It is only a
preference: another version is taken where that one does not satisfy the requirement, or is not
there as of the date. So it may be read from a part of the file, which no digest covers.
"""

from __future__ import annotations

import re
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from envlock.errors import SourceError
from envlock.io.http.client import Http
from envlock.lock.package import Artifact
from envlock.resolve.python.index.metadata import wheel_description
from envlock.resolve.python.index.page import PageFile
from envlock.resolve.python.index.wheel import OddZipError, info_from_file
from envlock.resolve.python.sources import Sources

PROJECTS = {
    "bdist-wheel": "wheel",
    "flit": "flit-core",
    "mesonpy": "meson-python",
    "meson": "meson-python",
    "poetry": "poetry-core",
    "skbuild": "scikit-build",
    "uv": "uv-build",
}
"""Generators that are called otherwise than the project that they are in."""

_LINE = re.compile(r"^Generator:[ \t]*(?P<text>.*?)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)[ \t]+\(?v?(?P<version>[^\s()]+)\)?")


def read_generator(wheel: Artifact, root: Path, sources: Sources, http: Http) -> str | None:
    """What the wheel's ``Generator`` line says; None where it has none.

    Args:
        wheel: at an address, or at a path relative to ``root``.
        root: the project's folder.
        sources: for credentials.
        http: the client.

    Raises:
        SourceError: the wheel cannot be had, or is none.
        VerificationError: it had to be read whole, and is not what its digest says.
    """
    if wheel.url is not None:
        file = PageFile(filename=wheel.name, url=wheel.url, sha256=wheel.sha256)
        content = wheel_description(http, file, credentials=sources.login(wheel.url))
    else:
        path = root / (wheel.path or "")
        try:
            content = info_from_file(path, "WHEEL")
        except OddZipError as error:
            raise SourceError(f"not a readable wheel: {error}", where=str(path)) from None
    match = _LINE.search(content.decode("utf-8", "replace"))
    return (match["text"] or None) if match else None


def preference(generator: str | None) -> tuple[str, str] | None:
    """``hatchling 1.27.0`` → ("hatchling", "1.27.0"); None for what names no version."""
    match = _NAMED.fullmatch(generator or "")
    if match is None:
        return None
    try:
        version = Version(match["version"])
    except InvalidVersion:
        return None
    name = canonicalize_name(match["name"])
    return PROJECTS.get(name, name), str(version)
