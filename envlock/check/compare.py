"""Request and environment against the lock. All that is there comes in as values: nothing is
opened here (paths of local folders are compared after following symbolic links)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.version import InvalidVersion, Version

from envlock.check.drift import Code, Drift, drift
from envlock.check.python.observe import DirectUrl, Distribution, Observed
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from envlock.lock.provider import locked_python
from envlock.lock.request import Request
from envlock.lock.selection import wanted_packages
from envlock.lock.staleness import mismatches
from envlock.lock.target import Target

INSTALLERS = frozenset({"pip", "setuptools", "uv", "wheel"})
"""What tools put into a new environment by themselves: one made by ``python -m venv`` and ``pip
install -r pylock.toml`` holds pip (and, before Python 3.12, setuptools) beside what the lock says,
and ``uv pip sync`` leaves them there."""

SEEDS = INSTALLERS | {"envlock"}
"""What is no difference while it is not locked: these, and envlock, alone, for ``import envlock``.
Locked, they count like everything else."""


def compare_request(request: Request, lock: Lock) -> tuple[Drift, ...]:
    """Where the request differs from the one that was locked."""
    found = [
        drift(Code.STALE, mismatch.field, expected=mismatch.before, found=mismatch.after)
        for mismatch in mismatches(request, lock)
    ]
    return _ordered(found)


def compare(
    lock: Lock, target: Target, observed: Observed, *, root: Path | None = None
) -> tuple[Drift, ...]:
    """Where an environment differs from the lock; the most important difference first.

    Markers are judged for ``target`` with the full version of the observed interpreter, where it
    is of the target's series.

    Args:
        lock: the lock.
        target: which of its targets the environment should serve.
        observed: the environment.
        root: the lockfile's folder (absolute), to tell local folders apart; None not to.
    """
    python = locked_python(lock, target)
    fits = fits_python(python, observed)
    found = [] if fits else [_other_interpreter(python, observed)]
    wanted = {
        package.name: package
        for package in wanted_packages(lock, target, observed.version if fits else None)
    }
    there: dict[str, list[Distribution]] = {}
    for distribution in observed.distributions:
        there.setdefault(distribution.name, []).append(distribution)
    for name in wanted.keys() | there.keys():
        found += _package_drift(name, wanted.get(name), there.get(name, []), root)
    return _ordered(found)


def fits_python(python: str, observed: Observed) -> bool:
    """Whether the observed interpreter is CPython ``3.11`` (any patch of it) or ``3.11.7``."""
    version = observed.version if python.count(".") == 2 else observed.series
    return observed.implementation == "cpython" and version == python


def _other_interpreter(python: str, observed: Observed) -> Drift:
    names = {"cpython": "CPython", "pypy": "PyPy"}
    implementation = names.get(observed.implementation, observed.implementation)
    return drift(
        Code.OTHER_INTERPRETER,
        "python",
        expected=f"CPython {python}",
        found=f"{implementation} {observed.version}",
    )


def _package_drift(
    name: str,
    package: PythonPackage | None,
    distributions: list[Distribution],
    root: Path | None,
) -> list[Drift]:
    broken = [d for d in distributions if d.problem is not None]
    found = [
        drift(
            Code.BROKEN_METADATA,
            name,
            expected=None if package is None else _shown(package),
            found=f"{d.path.name}: {d.problem}",
        )
        for d in broken
    ]
    whole = [d for d in distributions if d.problem is None]
    if len(whole) > 1:
        names = ", ".join(sorted(d.path.name for d in whole))
        expected = None if package is None else _shown(package)
        return [*found, drift(Code.DUPLICATE, name, expected=expected, found=names)]
    if package is None:
        if whole and name not in SEEDS:
            found.append(drift(Code.EXTRA, name, found=whole[0].version))
    elif not whole:
        if not broken:
            found.append(drift(Code.MISSING, name, expected=_shown(package)))
    else:
        found += _difference(package, whole[0], root)
    return found


def _shown(package: PythonPackage) -> str:
    return package.version or "its source tree"


def _difference(
    package: PythonPackage, distribution: Distribution, root: Path | None
) -> list[Drift]:
    name, version = package.name, distribution.version
    if package.version is not None and not _same_version(package.version, version):
        return [drift(Code.OTHER_VERSION, name, expected=package.version, found=version)]
    expected, same = _source(package, distribution.direct_url, root)
    if same:
        return []
    return [drift(Code.OTHER_SOURCE, name, expected=expected, found=_told(distribution.direct_url))]


def _same_version(locked: str, found: str | None) -> bool:
    if found is None or locked == found:
        return locked == found
    try:
        return Version(locked) == Version(found)
    except InvalidVersion:
        return False


def _source(package: PythonPackage, url: DirectUrl | None, root: Path | None) -> tuple[str, bool]:
    """What the lock says of a package's source, and whether the installed one agrees."""
    if package.vcs is not None:
        return f"{package.vcs.kind} commit {package.vcs.commit}", (
            url is not None and url.kind == "vcs" and url.commit == package.vcs.commit
        )
    if package.directory is not None:
        directory = package.directory
        mode = "editable folder" if directory.editable else "folder"
        same = url is not None and url.kind == "directory" and url.editable == directory.editable
        if same and url is not None and root is not None:
            same = _same_path(_file_path(url.url), root / directory.path)
        return f"{mode} {directory.path}", same
    if package.archive is not None:
        archive = package.archive
        place = archive.url or archive.path or ""
        same = (
            url is not None
            and url.kind == "archive"
            and (
                # uv records no digest; it verified one when it installed.
                url.sha256 == archive.sha256
                if url.sha256 is not None
                else _last(url.url) == _last(place)
            )
        )
        return f"archive {place} (sha256:{archive.sha256})", same
    return "index", url is None or (
        url.kind == "archive" and url.sha256 in {file.sha256 for file in package.files}
    )


def _told(url: DirectUrl | None) -> str:
    if url is None:
        return "index"
    if url.kind == "vcs":
        return f"commit {url.commit} of {url.url}"
    if url.kind == "directory":
        return f"{'editable folder' if url.editable else 'folder'} {_file_path(url.url)}"
    return f"archive {url.url}" + (f" (sha256:{url.sha256})" if url.sha256 else "")


def _last(place: str) -> str:
    return unquote(urlsplit(place).path).rsplit("/", 1)[-1]


def _file_path(url: str) -> str:
    path = unquote(urlsplit(url).path)
    return path[1:] if os.name == "nt" else path  # file:///C:/folder


def _same_path(found: str, expected: Path) -> bool:
    try:
        return os.path.realpath(found) == os.path.realpath(expected)
    except ValueError:  # a NUL: no file is called so, and no link leads there
        return found == str(expected)


def _ordered(found: Iterable[Drift]) -> tuple[Drift, ...]:
    return tuple(sorted(found, key=lambda d: d.sort_key))
