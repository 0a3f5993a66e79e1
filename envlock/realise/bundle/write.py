"""A bundle's contents → a folder, or a tar archive of it; what is there already is kept.

The manifest comes last: what was cut off has none, and is no bundle. Every byte is digested once
more while it is copied.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.copying import UNFINISHED, copy_at, copy_digested, digest_of, flush
from envlock.io.files import disk_error, make_folder, read_text, replacing, write_atomic
from envlock.io.progress import Reporter
from envlock.realise.bundle.contents import Contents
from envlock.realise.bundle.layout import (
    ARCHIVE_FOLDER,
    INDEX,
    MANIFEST,
    TOP,
    Entry,
    is_index,
    manifest,
)

_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A bundle that was written: the digest of its manifest, and how many files were there."""

    digest: str
    kept: int


def write_folder(contents: Contents, folder: Path, reporter: Reporter) -> Written:
    """Make the folder this bundle and nothing else. Whatever is whole there already stays.

    Raises:
        UsageError: something else is there.
        SourceError: the disk cannot take it, or a file of the store is gone.
        VerificationError: a file of the store is damaged.
    """
    found = _found(folder)
    text = manifest(contents.entries)
    progress = _Progress(reporter, sum(entry.size for entry in contents.entries))
    try:
        wanted = {entry.path: entry for entry in contents.entries}
        reporter.step("looking at what is there")
        there = _whole([wanted[path] for path in sorted(found & wanted.keys())], folder, progress)
        missing = [entry for entry in contents.entries if entry.path not in there]
        strays = sorted(found - wanted.keys() - {MANIFEST})
        if missing or strays or not _same(folder / MANIFEST, text):
            (folder / MANIFEST).unlink(missing_ok=True)
            for path in strays:
                (folder / path).unlink()
            _copy(missing, folder, contents, progress, reporter)
            _sweep(folder)
            flush(folder)
            write_atomic(folder / MANIFEST, text)
        os.utime(folder / MANIFEST, ns=(_time(contents), _time(contents)))
    except OSError as error:
        raise disk_error(error, folder) from None
    return Written(digest=hashlib.sha256(text.encode()).hexdigest(), kept=len(there))


def _found(folder: Path) -> set[str]:
    """The paths of all files in the folder, which has to be a bundle, a part of one, or empty.

    Raises:
        UsageError: it is something else.
    """
    if not folder.exists():
        return set()
    if not folder.is_dir():
        raise UsageError(
            "it is a file", where=str(folder), remedy="name a folder, or a file that ends in .tar"
        )
    left = (UNFINISHED, f".{MANIFEST}.")
    names = {path.name for path in folder.iterdir() if not path.name.startswith(left)}
    index = folder / INDEX
    # The index comes first: where it is not, nothing is but the beginning of itself.
    if names and not (names <= TOP and index.is_file() and is_index(read_text(index))):
        raise UsageError(
            "there are other files in the folder",
            where=str(folder),
            remedy="name an empty folder, or one that `envlock bundle` made",
        )
    found = set()
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink():
                raise UsageError("no bundle has a symbolic link", where=str(path))
        found |= {Path(parent, name).relative_to(folder).as_posix() for name in files}
    return found


def _whole(entries: Sequence[Entry], folder: Path, progress: _Progress) -> set[str]:
    """The paths of those that are there with the bytes that they must have."""

    def whole(entry: Entry) -> bool:
        path = folder / entry.path
        if path.stat().st_size != entry.size or digest_of(path) != entry.sha256:
            return False
        progress.add(entry.size)
        return True

    with _threads() as run:
        return {
            entry.path for entry, good in zip(entries, run(whole, entries), strict=True) if good
        }


