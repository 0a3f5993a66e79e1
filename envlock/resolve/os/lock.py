"""The OS part of a request → the lock's OS layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.apt_config import apt_sources
from envlock.io.http import Http
from envlock.io.progress import Reporter
from envlock.lock.os import OsArchive, OsLayer, OsPackage
from envlock.lock.request import Request
from envlock.lock.target import Target
from envlock.resolve.os.archive import Opening, VerifiedSuite, default_keyring, open_archive
from envlock.resolve.os.closure import Solution, close
from envlock.resolve.os.distribution import Base, parse_base
from envlock.resolve.os.index import PackageIndex
from envlock.resolve.os.mirrors import choose_mirrors
from envlock.resolve.os.sources import find_sources
from envlock.resolve.os.trust import Keyring, read_keyring


def make_os_layer(
    request: Request,
    base_name: str,
    root: Path,
    as_of: datetime,
    *,
    live: bool,
    floors: Mapping[str, datetime],
    http: Http,
    reporter: Reporter,
) -> OsLayer:
    """The archives, verified, and every package of every Linux target.

    Args:
        request: its ``os_*`` fields, ``sources`` and targets.
        base_name: the distribution (``debian:bookworm``).
        root: the project's folder, for the path of a keyring.
        as_of: UTC.
        live: lock the present from the machine's own mirror instead of a snapshot.
        floors: suite → date of the Release that an earlier lock saw at this or an earlier
            instant; an older one is a replay.
        http: for all transfers.
        reporter: told the phases, and what an archive lacks.

    Raises:
        UsageError: an unknown distribution, suite, architecture or package.
        NoSolutionError: packages exclude one another.
        SourceError: no archive can be reached, or a .deb's source package is nowhere.
        VerificationError: a signature or digest is not right.
    """
    base = parse_base(base_name, as_of=as_of)
    architectures = _architectures(request.targets)
    suites = open_archive(
        replace(
            _opening(request, root, base, None if live else as_of, architectures), floors=floors
        ),
        http,
        reporter=reporter,
        now=as_of if live else None,
    )
    packages: list[OsPackage] = []
    for architecture in architectures:
        reporter.step(f"resolving {base} packages for {architecture}")
        packages += _packages(request, suites, architecture, reporter)
    layer = OsLayer(
        base=str(base),
        archives=tuple(sorted(_archive(suite) for suite in suites)),
        packages=tuple(sorted(packages)),
    )
    if not request.sources:
        return layer
    reporter.step(f"finding source packages of {base}")
    return replace(layer, sources=find_sources(packages, suites, http))


def _architectures(targets: Sequence[Target]) -> tuple[str, ...]:
    """Debian's names for the Linux targets' machines, which are also those of our platforms."""
    found = {t.platform.partition("/")[2] for t in targets if t.platform.startswith("linux/")}
    if not found:
        raise UsageError(
            "OS packages are asked for, but no target is Linux",
            remedy='add a target such as "linux/amd64", or remove [tool.envlock.os]',
        )
    return tuple(sorted(found))


def _opening(
    request: Request,
    root: Path,
    base: Base,
    as_of: datetime | None,
    architectures: tuple[str, ...],
) -> Opening:
    keyring: Keyring = (
        default_keyring(base)
        if request.os_keyring is None
        else read_keyring(root / request.os_keyring)
    )
    return Opening(
        base=base,
        as_of=as_of,
        architectures=architectures,
        components=request.os_components,
        mirrors=choose_mirrors(
            base.distribution, given=request.os_mirrors, sources=apt_sources(), keyring=keyring
        ),
        keyring=None if request.os_keyring is None else keyring,
    )


def _packages(
    request: Request, suites: Iterable[VerifiedSuite], architecture: str, reporter: Reporter
) -> list[OsPackage]:
    parts = [part for s in suites for part in s.parts if part.architecture == architecture]
    with PackageIndex(parts, architecture=architecture) as index:
        pythons = _interpreters(request, index, architecture, reporter)
        wanted = [*request.os_packages, *pythons]
        solution = close(index, wanted, recommends=request.os_recommends)
        return list(_locked(solution, index, architecture))


def _interpreters(
    request: Request, index: PackageIndex, architecture: str, reporter: Reporter
) -> list[str]:
    """The suite's own Python, where it has the one that is asked for; else a note says so."""
    series = {t.series for t in request.targets if t.platform == f"linux/{architecture}"}
    found = []
    for python in sorted(f"python{s}" for s in series):
        if index.candidate(python) is None:
            reporter.note(
                f"{request.os_base} has no {python} for {architecture}:"
                " the lock does not say where that Python comes from"
            )
        else:
            found.append(python)
    return found


def _locked(solution: Solution, index: PackageIndex, architecture: str) -> Iterable[OsPackage]:
    for chosen in solution.packages:
        package = chosen.package
        yield OsPackage(
            architecture=architecture,
            name=package.name,
            version=package.version,
            sha256=package.sha256,
            size=package.size,
            file_name=package.filename,
            suite=index.suite_of(package),
            source=package.source,
            source_version=package.source_version,
            base=chosen.base,
            requested=chosen.requested,
            via=chosen.via,
        )


def _archive(suite: VerifiedSuite) -> OsArchive:
    return OsArchive(
        archive=suite.suite.archive,
        suite=suite.suite.name,
        components=suite.components,
        snapshot=suite.timestamp,
        release_sha256=suite.sha256,
        release_date=suite.date,
        key=suite.fingerprints[0],
    )
