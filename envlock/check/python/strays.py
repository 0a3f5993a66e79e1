"""What lies in an environment and belongs to no package: modules, start-up hooks, programs,
bytecode that is not of its source."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from envlock.check.disk import Disk
from envlock.check.drift import Code, drift
from envlock.check.own_project import PATHS, only_finds_project
from envlock.check.python import bytecode
from envlock.check.python.owned import Finding, Installed, Place, Reader, printable
from envlock.io.content.reading import HEAD, Unread, Wanted
from envlock.io.content.scan import Scan

_SEPARATORS = re.compile(r"[-_.]+")
_HOOKS = ("sitecustomize", "usercustomize", "_virtualenv")
_WRITTEN_BY_RUNNING = (".nbi", ".nbc")
"""numba keeps what it compiled beside bytecode."""
_OF_PYTHON = ("README.txt",)
"""What Python's own site-packages has from the start."""
_OF_VENV = re.compile(
    r"[Aa]ctivate(\.\w+)?|activate_this\.py|deactivate(\.\w+)?|pydoc\.bat|python[0-9.]*|𝜋thon"
)
"""What venv, virtualenv and uv put beside the programs."""


def compare_strays(
    place: Place,
    installed: Sequence[Installed],
    scan: Scan,
    reader: Reader,
    *,
    reported: set[str],
    siphash13: bool,
    disk: Disk,
) -> list[Finding]:
    """Everything in site-packages, and beside a virtual environment's programs, that no RECORD
    names.

    Args:
        place: the environment.
        installed: its distributions.
        scan: what is there.
        reader: reads files.
        reported: absolute paths that a difference was told of already.
        siphash13: see ``bytecode.hash_problem``.
        disk: where single files are read.
    """
    owned = {path for one in installed for path in one.rows or ()}
    holders: set[str] | None = None
    inside = tuple(site + "/" for site in place.sites)
    guessed = _Guessed(installed, disk)
    # Where a package does not say what it has, nothing can be said to belong to none; but
    # whatever runs at every start is told.
    all_known = all(
        one.trusted or one.distribution.problem or one.distribution.path.suffix == ".egg-link"
        for one in installed
    )
    cached: list[str] = []
    strays: dict[str, list[str]] = {}
    for at, path in enumerate(scan.paths):
        if path in owned and not path.endswith(".pyc"):
            continue
        if path.endswith("/") or stat.S_ISDIR(scan.mode(at)) or not scan.mode(at):
            continue
        site = next((s[:-1] for s in inside if path.startswith(s)), None)
        if site is None:
            if path not in owned and _is_stray_program(place, path):
                strays[path] = [path]
        elif path.endswith(".pyc") and "/__pycache__/" in path:
            cached.append(path)
        elif path not in owned and not _expected(site, path, guessed, place, disk):
            holders = _holders(owned) if holders is None else holders
            strays.setdefault(_top(site, path, holders), []).append(path)
    infos = {str(one.distribution.path): one.distribution.name for one in installed}
    found = [_stray(place, top, files, scan, infos, disk) for top, files in strays.items()]
    found = [f for f in found if all_known or f.drift.code is Code.STARTUP_HOOK]
    return [
        *found,
        *_cached(
            place, cached, scan, reader, owned=owned, reported=reported, new=siphash13, disk=disk
        ),
    ]


def _holders(owned: Iterable[str]) -> set[str]:
    """Every folder above an owned file."""
    found: set[str] = set()
    for path in owned:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


class _Guessed:
    """What distributions without a usable RECORD seem to own: told once, not file by file."""

    def __init__(self, installed: Sequence[Installed], disk: Disk) -> None:
        self._tops: set[tuple[str, str]] = set()
        self.editable = False
        for one in installed:
            if one.trusted:
                continue
            info = one.distribution.path
            self._tops.add((one.site, info.name))
            self.editable |= info.suffix == ".egg-link"
            for top in _top_level(info, disk) or (one.distribution.name,):
                self._tops.add((one.site, _SEPARATORS.sub("_", top).lower()))

    def owns(self, site: str, path: str) -> bool:
        top = path[len(site) + 1 :].partition("/")[0]
        return (site, top) in self._tops or (
            (site, _SEPARATORS.sub("_", top.removesuffix(".py")).lower()) in self._tops
        )


def _top_level(info: Path, disk: Disk) -> list[str]:
    try:
        return disk.content(f"{info}/top_level.txt").decode("utf-8", "replace").split()
    except OSError:
        return []


def _expected(site: str, path: str, guessed: _Guessed, place: Place, disk: Disk) -> bool:
    name = path[len(site) + 1 :]
    if guessed.owns(site, path):
        return True
    if "/" not in name:
        if name in _OF_PYTHON and place.programs is None:
            return True
        if name == "easy-install.pth":
            return guessed.editable
        if name == PATHS:
            return only_finds_project(path, disk)
        return _is_virtualenvs(path, name, disk)
    return name.endswith(_WRITTEN_BY_RUNNING) and "/__pycache__/" in f"/{name}"


