"""The files of the locked OS packages against dpkg's digests, and what goes before them."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from envlock.check.drift import Code, Drift, drift
from envlock.check.os.observe import STATUS, Status
from envlock.check.os.root import INFO, Listed, Root, listed
from envlock.check.os.sources import compare_sources
from envlock.check.python.owned import Reader as ReadAll
from envlock.check.reader import Reader
from envlock.io.content import index
from envlock.io.content.reading import Unread, Wanted
from envlock.io.content.scan import Scan, scan
from envlock.lock.os import OsLayer, OsPackage

_KIND = "os-2"
_PROGRAMS = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/")
_LOCAL = ("usr/local/bin", "usr/local/sbin", "usr/local/lib")
_MULTIARCH = re.compile(r"/(?:usr/)?lib/([a-z0-9_]+-linux-gnu[a-z0-9]*)/[^/]+")
_OF_PYTHON = "/usr/lib/python3/dist-packages/"
_OVER_PYTHON = re.compile(r"python3(\.[0-9]+)?")


def has_digests(root: Path) -> bool:
    """Whether dpkg keeps lists of files here (an image without package tools has none)."""
    return (root / INFO).is_dir()


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A root, what dpkg has there, and what is compared with it.

    ``packages`` are those of ``layer`` that are installed in their locked version.
    """

    root: Path
    layer: OsLayer
    architecture: str
    packages: tuple[OsPackage, ...]
    installed: Status

    @property
    def folder(self) -> str:
        """Absolute, without a slash at its end."""
        return os.path.abspath(self.root).rstrip("/")

    @property
    def key(self) -> str:
        """What the verdict is kept by in ``io.index``."""
        chosen = sorted((p.name, p.architecture, p.version) for p in self.packages)
        text = repr((chosen, self.architecture, self.layer.base, self.layer.archives))
        return f"{_KIND}\0{self.folder}\0{hashlib.sha256(text.encode()).hexdigest()}"


def os_content(
    asked: System, *, paranoid: bool = False
) -> tuple[tuple[Drift, ...], tuple[str, int]]:
    """Files of packages that are missing or not what dpkg unpacked, files that hide them, and
    apt's sources.

    What was not touched since the last time is not read again (``io.index``).

    Args:
        asked: the system and what is locked of it.
        paranoid: read every file again.

    Returns:
        What is found; the record in ``io.index`` of what was looked at: its key, and when it was
        made.
    """
    before = index.Index() if paranoid else index.load(asked.key)
    if before.holds():
        return _from_json(before.verdict), (asked.key, before.since)
    since = time.time_ns()
    system = Root(asked.folder)
    found, files = _listed(system, asked)
    shadows = _shadows(system, files)
    sources = compare_sources(system, asked.layer, asked.architecture, asked.installed)
    status = f"{asked.folder}/{STATUS}"
    others = tuple(sorted({f.place for _, f in files} | system.looked_at | {status}))
    scanned = scan((), others)
    reader = Reader(before.facts(scanned))
    found += _compare(system, files, scanned, reader.read)
    found += shadows + sources
    found.sort(key=lambda d: d.sort_key)
    index.keep(
        asked.key,
        scanned,
        reader.said,
        verdict=[[d.code, d.subject, d.expected, d.found] for d in found],
        since=since,
        whole=not reader.failed,
    )
    return tuple(found), (asked.key, since)


def compare_files(root: Root, asked: System, scanned: Scan, read: ReadAll) -> list[Drift]:
    """The files of another place than a disk: an image.

    Args:
        root: what dpkg knows there.
        asked: what is locked of it.
        scanned: every file.
        read: gives digests.
    """
    found, files = _listed(root, asked)
    found += _compare(root, files, scanned, read)
    found += _shadows(root, files)
    return sorted(found, key=lambda d: d.sort_key)


def _from_json(verdict: object) -> tuple[Drift, ...]:
    rows: list[list[str]] = verdict  # type: ignore[assignment]
    return tuple(
        drift(Code(code), subject, expected=expected, found=there)
        for code, subject, expected, there in rows
    )


