"""The files of the locked OS packages against dpkg's digests, and what goes before them."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from envlock.check.drift import Code, Drift, drift
from envlock.check.os_root import INFO, Listed, Root, listed
from envlock.check.reader import Reader
from envlock.io import index
from envlock.io.reading import Unread, Wanted
from envlock.io.scan import Scan, scan
from envlock.lock.os import OsPackage

_KIND = "os-1"
_PROGRAMS = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/")
_LOCAL = ("usr/local/bin", "usr/local/sbin", "usr/local/lib")


def has_digests(root: Path) -> bool:
    """Whether dpkg keeps lists of files here (an image without package tools has none)."""
    return (root / INFO).is_dir()


def os_content(
    root: Path,
    packages: Iterable[OsPackage],
    conffiles: Mapping[tuple[str, str], str],
    *,
    paranoid: bool = False,
) -> tuple[Drift, ...]:
    """Files of packages that are missing or not what dpkg unpacked, and files that hide them.

    What was not touched since the last time is not read again (``io.index``).

    Args:
        root: the system's root folder.
        packages: those of the lock that are installed in their locked version.
        conffiles: (name, architecture) → ``Conffiles`` of dpkg's status.
        paranoid: read every file again.
    """
    chosen = sorted(packages, key=lambda p: (p.name, p.architecture))
    folder = os.path.abspath(root).rstrip("/")
    text = "\n".join(f"{p.name} {p.architecture} {p.version}" for p in chosen)
    key = f"{_KIND}\0{folder}\0{hashlib.sha256(text.encode()).hexdigest()}"
    before = index.Index() if paranoid else index.load(key)
    if before.whole and before.is_of(scan((), before.others)):
        return _from_json(before.verdict)
    since = time.time_ns()
    system = Root(folder)
    found, files = _listed(system, chosen, conffiles)
    shadows = _shadows(system, files)
    status = f"{folder}/var/lib/dpkg/status"
    others = tuple(sorted({f.place for _, f in files} | system.looked_at | {status}))
    scanned = scan((), others)
    reader = Reader(before.facts(scanned))
    found += _compare(system, files, scanned, reader)
    found += shadows
    found.sort(key=lambda d: d.sort_key)
    index.keep(
        key,
        scanned,
        reader.said,
        roots=(),
        others=others,
        verdict=[[d.code, d.subject, d.expected, d.found] for d in found],
        since=since,
        whole=not reader.failed,
    )
    return tuple(found)


def _from_json(verdict: object) -> tuple[Drift, ...]:
    rows: list[list[str]] = verdict  # type: ignore[assignment]
    return tuple(
        drift(Code(code), subject, expected=expected, found=there)
        for code, subject, expected, there in rows
    )


def _listed(
    system: Root, packages: list[OsPackage], conffiles: Mapping[tuple[str, str], str]
) -> tuple[list[Drift], list[tuple[str, Listed]]]:
    diverted = system.diversions()
    found, files = [], []
    for package in packages:
        key = (package.name, package.architecture)
        fields = conffiles.get(key) or conffiles.get((package.name, "all")) or ""
        of_package = listed(system, package.name, package.architecture, fields, diverted)
        if of_package is None:
            found.append(drift(Code.OS_NO_LIST, package.name))
            continue
        files += [(package.name, one) for one in of_package]
    return found, files


def _compare(
    system: Root, files: list[tuple[str, Listed]], scanned: Scan, reader: Reader
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
    sizes = (scanned.size(scanned.place(one.place) or 0) for _, one in wanted)
    read = reader.read(
        Wanted(one.place, "md5", size) for (_, one), size in zip(wanted, sizes, strict=True)
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
    """Programs and libraries in /usr/local that are found before the packaged ones."""
    programs = {
        one.path.rpartition("/")[2]: one.path
        for _, one in files
        if one.path.startswith(_PROGRAMS) and not one.conffile
    }
    libraries = {
        one.path.rpartition("/")[2]: one.path
        for _, one in files
        if one.path.startswith(("/lib", "/usr/lib")) and ".so" in one.path.rpartition("/")[2]
    }
    found = []
    for folder in _LOCAL:
        place = f"{system.folder}/{folder}"
        system.looked_at.add(place)
        try:
            names = sorted(os.listdir(place))
        except OSError:
            continue
        packaged = libraries if folder.endswith("lib") else programs
        found += [
            drift(Code.OS_SHADOWED, f"/{folder}/{name}", expected=packaged[name])
            for name in names
            if name in packaged
        ]
    return found
