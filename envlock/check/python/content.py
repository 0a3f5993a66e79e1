"""The content of an environment: everything that can be said of it without knowing the lock."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from envlock.check.disk import LOCAL, Disk
from envlock.check.drift import Code, drift
from envlock.check.python.owned import (
    Finding,
    Installed,
    Origin,
    Place,
    Reader,
    Recorded,
    compare_owned,
    printable,
)
from envlock.check.python.strays import compare_strays
from envlock.io.content.scan import Scan
from envlock.lock.installed import UNFINISHED

_SHEBANG = re.compile(rb"#!\s*([^\s]+)")
# Where a path is too long for a first line, or holds a space, installers start a shell first.
_THROUGH_SHELL = re.compile(rb"'''exec'\s+\"?(/[^\"\n]*?)\"?\s+\"\$0\"")
_ACTIVATED = re.compile(rb"^VIRTUAL_ENV=(['\"]?)(/.*?)\1\s*$", re.MULTILINE)
_HEAD = 4096
_SYSTEM = ("/bin", "/usr/bin", "/usr/local/bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Differences from what the distributions' own RECORDs say, and where they came from."""

    findings: tuple[Finding, ...] = ()
    origins: tuple[Origin, ...] = ()


def outside(installed: Iterable[Installed], scan: Scan) -> list[str]:
    """Files of distributions that the scan has not, as they lie elsewhere."""
    return sorted({path for one in installed for path in one.rows or ()} - scan.places.keys())


def compare_content(
    place: Place,
    recorded: Recorded,
    scan: Scan,
    reader: Reader,
    *,
    base: Path,
    siphash13: bool,
    disk: Disk = LOCAL,
) -> Content:
    """Everything that is not as its RECORD says, or that no RECORD knows.

    Args:
        place: the environment's folders.
        recorded: what is installed in them, as ``read_installed`` gives it.
        scan: of ``place``; gets the files of distributions that lie elsewhere.
        reader: reads files.
        base: the folder of the Python that the environment was made from.
        siphash13: whether the environment's Python is 3.11 or newer.
        disk: where single files are read.
    """
    installed, origins = recorded.installed, recorded.origins
    findings = list(recorded.findings)
    for path in outside(installed, scan):
        scan.add(path)
    findings += [
        Finding(None, drift(Code.FILE_UNREADABLE, place.shown(path), found=reason))
        for path, reason in scan.problems
    ]
    owned = compare_owned(place, installed, scan, reader)
    shown = {finding.drift.subject for finding in owned}
    reported = {
        path
        for one in (installed if shown else ())
        for path in one.rows or ()
        if place.shown(path) in shown
    }
    findings += owned
    findings += compare_strays(
        place, installed, scan, reader, reported=reported, siphash13=siphash13, disk=disk
    )
    if place.programs is not None:
        findings += _elsewhere(place, installed, base, reported)
        findings += _settings(place)
        findings += _unfinished(place)
    return Content(findings=tuple(findings), origins=origins)


def _elsewhere(
    place: Place, installed: Iterable[Installed], base: Path, reported: set[str]
) -> list[Finding]:
    """Programs that would run another environment's Python, as one difference."""
    bin_folder = place.programs or ""
    own = f"{bin_folder}/"
    fine = {os.path.realpath(folder) for folder in (bin_folder, str(base / "bin"), *_SYSTEM)}
    leads: dict[str, str] = {}
    for one in installed:
        for path in one.rows or ():
            if not path.startswith(own) or path in reported or "/" in path[len(own) :]:
                continue
            python = _python_of(path)
            if python is not None and os.path.realpath(os.path.dirname(python)) not in fine:
                leads[path] = os.path.dirname(os.path.dirname(python))
    for name in ("python", "activate"):
        path = os.path.join(bin_folder, name)
        to = (
            _activated(path)
            if name == "activate"
            else _wrapped(path, os.path.realpath(base / "bin"))
        )
        if to is not None and os.path.realpath(to) != os.path.realpath(place.prefix):
            leads[path] = to
    if not leads:
        return []
    path, to = min(leads.items())
    more = f", and {len(leads) - 1} more" if len(leads) > 1 else ""
    found = f"{printable(os.path.basename(path))}{more}: {printable(to)}"
    subject = printable(os.path.basename(place.prefix))
    return [
        Finding(None, drift(Code.ELSEWHERE, subject, expected=printable(place.prefix), found=found))
    ]


def _head(path: str) -> bytes:
    try:
        if not os.path.isfile(path):
            return b""
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _python_of(path: str) -> str | None:
    """The absolute path of the Python that a script names in its first lines, if any."""
    head = _head(path)
    match = _SHEBANG.match(head)
    if match is None:
        return None
    if match[1] == b"/bin/sh":
        match = _THROUGH_SHELL.search(head)
        if match is None or b"$" in match[1]:
            return None
    python = os.fsdecode(match[1])
    named = os.path.basename(python).startswith(("python", "pypy"))
    return python if named and os.path.isabs(python) else None


def _activated(path: str) -> str | None:
    match = _ACTIVATED.search(_head(path))
    return None if match is None else os.fsdecode(match[2])


def _wrapped(path: str, base: str) -> str | None:
    """A script in Python's place; ``base`` is the folder in which the base's own Python may be one.

    That of a distribution's packages, unpacked under a prefix, is started by a script.
    """
    if not _head(path).startswith(b"#!"):
        return None
    own = os.path.islink(path) and os.path.dirname(os.path.realpath(path)) == base
    return None if own else f"a script: {path}"


def _unfinished(place: Place) -> list[Finding]:
    """That somebody is not done with installing."""
    if not os.path.lexists(os.path.join(place.prefix, UNFINISHED)):
        return []
    subject = printable(os.path.basename(place.prefix))
    return [Finding(None, drift(Code.UNFINISHED, subject, found=UNFINISHED))]


def _settings(place: Place) -> list[Finding]:
    """What pyvenv.cfg says of the packages of the Python below."""
    try:
        with open(os.path.join(place.prefix, "pyvenv.cfg"), "rb") as file:
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip().lower() == "include-system-site-packages":
            if value.strip().lower() == "true":
                subject = f"{printable(os.path.basename(place.prefix))}/pyvenv.cfg"
                return [Finding(None, drift(Code.SYSTEM_PACKAGES, subject, found=line.strip()))]
            return []
    return []