def _listed(system: Root, asked: System) -> tuple[list[Drift], list[tuple[str, Listed]]]:
    diverted = system.diversions()
    found, files = [], []
    for package in sorted(asked.packages, key=lambda p: (p.name, p.architecture)):
        there = asked.installed.get((package.name, package.architecture)) or asked.installed.get(
            (package.name, "all")
        )
        fields = "" if there is None else there.conffiles
        of_package = listed(system, package.name, package.architecture, fields, diverted)
        if of_package is None:
            found.append(drift(Code.OS_NO_LIST, package.name))
            continue
        files += [(package.name, one) for one in of_package]
    return found, files


def _compare(
    system: Root, files: list[tuple[str, Listed]], scanned: Scan, read_all: ReadAll
) -> list[Drift]:
    excluded = system.excluded()
    found, wanted = [], []
    for package, one in files:
        at = scanned.place(one.place)
        mode = 0 if at is None else scanned.mode(at)
        if stat.S_ISREG(mode):
            wanted.append((package, one))
        elif one.conffile:
            if not mode:
                found.append(_told(Code.OS_CONFFILE, package, one, "removed"))
        elif mode:
            kind = "a link" if stat.S_ISLNK(mode) else "no regular file"
            found.append(_told(Code.OS_FILE_MODIFIED, package, one, kind))
        elif one.path not in excluded:
            found.append(_told(Code.OS_FILE_MISSING, package, one, None))
    places = [scanned.place(one.place) or 0 for _, one in wanted]
    read = read_all(
        Wanted(one.place, "md5", scanned.size(at), scanned.stamp(at))
        for (_, one), at in zip(wanted, places, strict=True)
    )
    for package, one in wanted:
        answer = read[one.place, "md5"]
        if isinstance(answer, Unread):
            found.append(_told(Code.OS_FILE_UNREADABLE, package, one, str(answer)))
        elif answer != one.md5:
            code = Code.OS_CONFFILE if one.conffile else Code.OS_FILE_MODIFIED
            found.append(_told(code, package, one, f"md5:{answer.hex()}"))
    return found


def _told(code: Code, package: str, one: Listed, found: str | None) -> Drift:
    path = one.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    expected = f"{package}, md5:{one.md5.hex()}"
    return drift(code, path, expected=expected, found=found)


def _shadows(system: Root, files: list[tuple[str, Listed]]) -> list[Drift]:
    """Programs, libraries and Python modules in /usr/local that are found before packaged ones."""
    programs, libraries, modules = dict[str, str](), dict[str, str](), dict[str, str]()
    folders = list(_LOCAL)
    for _, one in files:
        name = one.path.rpartition("/")[2]
        if one.path.startswith(_PROGRAMS) and not one.conffile:
            programs[name] = one.path
        elif one.path.startswith(_OF_PYTHON):
            top = one.path[len(_OF_PYTHON) :].partition("/")[0]
            modules[top] = _OF_PYTHON + top
        elif one.path.startswith(("/lib", "/usr/lib")) and ".so" in name:
            libraries |= dict.fromkeys(_sonames(name), one.path)
            match = _MULTIARCH.fullmatch(one.path)
            folders += [f"usr/local/lib/{match[1]}"] if match else []
    found = []
    for folder in dict.fromkeys(folders):
        packaged = programs if folder.endswith("bin") else libraries
        found += _shadowed(system, folder, packaged)
    if modules:
        for name in system.names("usr/local/lib"):
            if _OVER_PYTHON.fullmatch(name):
                found += _shadowed(system, f"usr/local/lib/{name}/dist-packages", modules)
    return found


def _sonames(name: str) -> list[str]:
    """The names that the loader may look for: ``libz.so.1.2.13``, and its links ``libz.so.1.2``
    and ``libz.so.1``, which dpkg has no digests of."""
    stem, _, version = name.partition(".so.")
    numbers = version.split(".") if version else []
    shorter = [f"{stem}.so.{'.'.join(numbers[:count])}" for count in range(1, len(numbers))]
    return [*shorter, name]


def _shadowed(system: Root, folder: str, packaged: dict[str, str]) -> list[Drift]:
    return [
        drift(Code.OS_SHADOWED, f"/{folder}/{name}", expected=packaged[name])
        for name in system.names(folder)
        if name in packaged
    ]