def _copy(
    entries: Sequence[Entry],
    folder: Path,
    contents: Contents,
    progress: _Progress,
    reporter: Reporter,
) -> None:
    # First of all what says that this is going to be a bundle.
    ordered = sorted(entries, key=lambda entry: (entry.path != INDEX, -entry.size, entry.path))
    if ordered:
        reporter.step(f"writing {len(ordered)} file{'s' if len(ordered) > 1 else ''}")

    def put(entry: Entry) -> None:
        mode = 0o755 if entry.executable else 0o644
        copy_digested(
            _source(entry), folder / entry.path, entry.sha256, mode=mode, mtime_ns=_time(contents)
        )
        progress.add(entry.size)

    if ordered and ordered[0].path == INDEX:
        put(ordered.pop(0))
    for place in sorted({entry.path.rpartition("/")[0] for entry in ordered}):
        make_folder(folder / place)
    with _threads() as run:
        list(run(put, ordered))


def _sweep(folder: Path) -> None:
    """Folders that are empty now."""
    for parent, _, _ in os.walk(folder, topdown=False):
        if Path(parent) != folder:
            with suppress(OSError):
                Path(parent).rmdir()


def _same(path: Path, text: str) -> bool:
    with suppress(OSError):
        return path.read_bytes() == text.encode()
    return False


def write_archive(contents: Contents, path: Path, reporter: Reporter) -> Written:
    """Replace the file by the bundle's archive, whole or not at all; the same bytes each time.

    Raises:
        UsageError: it is a folder.
        SourceError: the disk cannot take it, or a file of the store is gone.
        VerificationError: a file of the store is damaged.
    """
    if path.is_dir():
        raise UsageError("it is a folder", where=str(path), remedy="name a file, or no .tar")
    text = manifest(contents.entries).encode()
    digest = hashlib.sha256(text).hexdigest()
    last = Entry(path=MANIFEST, sha256=digest, size=len(text), content=text)
    progress = _Progress(reporter, sum(entry.size for entry in contents.entries))
    make_folder(path.parent)
    reporter.step("writing the archive")
    with replacing(path) as file:
        _fill(file.fileno(), (*contents.entries, last), contents, progress)
    return Written(digest=digest, kept=0)


def _fill(handle: int, entries: Sequence[Entry], contents: Contents, progress: _Progress) -> None:
    """Write all members, each where it belongs; several at a time."""
    places: list[tuple[Entry, bytes, int]] = []
    end = 0
    for entry in entries:
        header = _header(entry, contents)
        places.append((entry, header, end))
        end += len(header) + entry.size + -entry.size % tarfile.BLOCKSIZE
    end += -(end + 1024) % tarfile.RECORDSIZE + 1024
    os.ftruncate(handle, end)

    def put(member: tuple[Entry, bytes, int]) -> None:
        entry, header, place = member
        os.pwrite(handle, header, place)
        source = _source(entry)
        place += len(header)
        copy_at(source, handle, place, entry.sha256, size=entry.size, where=entry.path)
        progress.add(entry.size)

    with _threads() as run:
        list(run(put, sorted(places, key=lambda member: -member[0].size)))


def _header(entry: Entry, contents: Contents) -> bytes:
    """A member's (POSIX.1-2001 pax, ustar where that does)."""
    member = tarfile.TarInfo(f"{ARCHIVE_FOLDER}/{entry.path}")
    member.size = entry.size
    member.mode = 0o755 if entry.executable else 0o644
    member.mtime = int(contents.moment.timestamp())
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8")


def _source(entry: Entry) -> Path | bytes:
    source = entry.source if entry.content is None else entry.content
    assert source is not None  # noqa: S101 - an entry has one of the two
    return source


def _time(contents: Contents) -> int:
    return int(contents.moment.timestamp()) * 1_000_000_000


class _Progress:
    """Bytes that are done, told from any thread."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter, self._total, self._done = reporter, total, 0
        self._guard = threading.Lock()

    def add(self, size: int) -> None:
        with self._guard:
            self._done += size
            self._reporter.progress(min(self._done, self._total), self._total)


@contextmanager
def _threads() -> Iterator[Callable[..., Iterator[object]]]:
    """``map`` on some threads; the first failure ends it."""
    pool = ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1))
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
