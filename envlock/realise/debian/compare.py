"""Two .debs of one package: what was built beside what was published."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from envlock.realise.debian.elf import in_words
from envlock.realise.difference import where_they_differ
from envlock.realise.image.deb import Deb, read_control, unpacked_data

_CONTROL = "DEBIAN/control"
_LIMIT = 64 << 20
"""Bytes of a file above which nobody looks where it begins to differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``state`` is ``identical`` (the same bytes), ``content-equal`` (the same files, owners, modes
    and control files; the archives around them differ: times, order, compression),
    ``metadata-only`` (only control files differ) or ``different``.

    ``files`` are those that differ, those of the control part (``DEBIAN/…``) last, each with a
    sign: ``+`` only the built one has it, ``-`` only the published one, ``~`` they differ, with
    what differs: ``content``, ``mode``, ``owner``, ``kind``, ``target`` or fields of the control
    file. ``first`` says where the first of them begin to differ, where that can be said.
    """

    state: str
    files: tuple[str, ...] = ()
    first: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A member of ``data.tar``, without its time."""

    kind: str
    mode: str
    owner: str
    target: str
    content: str


def compare_debs(built: Path, published: Path) -> Comparison:
    """How ``built`` differs from ``published``.

    Raises:
        UsageError: one of them is no .deb, or damaged.
    """
    if _digest(built) == _digest(published):
        return Comparison(state="identical")
    ours, theirs = _entries(built), _entries(published)
    data = [
        line
        for name in sorted(ours.keys() | theirs.keys())
        if (line := _told(name, ours.get(name), theirs.get(name)))
    ]
    control = list(_control(read_control(built, "built"), read_control(published, "published")))
    if not data and not control:
        return Comparison(state="content-equal")
    # md5sums repeats what the files say.
    own = [line for line in control if data and not line.endswith("DEBIAN/md5sums: content")]
    files = (*data, *(own if data else control))
    state = "different" if data else "metadata-only"
    return Comparison(state=state, files=files, first=_first(built, published, files[0]))


def _told(name: str, ours: _Entry | None, theirs: _Entry | None) -> str | None:
    if ours is None or theirs is None:
        return f"{'-' if ours is None else '+'} {name}"
    parts = [part for part in _Entry.__slots__ if getattr(ours, part) != getattr(theirs, part)]
    return f"~ {name}: {', '.join(parts)}" if parts else None


def _entries(path: Path) -> dict[str, _Entry]:
    found = {}
    with (
        unpacked_data(path, path.name) as data,
        tarfile.open(fileobj=data, mode="r:") as packed,
    ):
        for member in packed:
            content = ""
            if member.isreg():
                stream = packed.extractfile(member)
                content = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
            found[_plain(member.name)] = _Entry(
                kind=member.type.decode("ascii", "replace"),
                mode=f"{member.mode & 0o7777:o}",
                owner=f"{member.uid}:{member.gid}",
                target=member.linkname,
                content=content,
            )
    return found


def _plain(name: str) -> str:
    return name.removeprefix("./").rstrip("/") or "."


def _control(ours: Deb, theirs: Deb) -> Iterator[str]:
    for name in sorted(ours.files.keys() | theirs.files.keys()):
        if ours.files.get(name) == theirs.files.get(name):
            continue
        if name not in ours.files or name not in theirs.files:
            yield f"{'-' if name not in ours.files else '+'} DEBIAN/{name}"
        elif name == "control":
            fields = _fields(ours.paragraph, theirs.paragraph) or "order of fields"
            yield f"~ {_CONTROL}: {fields}"
        else:
            yield f"~ DEBIAN/{name}: content"
    for name in sorted(ours.executable ^ theirs.executable):
        if name in ours.files and name in theirs.files:
            yield f"~ DEBIAN/{name}: mode"


def _fields(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    names = dict.fromkeys((*ours, *theirs))
    return ", ".join(name for name in names if ours.get(name) != theirs.get(name))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first(built: Path, published: Path, line: str) -> str | None:
    """Where the content of the first file that differs begins to differ."""
    sign, _, rest = line.partition(" ")
    name, _, what = rest.rpartition(": ")
    if sign != "~" or "content" not in what.split(", "):
        return None
    contents = [_content(path, name) for path in (built, published)]
    ours, theirs = contents
    if ours is None or theirs is None:
        return None
    if name.endswith(".gz"):
        try:
            ours, theirs = gzip.decompress(ours), gzip.decompress(theirs)
        except (OSError, EOFError, zlib.error):
            return where_they_differ(ours, theirs)
        return where_they_differ(ours, theirs) or "how it is compressed"
    return in_words(ours, theirs) or where_they_differ(ours, theirs)


def _content(path: Path, name: str) -> bytes | None:
    if name.startswith("DEBIAN/"):
        return read_control(path, path.name).files.get(name.removeprefix("DEBIAN/"))
    with (
        unpacked_data(path, path.name) as data,
        tarfile.open(fileobj=data, mode="r:") as packed,
    ):
        for member in packed:
            if member.isreg() and _plain(member.name) == name and member.size < _LIMIT:
                stream = packed.extractfile(member)
                return stream.read() if stream else None
    return None
