"""Two wheels of one package, file by file: what was built beside what was published."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import UsageError
from envlock.realise.source.wheel_words import in_words

_INFO = re.compile(r"^[^/]+\.dist-info/")
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``state`` is ``identical`` (the same bytes), ``content-equal`` (the same files with the same
    content), ``metadata-only`` (only files of ``*.dist-info`` differ) or ``different``.

    ``files`` are those that differ, sorted, each with a sign: ``+`` only the built wheel has it,
    ``-`` only the published one, ``~`` other content. RECORD is there only where nothing else is.
    ``words`` say of METADATA and WHEEL what in them differs, and which files only moved.
    """

    state: str
    files: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def compare_wheels(built: Path, published: Path) -> Comparison:
    """How ``built`` differs from ``published``.

    Raises:
        UsageError: one of them is no wheel.
    """
    if _digest(built) == _digest(published):
        return Comparison(state="identical")
    ours, theirs = _content(built), _content(published)
    differing = [
        f"{'+' if name not in theirs else '-' if name not in ours else '~'} {name}"
        for name in sorted(ours | theirs)
        if ours.get(name) != theirs.get(name)
    ]
    if not differing:
        return Comparison(state="content-equal")
    # RECORD repeats what the other files say.
    told = [line for line in differing if line[2:] != "*.dist-info/RECORD"] or differing
    metadata = all(line[2:].startswith("*.dist-info/") for line in told)
    return Comparison(
        state="metadata-only" if metadata else "different",
        files=tuple(told),
        words=(*_moved(told, ours, theirs), *_words(told, built, published)),
    )


def _moved(told: list[str], ours: dict[str, str], theirs: dict[str, str]) -> Iterator[str]:
    """Files of the metadata that both have, at another place."""
    there = {ours[line[2:]]: line[2:] for line in told if line[0] == "+"}
    for line in told:
        name = line[2:]
        if line[0] == "-" and name.startswith("*.dist-info/") and theirs[name] in there:
            yield f"{name}: the same content as {there[theirs[name]]}, built"


def _words(told: list[str], built: Path, published: Path) -> Iterator[str]:
    for line in told:
        name = line[2:]
        if line[0] != "~" or not name.startswith("*.dist-info/"):
            continue
        ours, theirs = _read(built, name), _read(published, name)
        if ours is not None and theirs is not None and (text := in_words(name, ours, theirs)):
            yield f"{name}: {text}"


def _read(path: Path, name: str) -> bytes | None:
    """A small file of the metadata; None for a large one."""
    with zipfile.ZipFile(path) as packed:
        for entry in packed.infolist():
            if _INFO.sub("*.dist-info/", entry.filename) == name and entry.file_size < _LIMIT:
                return packed.read(entry)
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content(path: Path) -> dict[str, str]:
    """Files and their digests; the metadata's folder is called ``*.dist-info``."""
    found: dict[str, str] = {}
    try:
        with zipfile.ZipFile(path) as packed:
            for entry in packed.infolist():
                if entry.is_dir():
                    continue
                name = _INFO.sub("*.dist-info/", entry.filename)
                with packed.open(entry) as content:
                    if name == "*.dist-info/RECORD" and entry.file_size < _LIMIT * 64:
                        found[name] = _rows(content.read())
                    else:
                        found[name] = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise UsageError(f"no wheel: {error}", where=str(path)) from None
    return found


def _rows(record: bytes) -> str:
    """RECORD's rows, whatever their order and the folder's spelling."""
    rows = csv.reader(io.StringIO(record.decode("utf-8", "surrogateescape")))
    lines = sorted(_INFO.sub("*.dist-info/", ",".join(row)) for row in rows if row)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
