"""Whether what is installed is what a run's record says was installed then.

A record keeps the digest of each distribution's RECORD. Scripts begin with the path of their
environment, so that RECORDs of the same files differ where the environment lies elsewhere; what
RECORD would be at the recorded place can be computed.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from envlock.errors import UsageError
from envlock.lock.installed import NOTE, dump_note, read_note, read_record, seal

_LONGEST = 127
"""Bytes of a script's first line that systems read; uv starts longer ones through sh."""
_PLAIN = re.compile(rb"\A#!(/[^\n]*/bin/python[0-9.]*)\n")
_THROUGH_SHELL = re.compile(
    rb"\A#!/bin/sh\n'''exec' '(/[^\n']*/bin/python[0-9.]*)' \"\$0\" \"\$@\"\n' '''\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """One distribution, then and now.

    ``state`` is ``identical`` (the same RECORD, byte for byte), ``content-equal`` (the same but
    for the environment's path in scripts), ``different`` or ``missing`` (there then, not now);
    ``extra`` where it is there now and was not then; ``not-a-file`` where it was installed from a
    repository or folder, whose RECORD has times in it.
    """

    name: str
    before: str | None
    after: str | None
    state: str


def recorded(content: bytes, *, where: str) -> tuple[tuple[str, str, str], ...]:
    """Name, version and digest of RECORD of each distribution that a record's list has.

    Raises:
        UsageError: it is no such list.
    """
    try:
        rows = [
            (str(name), str(version), str(digest)) for name, version, digest in json.loads(content)
        ]
    except (ValueError, TypeError) as error:
        raise UsageError(f"the list of packages cannot be read: {error}", where=where) from None
    return tuple(sorted(rows))


def compare_realised(
    rows: Iterable[tuple[str, str, str]],
    infos: Mapping[Path, tuple[str, str]],
    prefix: Path,
    recorded_prefix: str | None,
    without: Container[str] = (),
) -> tuple[Realised, ...]:
    """What was recorded, against what is installed; sorted by name.

    Args:
        rows: see ``recorded``.
        infos: ``*.dist-info`` folder → normalized name and version, of what is installed.
        prefix: the environment's folder.
        recorded_prefix: that of the recorded one.
        without: packages that are no file.
    """
    before = {name: (version, digest) for name, version, digest in rows}
    now = {name: (version, info) for info, (name, version) in infos.items()}
    found = []
    for name in sorted(before | now):
        if name not in now:
            found.append(Realised(name=name, before=before[name][0], after=None, state="missing"))
            continue
        version, info = now[name]
        old = before.get(name)
        if old is not None and name in without:
            state = "not-a-file"
        else:
            state = "extra" if old is None else _state(info, old[1], prefix, recorded_prefix)
        found.append(
            Realised(name=name, before=old[0] if old else None, after=version, state=state)
        )
    return tuple(found)


def _state(info: Path, digest: str, prefix: Path, recorded_prefix: str | None) -> str:
    content = (info / "RECORD").read_bytes()
    if hashlib.sha256(content).hexdigest() == digest:
        return "identical"
    if recorded_prefix is not None:
        moved = record_at(info, content, str(prefix), recorded_prefix)
        if hashlib.sha256(moved).hexdigest() == digest:
            return "content-equal"
    return "different"


def record_at(info: Path, content: bytes, prefix: str, other: str) -> bytes:
    """What RECORD would be if the environment lay at ``other`` in place of ``prefix``."""
    rows = dict(_moved_scripts(info, content, prefix, other))
    moved = _with_rows(content, rows)
    note = info / NOTE
    try:
        old = read_note(note.read_bytes())
    except (OSError, ValueError):
        return moved
    new = dump_note(replace(old, record=seal(read_record(moved).rows)))
    return _with_rows(moved, {f"{info.name}/{NOTE}": new})


def _moved_scripts(
    info: Path, content: bytes, prefix: str, other: str
) -> Iterator[tuple[str, bytes]]:
    for row in read_record(content).rows:
        if not row.path.startswith("../") or row.digest is None:
            continue
        try:
            script = (info.parent / row.path).read_bytes()
        except OSError:
            continue
        found = _PLAIN.match(script) or _THROUGH_SHELL.match(script)
        python = found and found[1].decode("utf-8", "surrogateescape")
        if found and python and python.startswith(f"{prefix}/"):
            start = _first_line(other + python[len(prefix) :])
            yield row.path, start + script[found.end() :]


def _first_line(python: str) -> bytes:
    path = python.encode("utf-8", "surrogateescape")
    if len(path) + 3 <= _LONGEST and b" " not in path:
        return b"#!" + path + b"\n"
    return b"#!/bin/sh\n'''exec' '" + path + b"' \"$0\" \"$@\"\n' '''\n"


def _with_rows(content: bytes, files: Mapping[str, bytes]) -> bytes:
    """RECORD with other digests and sizes for some files."""
    lines = []
    for line in content.splitlines(keepends=True):
        path = next(csv.reader([line.decode("utf-8", "surrogateescape")]), [""])[0]
        if path in files:
            raw = hashlib.sha256(files[path]).digest()
            digest = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
            text = io.StringIO()
            row = [path, f"sha256={digest}", len(files[path])]
            csv.writer(text, lineterminator="\n").writerow(row)
            line = text.getvalue().encode("utf-8", "surrogateescape")
        lines.append(line)
    return b"".join(lines)
