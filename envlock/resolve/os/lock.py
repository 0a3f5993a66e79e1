"""The OS part of a request → the lock's OS layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from envlock.errors import NoSolutionError, UsageError
from envlock.io.apt_config import apt_sources
from envlock.io.http.client import Http
from envlock.io.progress import Reporter
from envlock.lock.builds import Build
from envlock.lock.os import OsArchive, OsLayer, OsLibrary, OsPackage
from envlock.lock.request import Request
from envlock.lock.target import Target
from envlock.resolve.os.archive.archive import Opening, VerifiedSuite, default_keyring, open_archive
from envlock.resolve.os.archive.index import PackageIndex
from envlock.resolve.os.archive.mirrors import choose_mirrors
from envlock.resolve.os.archive.trust import read_keyring
from envlock.resolve.os.builds.programs import wanted_for_builds
from envlock.resolve.os.closure.close import Solution, close
from envlock.resolve.os.closure.failure import NoSuchPackageError
from envlock.resolve.os.distributions.distribution import Base, parse_base
from envlock.resolve.os.python import own_pythons

if TYPE_CHECKING:
    from envlock.resolve.os.libraries.contents import Contents
    from envlock.resolve.os.libraries.needs import Finder


def make_os_layer(
    request: Request,
    base_name: str,
    root: Path,
    as_of: datetime,
    *,
    live: bool,
    floors: Mapping[str, datetime],
    needs: Finder | None,
    seen: Mapping[str, str],
    builds: tuple[Build, ...] = (),
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
        needs: finds the libraries that wheels need of the system; None: nobody asks.
        seen: suite → digest of the Release that a lock made "now" saw at ``as_of``.
        builds: how sdists are built, for the programs that this needs.
        http: for all transfers.
        reporter: told the phases, and what an archive lacks.

    Raises:
        UsageError: an unknown distribution, suite, architecture or package.
        NoSolutionError: packages exclude one another.
        SourceError: no archive or wheel can be reached, or a .deb's source package is nowhere.
        VerificationError: a signature or digest is not right.
    """
    base = parse_base(base_name, as_of=as_of)
    architectures = _architectures(request.targets)
    opening = _opening(request, root, base, None if live else as_of, architectures)
    suites = open_archive(
        replace(opening, floors=floors, seen=seen),
        http,
        reporter=reporter,
        now=as_of if live else None,
    )
    layer = OsLayer(
        base=str(base),
        archives=tuple(sorted(_archive(suite) for suite in suites)),
        packages=(),
    )
    for architecture in architectures:
        reporter.step(f"resolving {base} packages for {architecture}")
        try:
            wanted = wanted_for_builds(request, builds, architecture)
            part = _resolved(request, suites, architecture, needs, wanted, http, reporter)
        except NoSuchPackageError as error:
            from envlock.resolve.os.closure.absent import explained

            raise explained(error, suites, architecture, None if live else as_of) from None
        layer = replace(
            layer,
            packages=tuple(sorted((*layer.packages, *part.packages))),
            build_packages=tuple(sorted((*layer.build_packages, *part.build_packages))),
            libraries=(*layer.libraries, *part.libraries),
            unread=tuple(sorted({*layer.unread, *part.unread})),
        )
    if not request.sources:
        return layer
    from envlock.resolve.os.builds.sources import find_sources

    reporter.step(f"finding source packages of {base}")
    return replace(layer, sources=find_sources(layer.packages, suites, http))


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
    given = None if request.os_keyring is None else read_keyring(root / request.os_keyring)
    return Opening(
        base=base,
        as_of=as_of,
        architectures=architectures,
        components=request.os_components,
        mirrors=choose_mirrors(
            base.distribution,
            given=request.os_mirrors,
            sources=apt_sources(),
            keyring=lambda: given or default_keyring(base),
        ),
        keyring=given,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One architecture's part of a layer."""

    packages: tuple[OsPackage, ...]
    build_packages: tuple[OsPackage, ...]
    libraries: tuple[OsLibrary, ...] = ()
    unread: tuple[str, ...] = ()


def _resolved(
    request: Request,
    suites: Sequence[VerifiedSuite],
    architecture: str,
    needs: Finder | None,
    for_builds: Mapping[str, tuple[str, ...]],
    http: Http,
    reporter: Reporter,
) -> _Part:
    parts = [part for s in suites for part in s.parts if part.architecture == architecture]
    with PackageIndex(parts, architecture=architecture) as index:
        wanted = [*request.os_packages, *own_pythons(request, index, architecture)]
        solution = close(index, wanted, recommends=request.os_recommends)
        packages = tuple(locked_packages(solution, index, architecture, {}))
        if needs is None:
            extra = _extra(index, packages, for_builds, architecture)
            return _Part(packages=packages, build_packages=extra)
        # Imported here: most of the time nobody asks, or all is known.
        from envlock.resolve.os.libraries.advice import additions, provided
        from envlock.resolve.os.libraries.contents import read_contents

        found = needs(architecture, packages)
        locked = {package.name for package in packages}

        def contents() -> Contents:
            reporter.step(f"finding libraries in {request.os_base} for {architecture}")
            return read_contents(suites, architecture, http)

        libraries = provided(found, architecture, index=index, locked=locked, contents=contents)
        added = additions(libraries, locked) if request.os_auto else {}
        if added:
            solution = _extended(index, wanted, added, recommends=request.os_recommends)
            packages = tuple(locked_packages(solution, index, architecture, added))
        return _Part(
            packages=packages,
            build_packages=_extra(index, packages, for_builds, architecture),
            libraries=libraries,
            unread=found.unread,
        )


def _extra(
    index: PackageIndex,
    packages: Iterable[OsPackage],
    wanted: Mapping[str, tuple[str, ...]],
    architecture: str,
) -> tuple[OsPackage, ...]:
    """What is needed to build beside ``packages``, which stay as they are.

    Raises:
        UsageError: an unknown package.
        NoSolutionError: they cannot be there together.
    """
    if not wanted:
        return ()
    there = [f"{package.name}={package.version}" for package in packages]
    users = {name.partition("=")[0]: by for name, by in wanted.items()}
    solution = close(index, wanted, base=there)
    return tuple(
        replace(package, via_wheels=users.get(package.name, ()))
        for package in locked_packages(solution, index, architecture, {})
        if not package.base
    )


def _extended(
    index: PackageIndex,
    wanted: Iterable[str],
    added: Mapping[str, tuple[str, ...]],
    *,
    recommends: bool,
) -> Solution:
    try:
        return close(index, [*wanted, *added], recommends=recommends)
    except NoSolutionError as error:
        listed = ", ".join(f"{name} (for {', '.join(by)})" for name, by in added.items())
        raise NoSolutionError(
            f"{error.what}\n  added for libraries that wheels need: {listed}",
            where=error.where,
            remedy="name the library in ignore-libraries, or another package that has it in"
            " packages, of [tool.envlock.os]",
        ) from None


def locked_packages(
    solution: Solution,
    index: PackageIndex,
    architecture: str,
    added: Mapping[str, tuple[str, ...]],
) -> Iterable[OsPackage]:
    """A solution's packages as a lock has them; ``added`` says for which wheels some are there."""
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
            requested=chosen.requested and package.name not in added,
            via=chosen.via,
            via_wheels=added.get(package.name, ()),
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
