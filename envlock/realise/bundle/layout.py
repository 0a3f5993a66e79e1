"""How a bundle is laid out: docs/bundle.md is its specification.

A file is at ``files/<sha256>/<name>``; whoever looks for a digest needs no index. The manifest
lists everything else that is in the bundle, in the form of ``sha256sum``, and is written last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

FORMAT = 1
"""Version of the layout that this envlock writes and reads."""

MANIFEST = "SHA256SUMS"
INDEX = "bundle.txt"
README = "README.md"
PROGRAMS = ("build_wheel.py", "install.py", "rebuild.sh")
FOLDERS = ("files", "locks", "trees")
TOP = frozenset({MANIFEST, INDEX, README, *PROGRAMS, *FOLDERS})
"""Everything that a bundle's own folder may hold."""

ARCHIVE_FOLDER = "envlock-bundle"
"""The one folder that an archive unpacks to."""

_FIRST_LINE = f"envlock-bundle {FORMAT}\n"
_UNSAFE = re.compile(r"[^A-Za-z0-9._+~!=@%,:-]+")
_MANY = 180


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Entry:
    """One file of a bundle: its path in it, digest (lower-case hex), and size in bytes.

    ``content`` are its bytes, or None: then they are the file ``source``.
    """

    path: str
    sha256: str
    size: int
    content: bytes | None = None
    source: Path | None = None
    executable: bool = False


def plain_name(name: str) -> str:
    """A file's name as it can stand in manifests, scripts and on any file system."""
    plain = _UNSAFE.sub("_", name)[-_MANY:].lstrip(".-~")
    return plain or "file"


def file_path(sha256: str, name: str) -> str:
    """Where an artifact is."""
    return f"files/{sha256}/{plain_name(name)}"


def artifacts(paths: Iterable[str]) -> dict[str, str]:
    """Digest → path of the artifacts among these paths; of several names the first."""
    found: dict[str, str] = {}
    for path in sorted(paths):
        parts = path.split("/")
        if parts[0] == "files" and len(parts) == 3:
            found.setdefault(parts[1], path)
    return found


def manifest(entries: Iterable[Entry]) -> str:
    """What ``sha256sum --check`` reads: each file's digest and path, by path."""
    return "".join(f"{e.sha256}  {e.path}\n" for e in sorted(entries, key=lambda e: e.path))


def index_text(lines: Iterable[str]) -> str:
    """``bundle.txt``: the format's version, then lines of words."""
    return _FIRST_LINE + "".join(f"{line}\n" for line in lines)


def program(name: str) -> bytes:
    """One of ``PROGRAMS``, as this envlock has it."""
    # How a wheel is built is the same in an image.
    shared = resources.files("envlock.export") / name
    own = resources.files("envlock.realise.bundle") / "files" / name
    return (shared if name == "build_wheel.py" else own).read_bytes()


def is_index(text: str) -> bool:
    """Whether this is the ``bundle.txt`` of a bundle of this format."""
    return text.startswith(_FIRST_LINE)
