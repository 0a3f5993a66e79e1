"""Every file that RECORDs name, against what is there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from envlock.check.disk import LOCAL, Disk
from envlock.check.drift import Code, Drift, drift
from envlock.check.python import bytecode
from envlock.check.python.observe import Distribution
from envlock.io.content.reading import Unread, Wanted
from envlock.io.content.scan import Scan
from envlock.lock.installed import (
    NOTE,
    Note,
    Record,
    Row,
    read_note,
    read_record,
    seal,
    wheel_tags_of,
)

Reader = Callable[[Iterable[Wanted]], Mapping[tuple[str, str], "bytes | Unread"]]
"""Reads files; what is known already need not be read."""

NO_DIGEST = "has no digest"
"""What is found of a file whose row of RECORD has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An environment's folders, absolute.

    ``sites`` are where packages are installed to; ``programs`` is the ``bin`` of a virtual
    environment, None where programs of others lie there, too.
    """

    prefix: str
    sites: tuple[str, ...]
    programs: str | None

    def shown(self, path: str) -> str:
        """A path as differences name it: below site-packages as RECORD writes it, below the
        environment with the environment's name, else absolute."""
        for site in self.sites:
            if path.startswith(site + "/"):
                return printable(path[len(site) + 1 :])
        if path.startswith(self.prefix + "/"):
            return printable(path[len(os.path.dirname(self.prefix).rstrip("/")) + 1 :])
        return printable(path)


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference, and the normalized name of the package it is of; None for no package."""

    package: str | None
    drift: Drift


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What an installed distribution says of the file it came from.

    ``note`` is envlock's, where it installed the distribution; ``tags`` are those of WHEEL.
    """

    name: str
    note: Note | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A distribution with the rows of its RECORD by absolute path; None: it has no RECORD."""

    distribution: Distribution
    site: str
    rows: dict[str, Row] | None
    trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What distributions say of themselves, and what is wrong with that."""

    installed: tuple[Installed, ...]
    origins: tuple[Origin, ...]
    findings: tuple[Finding, ...]


def printable(path: str) -> str:
    """A path that may hold bytes that are no UTF-8, as text that any terminal and file takes."""
    return path.encode(
        "utf-8", "backslashreplace" if path.isprintable() else "surrogateescape"
    ).decode("utf-8", "backslashreplace")


def read_installed(distributions: Iterable[Distribution], disk: Disk = LOCAL) -> Recorded:
    """Each distribution's RECORD, where it came from, and what is wrong with either."""
    installed: list[Installed] = []
    origins: list[Origin] = []
    findings: list[Finding] = []
    for one in distributions:
        site = str(one.path.parent)
        if one.path.suffix != ".dist-info":
            if one.problem is None and one.path.suffix != ".egg-link":
                findings.append(_finding(one, Code.NO_RECORD, found=one.path.name))
            installed.append(Installed(distribution=one, site=site, rows=None, trusted=False))
            continue
        record, problem = _record(disk, f"{one.path}/RECORD")
        if record is None:
            code = Code.NO_RECORD if problem is None else Code.BROKEN_RECORD
            if one.problem is None:
                findings.append(_finding(one, code, found=problem))
            installed.append(Installed(distribution=one, site=site, rows=None, trusted=False))
            continue
        if record.problem is not None:
            findings.append(_finding(one, Code.BROKEN_RECORD, found=record.problem))
        rows = {_absolute(site, row.path): row for row in record.rows}
        trusted = record.problem is None
        installed.append(Installed(distribution=one, site=site, rows=rows, trusted=trusted))
        note, wrong = _note(disk, f"{one.path}/{NOTE}")
        if wrong is not None:
            findings.append(_finding(one, Code.BROKEN_RECORD, found=wrong))
        elif note is not None and trusted and note.record != seal(record.rows):
            findings.append(_finding(one, Code.RECORD_EDITED))
        tags = tuple(sorted(wheel_tags_of(_bytes(disk, f"{one.path}/WHEEL") or b"")))
        origins.append(Origin(name=one.name, note=note, tags=tags))
    return Recorded(installed=tuple(installed), origins=tuple(origins), findings=tuple(findings))


def _finding(one: Distribution, code: Code, *, found: str | None = None) -> Finding:
    return Finding(one.name, drift(code, one.name, found=found))


def _record(disk: Disk, path: str) -> tuple[Record | None, str | None]:
    try:
        return read_record(disk.content(path)), None
    except FileNotFoundError:
        return None, None
    except OSError as error:
        return None, error.strerror or str(error)


