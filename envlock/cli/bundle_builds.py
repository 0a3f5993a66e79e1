"""`envlock bundle --os-build`: what packages of the distribution are built with again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envlock.cli.artifacts import archives_of, bring
from envlock.errors import UsageError
from envlock.lock.artifacts import SourceFile, UsedFiles
from envlock.realise.debian.perform import ingredients
from envlock.realise.debian.plan import make_jobs
from envlock.realise.fetch import missing
from envlock.resolve.os.builds.needs import LockedArchive

if TYPE_CHECKING:
    from envlock.io.progress import Reporter
    from envlock.lock.model import Lock
    from envlock.lock.os import OsLayer, OsPackage
    from envlock.project.locate import Project
    from envlock.realise.bundle.contents import Bundled


def with_builds(
    bundled: Sequence[tuple[Bundled, Project | None, Path]],
    names: tuple[str, ...],
    reporter: Reporter,
) -> list[tuple[Bundled, Project | None, Path]]:
    """The same, with the sources of these packages and every package of a root to build them in.

    Of each lock that has such a package, for each of its architectures; the files are in the store.

    Raises:
        UsageError: no lock has a package of that name.
        SourceError, VerificationError: see ``LockedArchive`` and ``fetch``.
    """
    for name in names:
        if not any(_has(one.lock.os, name) for one, _, _ in bundled):
            _refuse([one.lock for one, _, _ in bundled], name)
    found = []
    for one, project, root in bundled:
        layer = one.lock.os
        for architecture in _architectures(one.lock) if layer is not None else ():
            wanted = [name for name in names if _has(layer, name, architecture)]
            if wanted:
                files = _builds(one.lock, wanted, architecture, project, root, reporter)
                one = replace(one, builds=_both(one.builds, files))
        found.append((one, project, root))
    return found


def _refuse(locks: Sequence[Lock], name: str) -> None:
    """Say that nobody has it, with the names that are near."""
    for lock in locks:
        for architecture in _architectures(lock):
            if lock.os is not None:
                make_jobs(lock.os, [name], architecture)
    raise UsageError(
        f"there are no OS packages that {name} could be one of",
        remedy="ask for some in [tool.envlock.os], then run `envlock lock`",
    )


def _architectures(lock: Lock) -> tuple[str, ...]:
    platforms = {target.platform for target in lock.targets}
    return tuple(sorted(p.partition("/")[2] for p in platforms if p.startswith("linux/")))


def _has(layer: OsLayer | None, name: str, architecture: str | None = None) -> bool:
    return layer is not None and any(
        name in (package.name, package.source) and architecture in (None, package.architecture)
        for package in layer.packages
    )


def _builds(
    lock: Lock,
    names: Iterable[str],
    architecture: str,
    project: Project | None,
    root: Path,
    reporter: Reporter,
) -> UsedFiles:
    assert lock.os is not None  # noqa: S101 - it has the packages
    mirrors, keyring = archives_of(lock, project)

    def have(files: UsedFiles) -> None:
        absent = missing(files)
        if absent.os or absent.os_sources:
            bring(lock, absent, root, project, reporter)

    debs: list[OsPackage] = []
    sources: list[SourceFile] = []
    with LockedArchive(
        lock.os,
        lock.as_of,
        root,
        architecture=architecture,
        mirrors=mirrors,
        keyring=keyring,
        offline=False,
        reporter=reporter,
    ) as archive:
        for job in make_jobs(lock.os, names, architecture):
            source, needs = ingredients(job, archive, have)
            have(UsedFiles(os=needs))
            debs += needs
            sources += [SourceFile(source=source, file=file) for file in source.files]
    return UsedFiles(os=tuple(debs), os_sources=tuple(sources))


def _both(one: UsedFiles, other: UsedFiles) -> UsedFiles:
    debs = {deb.sha256: deb for deb in (*one.os, *other.os)}
    sources = {entry.file.sha256: entry for entry in (*one.os_sources, *other.os_sources)}
    return UsedFiles(os=tuple(debs.values()), os_sources=tuple(sources.values()))
