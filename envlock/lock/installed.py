"""What an installed distribution says of itself: RECORD, and envlock's note of where it came from.

RECORD follows the "recording installed projects" specification. The note, ``envlock.json``, stands
beside it and is listed in it, so that whoever uninstalls the distribution removes the note, too.
Pure: text in, values out.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage

if TYPE_CHECKING:
    from envlock.lock.target import Target

NOTE = "envlock.json"
"""The note's name in ``*.dist-info``."""

UNFINISHED = "envlock-unfinished.txt"
"""A file in an environment's folder as long as `envlock rebuild` is installing there."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
# No quotes, no NUL, SHA-256 or nothing; every line is whole.
_LINE = re.compile(
    r"^([^\",\0\r\n]+),(?:sha256=([A-Za-z0-9_-]{43}))?,([0-9]{0,18})\r?\n", re.MULTILINE
)
_DASHES = str.maketrans("-_", "+/")
_SIZES = {"sha256": 32, "sha384": 48, "sha512": 64}


class Row(NamedTuple):
    """One file: ``path`` as written (POSIX, relative to site-packages or absolute).

    ``algorithm`` and ``digest`` are None where RECORD gives none, as for itself and bytecode. A
    named tuple, since an environment has tens of thousands.
    """

    path: str
    algorithm: str | None
    digest: bytes | None
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """RECORD's rows that can be read; ``problem`` names the first line that cannot."""

    rows: tuple[Row, ...]
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltWheel:
    """A wheel that was built here from a locked sdist, and is none of the locked files.

    ``inputs`` is the digest of all that it was built of: sdist, backend, the wheels of its build
    environment, the interpreter.
    """

    file: str
    sha256: str
    inputs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Which locked file a distribution was installed from, and what RECORD said then.

    ``file`` is the locked file's name, ``sha256`` its digest, ``record`` that of RECORD's other
    rows (``seal``). ``built``: the locked file is an sdist, and this is what came of it.
    """

    file: str
    sha256: str
    record: str
    built: BuiltWheel | None = None


def read_record(content: bytes) -> Record:
    """RECORD's rows. Names that are not UTF-8 are kept as the file system gives them."""
    text = content.decode("utf-8", "surrogateescape")
    plain = _plain(text)
    if plain is not None:
        return Record(rows=plain)
    rows: list[Row] = []
    problem: str | None = None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            cells = next(reader)
            if cells:
                row, wrong = _row(cells)
                rows.append(row)
                problem = problem or (wrong and f"line {reader.line_num}: {wrong}")
        except StopIteration:
            break
        except (csv.Error, ValueError) as error:
            problem = problem or f"line {reader.line_num}: {error}"
            if isinstance(error, csv.Error):
                break
    if not rows and problem is None:
        problem = "names no file"
    return Record(rows=tuple(rows), problem=problem)


def _plain(text: str) -> tuple[Row, ...] | None:
    """The rows of a RECORD as installers write it, many times faster; None for any other."""
    if not text.endswith("\n"):
        return None
    found = _LINE.findall(text)
    if len(found) != text.count("\n"):
        return None
    # All digests at once: one is 43 characters, 44 with what fills up the last byte, which nobody
    # reads; that is 33 bytes.
    encoded = "".join(f"{digest}A" for _, digest, _ in found if digest)
    raw = binascii.a2b_base64(encoded.translate(_DASHES))
    digests = (raw[place : place + 32] for place in range(0, len(raw), 33))
    return tuple(
        Row(
            path,
            "sha256" if digest else None,
            next(digests) if digest else None,
            int(size) if size else None,
        )
        for path, digest, size in found
    )


def _row(cells: list[str]) -> tuple[Row, str | None]:
    """One line, and what is wrong with its size or digest, if anything.

    Raises:
        ValueError: it names no file.
    """
    if len(cells) != 3:
        raise ValueError(f"{len(cells)} fields in place of 3")
    path, digest, size = cells
    if not path or "\0" in path:
        raise ValueError("no path")
    bare = Row(path, None, None, None)
    if size and not (size.isascii() and size.isdigit()):
        return bare, f"{size!r} is no size"
    number = int(size) if size else None
    if not digest:
        return Row(path, None, None, number), None
    algorithm, _, encoded = digest.partition("=")
    if algorithm not in _SIZES:
        return bare, f"{algorithm!r} is no digest that can be relied on"
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return bare, f"{encoded!r} is no digest"
    if len(raw) != _SIZES[algorithm]:
        return bare, f"{encoded!r} is no {algorithm} digest"
    return Row(path, algorithm, raw, number), None


