"""Packages of the distribution, from their locked sources to how they compare."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.cache import DiskCache
from envlock.io.files import disk_error, make_folder
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter
from envlock.io.store import copy_stored, has_stored, store_made, stored
from envlock.lock.artifacts import SourceFile, UsedFiles
from envlock.lock.canonical import digest
from envlock.lock.os import OsPackage, OsSource
from envlock.realise.debian.build import BuildFailedError, Order, building
from envlock.realise.debian.compare import Comparison, compare_debs
from envlock.realise.debian.plan import Job, binary_entry
from envlock.realise.debian.root import make_root
from envlock.realise.image.deb import read_control
from envlock.resolve.os.builds.needs import LockedArchive

_KIND = "debian-packages-1"
LOG = "build.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What all builds of one go have in common.

    ``bring`` takes files into the store, or raises; ``as_of`` is the lock's date (UTC);
    ``processors`` are those that one build may use, ``seconds`` the time that it may take;
    ``again`` builds what was built before, too.
    """

    archive: LockedArchive
    bring: Callable[[UsedFiles], None]
    as_of: datetime
    architecture: str
    processors: int
    seconds: float
    again: bool
    reporter: Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A locked .deb, and the one that was built: its digest, None where the build gave none."""

    package: OsPackage
    sha256: str | None
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What came of one job.

    ``needs`` are the packages of the root. ``files`` are name and digest of all that was built,
    kept in the store; none where the build failed, and ``failure`` says how. ``cached``: it was
    built before, of the same inputs. ``log`` is kept.
    """

    job: Job
    source: OsSource
    needs: tuple[OsPackage, ...]
    files: tuple[tuple[str, str], ...] = ()
    held: tuple[Held, ...] = ()
    failure: str | None = None
    cached: bool = False
    log: Path

    @property
    def others(self) -> tuple[str, ...]:
        """The names of the .debs that were built and are not locked."""
        held = {one.sha256 for one in self.held}
        return tuple(n for n, sha in self.files if n.endswith(".deb") and sha not in held)


def rebuild_package(job: Job, shop: Workshop) -> Built:
    """Build a source package, or take what was built of the same inputs, and compare.

    Raises:
        SourceError: files, the archive or mmdebstrap are missing; or the disk cannot take it.
        VerificationError: a file is not what the lock says.
        UsageError: it cannot be built as it was: what it needs is not there, or unknown.
    """
    source, needs = ingredients(job, shop.archive, shop.bring)
    entry = binary_entry(job) if job.suffix else ""
    key = _input_digest(job, source, needs, entry, shop.architecture)
    log = cache_dir() / "build-logs" / f"{job.folder}-{key[:16]}.log"
    kept = None if shop.again else _known(key)
    if kept is None:
        shop.bring(UsedFiles(os=needs))
        order = Order(
            source=source,
            kind=job.kind,
            entry=entry,
            root=make_root(
                needs, shop.architecture, shop.as_of, shop.reporter, seconds=shop.seconds
            ),
            processors=shop.processors,
        )
        shop.reporter.step(f"building {job.title}")
        try:
            with building(order, log, shop.seconds) as made:
                made_files = tuple((path.name, store_made(path)) for path in made)
        except BuildFailedError as error:
            return Built(job=job, source=source, needs=needs, failure=str(error), log=log)
        DiskCache(_KIND).put(key, json.dumps(made_files).encode())
    else:
        made_files = kept
    return Built(
        job=job,
        source=source,
        needs=needs,
        files=made_files,
        held=_compared(job, made_files),
        cached=kept is not None,
        log=log,
    )


def ingredients(
    job: Job, archive: LockedArchive, bring: Callable[[UsedFiles], None]
) -> tuple[OsSource, tuple[OsPackage, ...]]:
    """The source package of a job, its files and the published .debs brought into the store; and
    every package of the root that it is built in, not brought.

    Raises:
        EnvlockError: see ``rebuild_package``.
    """
    source = archive.source(job.packages)
    files = tuple(SourceFile(source=source, file=file) for file in source.files)
    bring(UsedFiles(os=job.packages, os_sources=files))
    [dsc] = [file.sha256 for file in source.files if file.name.endswith(".dsc")]
    return source, archive.needs(source, stored(dsc).read_bytes(), job.kind)


def _input_digest(
    job: Job, source: OsSource, needs: Sequence[OsPackage], entry: str, architecture: str
) -> str:
    """What a build is named by: all that it is made of."""
    return digest(
        [
            "1",
            sorted([file.name, file.sha256] for file in source.files),
            sorted([package.name, package.sha256] for package in needs),
            [architecture, job.kind, entry],
        ]
    )


def _known(key: str) -> tuple[tuple[str, str], ...] | None:
    content = DiskCache(_KIND).get(key)
    if content is None:
        return None
    files = tuple((str(name), str(sha256)) for name, sha256 in json.loads(content))
    return files if all(has_stored(sha256) for _, sha256 in files) else None


def _compared(job: Job, files: Sequence[tuple[str, str]]) -> tuple[Held, ...]:
    built = {
        read_control(stored(sha256), name).package: sha256
        for name, sha256 in files
        if name.endswith(".deb")
    }
    held = []
    for package in job.packages:
        own = built.get(package.name)
        if own is None:
            comparison = Comparison(state="missing")
        else:
            comparison = compare_debs(stored(own), stored(package.sha256))
        held.append(Held(package=package, sha256=own, comparison=comparison))
    return tuple(held)


def deliver(built: Built, into: Path) -> Path:
    """Put what was built, and the log, into a folder of its own below ``into``; that folder.

    It is there whole or not at all; one of an earlier time is replaced.

    Raises:
        UsageError: something else is there.
        SourceError: the disk cannot take it.
    """
    final = into / built.job.folder
    if final.is_symlink() or (final.exists() and not _ours(final)):
        raise UsageError(
            "there is something else where the packages would go",
            where=str(final),
            remedy="name another folder with --into, or have it removed",
        )
    make_folder(into)
    new = into / f".{built.job.folder}.new"
    try:
        if new.exists():
            shutil.rmtree(new)
        new.mkdir()
        for name, sha256 in built.files:
            copy_stored(sha256, new / name)
        if built.log.exists():
            shutil.copyfile(built.log, new / LOG)
        if final.exists():
            shutil.rmtree(final)
        new.rename(final)
    except OSError as error:
        raise disk_error(error, final) from None
    return final


def _ours(folder: Path) -> bool:
    """Whether nothing but an earlier result is in it."""
    return folder.is_dir() and all(
        path.name == LOG or path.suffix in (".deb", ".buildinfo") for path in folder.iterdir()
    )
