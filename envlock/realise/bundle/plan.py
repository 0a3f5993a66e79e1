"""What a target of a lock installs, worked out for a program that knows no markers and no tags.

Pure. ``install.py`` reads it inside the bundle; docs/bundle.md says what stands in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from envlock.errors import UsageError
from envlock.lock.artifacts import PythonFile, UsedFiles, package_files
from envlock.lock.builds import Build
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage
from envlock.lock.package import Artifact, PythonPackage
from envlock.lock.provider import locked_python, standalone
from envlock.lock.selection import applies, wanted_packages
from envlock.lock.target import Target, tag_ranks
from envlock.lock.unbuilt import build_packages, locked_build
from envlock.realise.bundle.layout import file_path

_LAST_PATCH = 40
_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_BOUND = re.compile(r"(?:manylinux|macosx)_(\d+)_(\d+)_")


def plan_text(lock: Lock, target: Target) -> str:
    """The target's plan, as JSON with sorted keys."""
    value = {
        "environment-hash": environment_hash(lock).root,
        "packages": [
            _package(lock, package, target, patches) for package, patches in _wanted(lock, target)
        ],
        "python": locked_python(lock, target),
        "target": target.key,
    }
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _wanted(lock: Lock, target: Target) -> Iterator[tuple[PythonPackage, list[int] | None]]:
    """Each package, with the patch releases of Python that want it; None: all."""
    applying = [package for package in lock.packages if applies(package, target)]
    narrow = any("python_full_version" in (p.marker or "") for p in applying)
    if not narrow or locked_python(lock, target) != target.series:
        for package in wanted_packages(lock, target, _exact(lock, target)):
            yield package, None
        return
    wanted = [
        {p.sort_key for p in wanted_packages(lock, target, f"{target.series}.{patch}")}
        for patch in range(_LAST_PATCH)
    ]
    for package in applying:
        patches = [n for n, keys in enumerate(wanted) if package.sort_key in keys]
        if patches:
            yield package, None if len(patches) == _LAST_PATCH else patches


def _exact(lock: Lock, target: Target) -> str | None:
    found = locked_python(lock, target)
    return None if found == target.series else found


def _package(
    lock: Lock,
    package: PythonPackage,
    target: Target,
    patches: list[int] | None = None,
    above: tuple[Build, ...] = (),
) -> dict[str, object]:
    """One package; ``above`` are the builds that it is needed for."""
    wheels = _wheels(package, target)
    value: dict[str, object] = {
        "name": package.name,
        "version": package.version,
        "wheels": [_wheel(file, target) for file in wheels],
    }
    found = None if wheels else _source(lock, package, target)
    if found is not None and found[1] not in above:
        file, build = found
        value["build"] = {
            "backend": build.backend,
            "backend-path": list(build.backend_path),
            "programs": list(build.programs),
            "requires": [
                _package(lock, one, target, above=(*above, build))
                for one in build_packages(lock, build, target)
            ],
            "sdist": file_path(file.sha256, file.name),
            "sha256": file.sha256,
            "subdirectory": None if package.archive is None else package.archive.subdirectory,
        }
    if package.archive is not None and package.archive.url is not None:
        value["url"] = package.archive.url
    if patches is not None:
        value["patches"] = patches
    return value


def _wheels(package: PythonPackage, target: Target) -> list[Artifact]:
    return [file for file in package_files(package, target) if file.name.endswith(".whl")]


def _source(lock: Lock, package: PythonPackage, target: Target) -> tuple[Artifact, Build] | None:
    """The file to build a package from, and how; None: the lock does not say."""
    try:
        _, build = locked_build(lock, package, target)
    except UsageError:
        return None
    files = [file for file in package_files(package, target) if file.sha256 == build.sdist]
    return (files[0], build) if files else None


def build_files(lock: Lock, targets: Iterable[Target]) -> tuple[PythonFile, ...]:
    """The files of all that builds what has no wheel for one of the targets, as far as locked."""
    found: dict[str, PythonFile] = {}
    for target in targets:
        waiting = [p for p in lock.packages if applies(p, target) and not _wheels(p, target)]
        seen: set[Build] = set()
        while waiting:
            source = _source(lock, waiting.pop(), target)
            if source is None or source[1] in seen:
                continue
            seen.add(source[1])
            for one in build_packages(lock, source[1], target):
                files = package_files(one, target)
                found |= {file.sha256: PythonFile(package=one, file=file) for file in files}
                if not _wheels(one, target):
                    waiting.append(one)
    return tuple(sorted(found.values(), key=lambda f: (f.package.sort_key, f.file.name)))


def _wheel(file: Artifact, target: Target) -> dict[str, object]:
    """Where it is, and for each of its tags that serve: rank, and the system it needs."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        tags = parse_wheel_filename(file.name)[3]
    except InvalidWheelFilename:
        tags = frozenset()
    ranks = tag_ranks(target)
    fits = sorted([ranks[tag], *_needs(tag.platform)] for tag in tags if tag in ranks)
    return {
        "file": file_path(file.sha256, file.name),
        # Given directly, it is taken whatever its name says.
        "fits": fits or [[0, 0, 0]],
        "sha256": file.sha256,
    }


def _needs(platform: str) -> tuple[int, int]:
    """The C library (or macOS) that a platform's tag needs; 0, 0: any."""
    match = _BOUND.match(platform)
    if match:
        return int(match[1]), int(match[2])
    return _LEGACY.get(platform.partition("_")[0], (0, 0))


def interpreter_lines(
    lock: Lock, target: Target, files: UsedFiles
) -> tuple[list[str], list[OsPackage]]:
    """Lines of ``bundle.txt`` about the target's Python, and the OS packages that are unpacked."""
    start = f"{environment_hash(lock).root} {target.platform} {locked_python(lock, target)}"
    build = standalone(lock, target)
    if build is not None:
        from urllib.parse import unquote

        name = unquote(build.url.rpartition("/")[2])
        return [f"archive {start} {file_path(build.sha256, name)}"], []
    debs = needed_debs(lock, target, files)
    return [f"tree {start} {tree_path(deb)}" for deb in debs], debs


def needed_debs(lock: Lock, target: Target, files: UsedFiles) -> list[OsPackage]:
    """The OS packages that a Python under a prefix needs, and those asked for; none: no Python."""
    machine = target.platform.partition("/")[2]
    debs = {d.name: d for d in files.os if d.architecture == machine}
    python = f"python{target.series}"
    if lock.os is None or python not in debs or target.platform.partition("/")[0] != "linux":
        return []
    needs: dict[str, list[str]] = {}
    for deb in debs.values():
        for owner in deb.via:
            needs.setdefault(owner, []).append(deb.name)
    waiting = [python, *(d.name for d in debs.values() if d.requested or d.via_wheels)]
    # What wheels need of the base may be there for other reasons.
    waiting += [one.package for one in lock.os.libraries if one.package is not None]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in debs and name not in found:
            found.add(name)
            waiting += needs.get(name, [])
    return [debs[name] for name in sorted(found)]


def tree_path(deb: OsPackage) -> str:
    """Where the plain tar archive of a .deb's files is."""
    folder, _, name = file_path(deb.sha256, deb.file_name.rpartition("/")[2]).rpartition("/")
    return f"{folder.replace('files/', 'trees/', 1)}/{name.removesuffix('.deb')}.tar"
