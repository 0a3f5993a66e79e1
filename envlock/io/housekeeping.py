"""What lies in the cache folder: how much of it, since when unused, and how it is thrown away.

Nothing in the cache is the only copy of anything: records of runs lie in the project, and what is
gone is fetched, built or asked for again. Only what envlock has put there is ever removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envlock.io.files import disk_error
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter

FILES = "files"
ENVIRONMENTS = "environments"
INDEXES = "indexes"
ANSWERS = "answers"
LOGS = "logs"
OLD = "old"

GROUPS = {
    FILES: "wheels, sdists, .debs, layers of images, by their digests",
    ENVIRONMENTS: "environments of repeated runs, Pythons, roots to build in",
    INDEXES: "package indexes of archives, commits of repositories",
    ANSWERS: "small answers: what was resolved, read or compared before",
    LOGS: "logs of builds",
    OLD: "left by other versions of envlock, or by something that was stopped",
}
"""What can be told apart, for people."""

# By the name of a folder (or file) in the cache: its group, and how many levels below it the
# entries lie that come and go as a whole. 0: it is one itself.
_KINDS: dict[str, tuple[str, int]] = {
    "sha256": (FILES, 2),
    "named": (FILES, 1),
    "partial": (FILES, 1),
    "images": (FILES, 1),
    "advisories": (FILES, 1),
    "environments": (ENVIRONMENTS, 1),
    "pythons": (ENVIRONMENTS, 1),
    "build-roots": (ENVIRONMENTS, 1),
    "git": (INDEXES, 1),
    "os-index-v1": (INDEXES, 1),
    "os-sources-v1": (INDEXES, 1),
    "os-contents-v1": (INDEXES, 2),
    "os-release-v1": (INDEXES, 2),
    "os-release-seen-v1": (INDEXES, 2),
    "pages-v1": (INDEXES, 2),
    "sizes-v1.txt": (INDEXES, 0),
    "nixpkgs": (INDEXES, 2),
    "build-logs": (LOGS, 1),
    "runs": (ANSWERS, 1),
    "unchanged-1": (ANSWERS, 1),
    **dict.fromkeys(
        (
            "archives-v1",
            "built-wheels-1",
            "bundle-trees-1",
            "debian-build-needs-1",
            "debian-packages-1",
            "debian-roots-1",
            "default-index-v1",
            "exports-1",
            "file-digests-1",
            "found-pythons-1",
            "hook-answers-v1",
            "index-2",
            "index-dates-v1",
            "index-facts-2",
            "layers-3",
            "locks-again-1",
            "metadata-v1",
            "no-drift-3",
            "osv-v1",
            "owners-1",
            "run-drift-1",
            "run-environments-1",
            "sdist-facts-v1",
            "source-wheels-1",
            "valid-locks-1",
            "wheel-descriptions-v1",
            "wheel-libraries-v1",
        ),
        (ANSWERS, 2),
    ),
}
_VERSION = re.compile(r"-v?\d+(\.txt)?\Z")
_KNOWN = {_VERSION.sub("", name) for name in _KINDS}
_REMOVING = ".removing-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How much of one group there is.

    Args:
        group: one of ``GROUPS``.
        entries: how many things that come and go as a whole.
        size: bytes on the disk; what has several names counts once.
    """

    group: str
    entries: int
    size: int


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    group: str
    size: int
    used: float  # seconds since the epoch


def measure() -> tuple[Use, ...]:
    """What the cache has, by group; groups that have nothing are left out."""
    return _sums(_entries())


def prune(days: float, reporter: Reporter, *, dry_run: bool = False) -> tuple[Use, ...]:
    """Throw away what was not used for ``days``, and what nothing can use; by group.

    A file system that notes no times of access (``noatime``) knows only when something was put
    there.

    Raises:
        SourceError: the cache cannot be written.
    """
    since = time.time() - days * 24 * 3600
    gone = [entry for entry in _entries() if entry.group == OLD or entry.used < since]
    return _remove(gone, reporter, dry_run=dry_run)


def clean(reporter: Reporter, *, dry_run: bool = False) -> tuple[Use, ...]:
    """Throw away everything that envlock put there; by group.

    Raises:
        SourceError: the cache cannot be written.
    """
    return _remove(list(_entries()), reporter, dry_run=dry_run)


def _remove(entries: list[_Entry], reporter: Reporter, *, dry_run: bool) -> tuple[Use, ...]:
    if entries and not dry_run:
        folder = cache_dir()
        try:
            # Out of everybody's sight in one step each: what is half removed looks like nothing.
            aside = Path(tempfile.mkdtemp(prefix=_REMOVING, dir=folder))
            for number, entry in enumerate(entries):
                with contextlib.suppress(FileNotFoundError):
                    entry.path.rename(aside / str(number))
        except OSError as error:
            raise disk_error(error, folder) from None
        reporter.step(f"removing {len(entries)} entries")
        shutil.rmtree(aside, onerror=_made_writable)
        _drop_empty_folders(folder)
    return _sums(entries)


def _sums(entries: Iterator[_Entry] | list[_Entry]) -> tuple[Use, ...]:
    found: dict[str, list[int]] = {}
    for entry in entries:
        sums = found.setdefault(entry.group, [0, 0])
        sums[0] += 1
        sums[1] += entry.size
    return tuple(
        Use(group=group, entries=found[group][0], size=found[group][1])
        for group in GROUPS
        if group in found
    )


def _entries() -> Iterator[_Entry]:
    """All that is envlock's, sorted by name within each kind."""
    folder = cache_dir()
    seen: set[tuple[int, int]] = set()
    for name in sorted(_names(folder)):
        path = folder / name
        if name in _KINDS:
            group, depth = _KINDS[name]
        elif name.startswith(_REMOVING) or _VERSION.sub("", name) in _KNOWN:
            group, depth = OLD, 0
        else:
            continue
        for found in _below(path, depth):
            with contextlib.suppress(OSError):
                size, used = _look(found, seen)
                yield _Entry(found, group, size, used)


def _below(path: Path, depth: int) -> Iterator[Path]:
    if depth == 0:
        yield path
        return
    for name in sorted(_names(path)):
        yield from _below(path / name, depth - 1)


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _look(path: Path, seen: set[tuple[int, int]]) -> tuple[int, float]:
    """Bytes on the disk that are not in ``seen``, and when anything of it was used last."""
    size, used = 0, 0.0
    for place in _everything(path):
        found = place.lstat()
        if (found.st_dev, found.st_ino) not in seen:
            size += found.st_blocks * 512
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            seen.add((found.st_dev, found.st_ino))
        if not stat.S_ISDIR(found.st_mode):
            # A folder's time of access is that of whoever looked for what to remove.
            used = max(used, found.st_atime, found.st_ctime)
    return size, used or path.lstat().st_ctime


def _everything(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        for parent, folders, files in os.walk(path):
            for name in (*folders, *files):
                yield Path(parent, name)


def _made_writable(again: Callable[..., Any], path: str, _error: Any) -> None:
    """What unpacked archives made read-only is removed all the same."""
    with contextlib.suppress(OSError):
        place = Path(path)
        place.parent.chmod(0o700)
        if place.is_dir() and not place.is_symlink():
            place.chmod(0o700)
            shutil.rmtree(place, ignore_errors=True)
        else:
            again(path)


def _drop_empty_folders(folder: Path) -> None:
    for name in _names(folder):
        path = folder / name
        if name in _KINDS and path.is_dir():
            for parent, _, _ in os.walk(path, topdown=False):
                with contextlib.suppress(OSError):
                    Path(parent).rmdir()
