"""envlock's note of where each distribution came from, beside its RECORD and listed in it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from envlock.io.content.beside import shared
from envlock.io.files import write_atomic
from envlock.lock.installed import (
    NOTE,
    BuiltWheel,
    Note,
    came_from,
    dump_note,
    read_note,
    read_record,
    seal,
    source_file,
    wheel_tags_of,
)
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from envlock.lock.target import Target

Stamps = Mapping[Path, tuple[int, int, int]]


def stamps(infos: Iterable[Path]) -> Stamps:
    """``*.dist-info`` folder → what tells its RECORD from one that was installed later."""
    found = {}
    for info in infos:
        try:
            status = (info / "RECORD").stat()
        except OSError:
            continue
        found[info] = (status.st_ino, status.st_ctime_ns, status.st_size)
    return found


def strangers(infos: Mapping[Path, str], packages: Iterable[PythonPackage]) -> tuple[str, ...]:
    """Packages that are there from a file that is not locked (any more), by their notes.

    Installers take the version for the whole truth; these have to be installed anew.

    Args:
        infos: ``*.dist-info`` folder → normalized name.
        packages: what the lock wants.
    """
    locked = {
        package.name: {file.sha256 for file in package.files}
        | ({package.archive.sha256} if package.archive else set())
        for package in packages
    }
    found = []
    for info, name in infos.items():
        note = _note_in(info)
        if note is None:
            continue
        if locked.get(name) and note.sha256 not in locked[name]:
            found.append(name)
    return tuple(sorted(found))


def built_otherwise(
    infos: Mapping[Path, str], built: Mapping[str, BuiltWheel], published: Container[str]
) -> tuple[str, ...]:
    """Packages whose version is there as another wheel than what is to be installed.

    Args:
        infos: ``*.dist-info`` folder → normalized name.
        built: what was built here and is to be there, by name.
        published: names of what is to be there as it was published.
    """
    found = []
    for info, name in infos.items():
        note = _note_in(info)
        there = None if note is None else note.built
        if (name in built and there != built[name]) or (name in published and there is not None):
            found.append(name)
    return tuple(sorted(found))


def write_notes(
    lock: Lock,
    target: Target,
    packages: Iterable[PythonPackage],
    infos: Mapping[Path, str],
    before: Stamps,
    built: Mapping[str, BuiltWheel] | None = None,
) -> None:
    """Note of each distribution that was installed since ``before`` which locked file it is of.

    Only where that is certain. RECORD is written first: one that names a note that is not there
    is harmless to those who uninstall, a note that no RECORD names stays behind.

    Args:
        lock: what was installed.
        target: for which target.
        packages: those of the lock that it wants.
        infos: ``*.dist-info`` folder → normalized name, after the installation.
        before: ``stamps`` before it.
        built: of those that were built here of their locked sources, by name: the wheel.

    Raises:
        SourceError: the environment cannot be written.
    """
    wanted = {package.name: package for package in packages}
    now = stamps(infos)
    new = [
        (info, wanted[name])
        for info, name in infos.items()
        if info in now and now[info] != before.get(info) and name in wanted
    ]

    def note(number: int) -> None:
        info, package = new[number]
        wheel = None if built is None else built.get(package.name)
        if wheel is not None:
            origin = source_file(package)
        else:
            tags = wheel_tags_of(_content(info / "WHEEL"))
            origin = came_from(lock, target, package, tags)
        if origin is not None:
            _write(info, *origin, wheel)

    shared(len(new), note)


def _note_in(info: Path) -> Note | None:
    try:
        return read_note((info / NOTE).read_bytes())
    except (OSError, ValueError):
        return None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _write(info: Path, file: str, sha256: str, built: BuiltWheel | None) -> None:
    path = info / "RECORD"
    content = _content(path)
    record = read_record(content)
    if record.problem is not None:
        return  # nobody can rely on it; `check` tells
    note = dump_note(Note(file=file, sha256=sha256, record=seal(record.rows), built=built))
    digest = base64.urlsafe_b64encode(hashlib.sha256(note).digest()).rstrip(b"=").decode()
    name = f"{info.name}/{NOTE}"
    start = os.fsencode(name)
    kept = [line for line in content.splitlines(keepends=True) if not line.startswith(start)]
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([name, f"sha256={digest}", len(note)])
    if kept and not kept[-1].endswith(b"\n"):
        kept.append(b"\n")
    write_atomic(path, b"".join([*kept, line.getvalue().encode()]), durable=False)
    write_atomic(info / NOTE, note, durable=False)