def seal(rows: Iterable[Row]) -> str:
    """The digest of RECORD's rows, whatever their order, without those of the note and of RECORD.

    Bytecode is left out: it comes and goes.
    """
    lines = sorted(
        f"{row.path}\0{row.algorithm}\0{'' if row.digest is None else row.digest.hex()}"
        for row in rows
        if not row.path.endswith((".pyc", f".dist-info/{NOTE}", ".dist-info/RECORD"))
    )
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def dump_note(note: Note) -> bytes:
    """The note as a file."""
    table: dict[str, object] = {
        "file": note.file,
        "sha256": note.sha256,
        "record": note.record,
    }
    if note.built is not None:
        built = note.built
        table["built"] = {"file": built.file, "sha256": built.sha256, "inputs": built.inputs}
    return (json.dumps(table, indent=1) + "\n").encode()


def read_note(content: bytes) -> Note:
    """The note from its file.

    Raises:
        ValueError: it is none.
    """
    try:
        table = json.loads(content)
        built = table.get("built")
        note = Note(
            file=table["file"],
            sha256=table["sha256"],
            record=table["record"],
            built=None
            if built is None
            else BuiltWheel(file=built["file"], sha256=built["sha256"], inputs=built["inputs"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no {error}") from None
    names, digests = [note.file], [note.sha256, note.record]
    if note.built is not None:
        names.append(note.built.file)
        digests += [note.built.sha256, note.built.inputs]
    if not all(isinstance(one, str) for one in names) or not all(
        isinstance(one, str) and _SHA256.fullmatch(one) for one in digests
    ):
        raise ValueError("no file name, or no digest")
    return note


def wheel_tags_of(content: bytes) -> frozenset[str]:
    """The ``Tag`` lines of a distribution's WHEEL file."""
    lines = content.decode("utf-8", "replace").splitlines()
    return frozenset(line[4:].strip() for line in lines if line.startswith("Tag:"))


def came_from(
    lock: Lock, target: Target, package: PythonPackage, tags: frozenset[str]
) -> tuple[str, str] | None:
    """Which locked file (name, sha256) an installer took, as far as it can be told for certain.

    Args:
        lock: the lock that was installed.
        target: for which of its targets.
        package: which package.
        tags: what the installed WHEEL file says.
    """
    if package.archive is not None:
        return source_file(package)
    if f"{package.name}=={package.version}" in lock.built and not _fitting(package, target):
        return source_file(package)
    fitting = _fitting(package, target)
    if not fitting and package.sdist is not None:
        return source_file(package)
    if len(fitting) == 1 or not fitting:
        chosen = fitting
    else:
        chosen = [name for name in fitting if frozenset(map(str, _tags(name))) == tags]
    files = {file.name: file.sha256 for file in package.wheels}
    return (chosen[0], files[chosen[0]]) if len(chosen) == 1 else None


def source_file(package: PythonPackage) -> tuple[str, str] | None:
    """What a package is built from, if that is a locked file: its name and sha256."""
    if package.archive is not None:
        place = package.archive.url or package.archive.path or ""
        return place.rsplit("/", 1)[-1], package.archive.sha256
    return None if package.sdist is None else (package.sdist.name, package.sdist.sha256)


def _fitting(package: PythonPackage, target: Target) -> list[str]:
    from envlock.lock.target import wheel_tags

    return [f.name for f in package.wheels if not wheel_tags(target).isdisjoint(_tags(f.name))]


def _tags(name: str) -> frozenset[object]:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return frozenset(parse_wheel_filename(name)[3])
    except InvalidWheelFilename:
        return frozenset()


def kinds(tags: Iterable[str]) -> frozenset[tuple[str, str, str]]:
    """Tags without what makers write loosely: interpreter, ABI, and ``any`` or the processor.

    WHEEL files are known that name another manylinux than the wheel's own file name.
    """
    found = set()
    for tag in tags:
        parts = tag.split("-")
        if len(parts) == 3:
            machine = next((m for m in _MACHINES if parts[2].endswith(m)), parts[2])
            found.add((parts[0], parts[1], machine))
    return frozenset(found)


_MACHINES = ("x86_64", "aarch64", "arm64", "amd64", "universal2", "i686", "win32")


def locked_kinds(package: PythonPackage) -> frozenset[tuple[str, str, str]]:
    """The ``kinds`` of all of a package's wheels."""
    return kinds(str(tag) for file in package.wheels for tag in _tags(file.name))