def _note(disk: Disk, path: str) -> tuple[Note | None, str | None]:
    content = _bytes(disk, path)
    if content is None:
        return None, None
    try:
        return read_note(content), None
    except ValueError as error:
        return None, f"{NOTE}: {error}"


def _bytes(disk: Disk, path: str) -> bytes | None:
    try:
        return disk.content(path)
    except OSError:
        return None


def _absolute(site: str, path: str) -> str:
    if "./" not in path and "//" not in path and path[0] != "/" and path[-1] not in "./":
        return f"{site}/{path}"
    return os.path.normpath(os.path.join(site, path))


def compare_owned(
    place: Place, installed: Iterable[Installed], scan: Scan, reader: Reader
) -> list[Finding]:
    """Files that are missing, that say something else than RECORD, or that cannot be read."""
    found: list[Finding] = []
    wanted: list[tuple[Installed, str, Row, int]] = []
    for one in installed:
        for path, row in (one.rows or {}).items():
            if one.distribution.problem is not None and path.startswith(
                f"{one.distribution.path}/"
            ):
                continue  # that its metadata is damaged is told already
            at = _there(scan, path)
            if at is None:
                if row.digest is not None and not path.endswith(".pyc"):
                    told = _instead(scan, path)
                    found.append(_file(place, one, Code.FILE_MISSING, path, found=told))
            elif row.digest is not None and not _is_cached(one, path):
                wanted.append((one, path, row, at))
            elif one.trusted and _has_to_have_one(row):
                found.append(_file(place, one, Code.BROKEN_RECORD, path, found=NO_DIGEST))
    read = reader(
        Wanted(path, row.algorithm or "", scan.size(at), scan.stamp(at))
        for _, path, row, at in wanted
    )
    for one, path, row, at in wanted:
        answer = read[path, row.algorithm or ""]
        if answer != row.digest or (row.size is not None and scan.size(at) != row.size):
            found.append(_difference(place, one, path, row, answer, scan.size(at)))
    return found


def _is_cached(one: Installed, path: str) -> bool:
    """Whether it is bytecode of a module beside it: Python makes it anew at will, and ``strays``
    compares it with its source."""
    return path.endswith(".pyc") and bytecode.source_of(path) in (one.rows or {})


def _there(scan: Scan, path: str) -> int | None:
    """The place of a file, or of what a link leads to; None where there is no file."""
    at = scan.places.get(path)
    if at is None:
        return None
    kind = stat.S_IFMT(scan.mode(at))
    if kind == stat.S_IFLNK:
        at = scan.place(path + "/")
        kind = 0 if at is None else stat.S_IFMT(scan.mode(at))
    return None if kind in (0, stat.S_IFDIR) else at


def _instead(scan: Scan, path: str) -> str | None:
    """What is there in a file's place."""
    at = scan.place(path)
    if at is None or not scan.mode(at):
        return None
    if stat.S_ISLNK(scan.mode(at)):
        at = scan.place(path + "/")
        if at is None or not scan.mode(at):
            return "a link that leads nowhere"
    return "a folder"


def _has_to_have_one(row: Row) -> bool:
    """RECORD itself, its signatures and bytecode need no digest."""
    return not row.path.endswith(
        (".pyc", ".dist-info/RECORD", ".dist-info/RECORD.jws", ".dist-info/RECORD.p7s")
    )


def _difference(
    place: Place, one: Installed, path: str, row: Row, answer: bytes | Unread, size: int
) -> Finding:
    if isinstance(answer, Unread):
        gone = answer.startswith("vanished")
        code = Code.FILE_MISSING if gone else Code.FILE_UNREADABLE
        return _file(place, one, code, path, found=None if gone else str(answer))
    if answer != row.digest:
        return _file(
            place,
            one,
            Code.FILE_MODIFIED,
            path,
            expected=f"{row.algorithm}:{(row.digest or b'').hex()}",
            found=f"{row.algorithm}:{answer.hex()}",
        )
    told = f"says {row.size} bytes, and has the digest of {size}"
    return _file(place, one, Code.BROKEN_RECORD, path, found=told)


def _file(
    place: Place,
    one: Installed,
    code: Code,
    path: str,
    *,
    expected: str | None = None,
    found: str | None = None,
) -> Finding:
    return Finding(
        one.distribution.name, drift(code, place.shown(path), expected=expected, found=found)
    )
