"""Bring the files of a lock into the store, from which builds, bundles and rebuilds take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envlock.io.progress import Reporter, SilentReporter
from envlock.io.store import has_stored, store_file
from envlock.lock.artifacts import UsedFiles
from envlock.lock.model import Lock

if TYPE_CHECKING:
    from envlock.io.http.fetch import Wanted
    from envlock.resolve.os.archive.locked import ArchivedFile


def missing(files: UsedFiles) -> UsedFiles:
    """Those that are not in the store."""
    return replace(
        files,
        interpreters=tuple(b for b in files.interpreters if not has_stored(b.sha256, b.size)),
        python=tuple(f for f in files.python if not has_stored(f.file.sha256, f.file.size)),
        os=tuple(package for package in files.os if not has_stored(package.sha256, package.size)),
        os_sources=tuple(s for s in files.os_sources if not has_stored(s.file.sha256, s.file.size)),
    )


def fetch(
    lock: Lock,
    files: UsedFiles,
    root: Path,
    *,
    mirrors: Sequence[str] = (),
    keyring: str | None = None,
    reporter: Reporter,
) -> None:
    """Bring files of a lock into the store, each from whoever has its bytes.

    Args:
        lock: says when and from which indexes and archives it was made.
        files: see ``used_files`` and ``missing``.
        root: the lockfile's folder, for local files and the project's configuration.
        mirrors: the project's own mirrors of the distribution's archives.
        keyring: the project's own archive keys.
        reporter: told the bytes that came, of all.

    Raises:
        SourceError: a file cannot be had, or the disk cannot take it.
        VerificationError: a file has other bytes than the lock says.
        UsageError: a configuration of indexes or mirrors cannot be used.
    """
    # Imported here: to see that all is there costs no HTTP client.
    from envlock.io.http.client import Http
    from envlock.io.http.fetch import fetch_all
    from envlock.resolve.python.config.find import discover_sources
    from envlock.resolve.python.locate import locate_files

    # Sources matter for credentials here: what is set aside is no news.
    sources = discover_sources(lock.request, root, dated=False, reporter=SilentReporter())
    for entry in files.python:
        if entry.file.path is not None:
            store_file(root / entry.file.path, entry.file.sha256)
    with Http(certificate=sources.certificate) as http:
        wanted = (
            *locate_files(files.python, sources, http),
            *os_files(lock, files, root, mirrors, keyring),
            *interpreters(files, root),
        )
        count = len({file.sha256 for file in wanted})
        if count:
            reporter.step(f"fetching {count} file{'s' if count > 1 else ''}")
            fetch_all(http, wanted, reporter)


def fetch_indexes(
    lock: Lock,
    root: Path,
    *,
    mirrors: Sequence[str] = (),
    keyring: str | None = None,
    reporter: Reporter,
    sources: bool = False,
) -> tuple[ArchivedFile, ...]:
    """The signed Releases and indexes that a lock's OS packages were chosen from, into the store.

    Args:
        lock: of which they are; without OS packages there are none.
        root: the lockfile's folder.
        mirrors: the project's own mirrors of the distribution's archives.
        keyring: the project's own archive keys.
        reporter: told of an index that is had in another form alone.
        sources: with the indexes of source packages.

    Raises:
        SourceError: nobody has them any more.
        VerificationError: a signature or digest is not what it must be.
        UsageError: a mirror or the keyring cannot be used.
    """
    if lock.os is None:
        return ()
    from envlock.io.http.client import Http
    from envlock.resolve.os.archive.locate import lock_mirrors
    from envlock.resolve.os.archive.locked import archived_files
    from envlock.resolve.os.archive.trust import read_keyring

    places = lock_mirrors(lock.os, root, given=mirrors, keyring=keyring)
    keys = None if keyring is None else read_keyring(root / keyring)
    with Http() as http:
        return archived_files(lock.os, lock.as_of, places, keys, http, reporter, sources=sources)


def interpreters(files: UsedFiles, root: Path) -> tuple[Wanted, ...]:
    """Where the archives of Python can be had."""
    if not files.interpreters:
        return ()
    from envlock.io.http.fetch import Wanted
    from envlock.resolve.standalone import places

    return tuple(
        Wanted(
            name=f"{build.target.platform} {build}",
            sha256=build.sha256,
            size=build.size,
            urls=places(build, root),
        )
        for build in files.interpreters
    )


def os_files(
    lock: Lock, files: UsedFiles, root: Path, mirrors: Sequence[str], keyring: str | None
) -> tuple[Wanted, ...]:
    """Where the distribution's packages and their sources can be had."""
    if lock.os is None or not (files.os or files.os_sources):
        return ()
    # And a lock without OS packages is not to pay for signatures and SQLite.
    from envlock.resolve.os.archive.locate import locate_files, lock_mirrors

    places = lock_mirrors(lock.os, root, given=mirrors, keyring=keyring)
    return locate_files(lock.os, files.os, files.os_sources, places, lock.as_of)
