"""Brings the files of a lock into the store from any place that has the bytes, and says which.

What is had at no place is an answer, not an error: everything else is fetched all the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from envlock.errors import DiskError, EnvlockError, SourceError
from envlock.io.progress import Reporter, SilentReporter
from envlock.io.store import has_stored, store_file
from envlock.io.value import changed
from envlock.lock.artifacts import PythonFile, UsedFiles
from envlock.lock.model import Lock

if TYPE_CHECKING:
    from envlock.io.http.fetch import Attempt, Wanted
    from envlock.resolve.python.sources import Sources

ARCHIVE = "https://archive.softwareheritage.org"
"""The archive of sources that is asked last, by default."""

_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to look besides the store and what the lock itself names.

    ``bundles`` are bundles, and folders searched by digest and by name; ``indexes`` simple indexes
    by address; ``archive`` an archive of sources (Software Heritage's interface), None for none;
    ``mirrors`` and ``keyring`` the project's own for OS packages. ``offline``: nothing of the
    network.
    """

    bundles: tuple[Path, ...] = ()
    indexes: tuple[str, ...] = ()
    archive: str | None = ARCHIVE
    mirrors: tuple[str, ...] = ()
    keyring: str | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A place that did not give a file, and why."""

    place: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Where one file came from.

    ``origin`` is ``cache``, ``bundle``, ``project``, ``folder``, ``index``, ``address``,
    ``mirror``, ``snapshot``, ``publisher`` or ``archive``; None where it is missing. ``place`` is
    the path or address; ``tried`` those that were asked before, in order.
    """

    origin: str | None
    place: str | None = None
    tried: tuple[Tried, ...] = ()


@dataclass(slots=True)
class _Work:
    """What is known so far: digest → places tried, and what was found."""

    tried: dict[str, list[Tried]] = field(default_factory=dict)
    found: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    def take(self, sha256: str, path: Path, origin: str) -> bool:
        """Whether the file at ``path`` was that; now it is in the store."""
        try:
            store_file(path, sha256)
        except DiskError:
            raise
        except EnvlockError as error:
            why = "other bytes" if not isinstance(error, SourceError) else error.what
            self.tried.setdefault(sha256, []).append(Tried(place=str(path), why=why))
            return False
        self.found[sha256] = (origin, str(path))
        return True


def gather(
    lock: Lock, files: UsedFiles, root: Path, places: Places, reporter: Reporter
) -> dict[str, Gathered]:
    """Bring the files into the store, each from the nearest place that has its bytes.

    In this order: the store, bundles, the project and folders of this machine's configuration,
    the locked address, other indexes, snapshots, the archive of sources.

    Args:
        lock: says when and from which indexes and archives it was made.
        files: see ``used_files``.
        root: the lockfile's folder.
        places: see there.
        reporter: told the bytes that came, of all.

    Returns:
        Of each digest where it came from.

    Raises:
        DiskError: the disk cannot take a file.
        UsageError: a configuration of indexes or mirrors cannot be used.
        VerificationError: a bundle is not what it must be.
    """
    work = _Work()
    names = {sha256: (name, size) for sha256, name, size in _listed(files)}
    for sha256, (_, size) in names.items():
        if has_stored(sha256, size):
            work.found[sha256] = ("cache", None)
    if len(work.found) < len(names):
        reporter.step("looking in folders")
        _from_bundles(work, names, places.bundles)
        sources = _sources(lock, root, places)
        _from_disk(work, files.python, root, sources)
        if not places.offline and len(work.found) < len(names):
            _from_network(work, lock, files, root, places, sources, reporter)
    return {
        sha256: Gathered(
            origin=work.found.get(sha256, (None, None))[0],
            place=work.found.get(sha256, (None, None))[1],
            tried=tuple(work.tried.get(sha256, ())),
        )
        for sha256 in names
    }


def _listed(files: UsedFiles) -> Iterator[tuple[str, str, int | None]]:
    """Digest, file name and size of each."""
    for build in files.interpreters:
        yield build.sha256, unquote(build.url.rpartition("/")[2]), build.size
    for entry in files.python:
        yield entry.file.sha256, entry.file.name, entry.file.size
    for package in files.os:
        yield package.sha256, package.file_name.rpartition("/")[2], package.size
    for source in files.os_sources:
        yield source.file.sha256, source.file.name, source.file.size