def _is_virtualenvs(path: str, name: str, disk: Disk) -> bool:
    """virtualenv's own hook, which it and uv install without a RECORD, by its exact content."""
    known = _VIRTUALENV_DIGESTS.get(name)
    if known is None:
        return False
    import hashlib

    try:
        return hashlib.sha256(disk.content(path)).hexdigest() in known
    except OSError:
        return False


_VIRTUALENV_DIGESTS = {
    "_virtualenv.pth": frozenset(
        {"69ac3d8f27e679c81b94ab30b3b56e9cd138219b1ba94a1fa3606d5a76a1433d"}
    ),
    "_virtualenv.py": frozenset(
        {
            "684b8c07932ba4a84ac2e5ae9afe49ef04e92bac3d8d4191d455cf09d093e5fc",
            "ce57d5e0d9b5d7356cb42da7450ba8f9359bdf693e335f4c921626943c77e64d",
            "c9199315871b11b12df226f890a38e66e63191e1adbfb11a66e6861151b33fca",
            "0aeb86546345c1d0fada097536e35525714d5cdbcc2d8eb3f9912a955044fcff",
            "0f20351ea7e90039c46d3fabdef991f28b1e3ff33eb13ee6f0d5cd21ea0e8b14",
            "cfb3db86aaa53bb62b5ff764970bec2d71c9228590a0ebec57f6ec926cc0bf1a",
        }
    ),
}
"""Of virtualenv 20.0 to 20.31, and of uv 0.13, which installs them for Pythons before 3.10."""


def _is_stray_program(place: Place, path: str) -> bool:
    if place.programs is None or not path.startswith(place.programs + "/"):
        return False
    name = path[len(place.programs) + 1 :]
    return not (_OF_VENV.fullmatch(name) or name.startswith("__pycache__/"))


def _top(site: str, path: str, holders: set[str]) -> str:
    """The topmost folder above a stray that holds no package's file; the file itself without."""
    at = len(site)
    while (at := path.find("/", at + 1)) != -1:
        folder = path[:at]
        if folder not in holders:
            return folder
    return path


def _stray(
    place: Place, top: str, files: list[str], scan: Scan, infos: dict[str, str], disk: Disk
) -> Finding:
    site = next((s for s in place.sites if top.startswith(s + "/")), None)
    name = "" if site is None else top[len(site) + 1 :]
    hook = "/" not in name and (name.endswith(".pth") or name.split(".")[0] in _HOOKS)
    code = Code.STARTUP_HOOK if hook else Code.FILE_UNOWNED
    if files == [top]:
        at = scan.place(top)
        link = at is not None and stat.S_ISLNK(scan.mode(at))
        package = infos.get(os.path.dirname(top))
        found = _target(top, disk) if link else None
        return Finding(package, drift(code, place.shown(top), found=found))
    number = f"{len(files)} file{'s' if len(files) > 1 else ''}"
    return Finding(infos.get(top), drift(code, place.shown(top) + "/", found=number))


def _target(path: str, disk: Disk) -> str:
    try:
        return f"a link to {printable(disk.target(path))}"
    except OSError:
        return "a link"


def _cached(
    place: Place,
    paths: list[str],
    scan: Scan,
    reader: Reader,
    *,
    owned: set[str],
    reported: set[str],
    new: bool,
    disk: Disk,
) -> list[Finding]:
    found = []
    places = [(path, scan.place(path)) for path in paths]
    heads = reader(
        Wanted(path, HEAD, bytecode.HEADER, None if at is None else scan.stamp(at))
        for path, at in places
    )
    for path in paths:
        source = bytecode.source_of(path)
        at = None if source is None else scan.place(source)
        if source is None or at is None or not scan.mode(at):
            if source not in reported and path not in owned:
                found.append(Finding(None, drift(Code.FILE_UNOWNED, place.shown(path))))
            continue
        if source in reported:
            continue
        followed = scan.place(source + "/")
        size = scan.size(at if followed is None else followed)
        problem = _cached_problem(heads[path, HEAD], source, size, new=new, disk=disk)
        if problem is not None:
            found.append(Finding(None, drift(Code.BYTECODE, place.shown(path), found=problem)))
    return found


def _cached_problem(
    head: bytes | Unread, source: str, size: int, *, new: bool, disk: Disk
) -> str | None:
    if isinstance(head, Unread):
        # Python makes do without: bytecode that cannot be read is not used.
        return None
    if bytecode.by_hash(head):
        try:
            return bytecode.hash_problem(head, disk.content(source), siphash13=new)
        except OSError:
            return None  # its source cannot be read: that is told of the source
    return bytecode.problem(head, size)