def _from_bundles(
    work: _Work, names: Mapping[str, tuple[str, int | None]], places: Sequence[Path]
) -> None:
    from envlock.realise.bundle.source import open_whole

    for place in places:
        bundle = open_whole(place)
        if bundle is not None:
            for sha256 in names:
                if sha256 not in work.found and bundle.bring(sha256):
                    work.found[sha256] = ("bundle", bundle.shown(sha256))
            continue
        there = _by_name(place)
        for sha256, (name, _) in names.items():
            for path in (*there.get(sha256, ()), *there.get(name, ())):
                if sha256 in work.found or work.take(sha256, path, "bundle"):
                    break


def _by_name(folder: Path) -> dict[str, list[Path]]:
    """The regular files below a folder by their names, and by a digest that their folder is called.

    Links are not followed.
    """
    found: dict[str, list[Path]] = {}
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(place, name)
            if not path.is_symlink():
                found.setdefault(name, []).append(path)
                if len(path.parent.name) == _DIGITS:
                    found.setdefault(path.parent.name, []).append(path)
    return found


def _sources(lock: Lock, root: Path, places: Places) -> Sources:

    from envlock.resolve.python.config.find import discover_sources
    from envlock.resolve.python.config.settings import make_index

    sources = discover_sources(
        lock.request, root, dated=False, by_digest=True, reporter=SilentReporter()
    )
    given = [make_index(url, "--index", base=Path.cwd()) for url in places.indexes]
    return changed(sources, indexes=(*given, *sources.indexes))


def _from_disk(work: _Work, files: Iterable[PythonFile], root: Path, sources: Sources) -> None:
    from envlock.resolve.python.locate import local_places

    for entry in files:
        sha256 = entry.file.sha256
        if sha256 in work.found:
            continue
        if entry.file.path is not None and work.take(sha256, root / entry.file.path, "project"):
            continue
        for path in local_places(entry, sources):
            if path.is_file() and work.take(sha256, path, "folder"):
                break


def _from_network(
    work: _Work,
    lock: Lock,
    files: UsedFiles,
    root: Path,
    places: Places,
    sources: Sources,
    reporter: Reporter,
) -> None:
    from dataclasses import replace

    from envlock.io.http.client import Http
    from envlock.io.http.fetch import fetch_each
    from envlock.realise.fetch import interpreters, os_files
    from envlock.resolve.python.locate import locate_files

    left = replace(
        files,
        interpreters=tuple(b for b in files.interpreters if b.sha256 not in work.found),
        python=tuple(f for f in files.python if f.file.sha256 not in work.found),
        os=tuple(p for p in files.os if p.sha256 not in work.found),
        os_sources=tuple(s for s in files.os_sources if s.file.sha256 not in work.found),
    )
    kinds: dict[str, str] = {}
    with Http(certificate=sources.certificate) as http:
        wanted: list[Wanted] = []
        for kind, some in (
            ("index", locate_files(left.python, sources, http, archive=places.archive)),
            ("mirror", os_files(lock, left, root, places.mirrors, places.keyring)),
            ("publisher", interpreters(left, root)),
        ):
            kinds.update({file.sha256: kind for file in some})
            wanted += some
        if not wanted:
            return
        reporter.step(f"fetching {len(wanted)} file{'s' if len(wanted) > 1 else ''}")
        attempts = fetch_each(http, wanted, reporter)
    for sha256, asked in attempts.items():
        _note(work, sha256, asked, kinds[sha256], places.archive)
    for file in wanted:  # what another process brought meanwhile
        if file.sha256 not in work.found and has_stored(file.sha256, file.size):
            work.found[file.sha256] = ("cache", None)


def _note(
    work: _Work, sha256: str, asked: Iterable[Attempt], kind: str, archive: str | None
) -> None:
    for attempt in asked:
        if attempt.failure is not None:
            tried = Tried(place=attempt.url, why=attempt.failure)
            work.tried.setdefault(sha256, []).append(tried)
        elif archive is not None and attempt.url.startswith(archive.rstrip("/") + "/"):
            work.found[sha256] = ("archive", attempt.url)
        elif kind == "mirror" and _dated(attempt.url):
            work.found[sha256] = ("snapshot", attempt.url)
        else:
            work.found[sha256] = (kind, attempt.url)


def _dated(url: str) -> bool:
    """Whether an address has an instant in it, as those of snapshots do (20260301T000000Z)."""
    return any(
        len(part) == 16 and part[8] == "T" and part[15] == "Z" and part[:8].isdigit()
        for part in url.split("/")
    )
