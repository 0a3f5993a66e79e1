"""The OS layer of a lock as parts: the release, its packages, and their sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import replace

from envlock.export.bom.parts import Kind, Part, PartFile
from envlock.export.bom.purl import address, deb_architecture, deb_purl, deb_source_purl
from envlock.lock.model import Lock
from envlock.lock.os import OsArchive, OsLayer, OsPackage, OsSource
from envlock.lock.target import Target
from envlock.resolve.os.distributions.distribution import parse_base


def os_parts(layer: OsLayer, platforms: Set[str]) -> Iterator[Part]:
    """The release, and the packages of the platforms' architectures with their sources."""
    packages = [p for p in layer.packages if f"linux/{p.architecture}" in platforms]
    if not packages:
        return
    places = archive_urls(layer)
    yield _system(layer)
    sources = {(source.name, source.version): source for source in layer.sources}
    tools = [p for p in layer.build_packages if f"linux/{p.architecture}" in platforms]
    needs = _needs([*packages, *tools])
    parts: dict[str, Part] = {}
    for package in tools:
        part = replace(_package(layer, package, places, needs), kind=Kind.OS_BUILD)
        parts.setdefault(part.ref, part)
    for package in packages:
        part = _package(layer, package, places, needs)
        if (package.source, package.source_version) in sources:
            part = replace(part, built_from=_source_ref(package.source, package.source_version))
        known = parts.get(part.ref)
        if known is not None and known.kind is Kind.OS:  # `all`, for another architecture
            part = replace(part, needs=tuple(sorted({*known.needs, *part.needs})))
        parts[part.ref] = part
    yield from parts.values()
    for key in sorted({(p.source, p.source_version) for p in packages} & sources.keys()):
        yield _source(layer, sources[key], places)


def requested_refs(layer: OsLayer) -> list[str]:
    """What the project asks for by name, the base system, and the release."""
    named = [_ref(p) for p in layer.packages if p.requested or p.base]
    return [_system(layer).ref, *named]


def tool_refs(layer: OsLayer) -> tuple[str, ...]:
    """What the project asks for to build with."""
    return tuple(sorted({_ref(p) for p in layer.build_packages if p.requested}))


def build_tools(lock: Lock, target: Target | None) -> dict[str, tuple[str, ...]]:
    """Python package → the OS packages that its build is known to need."""
    return _of_wheels(() if lock.os is None else lock.os.build_packages, target)


def wheel_needs(lock: Lock, target: Target | None) -> dict[str, tuple[str, ...]]:
    """Python package → the OS packages that were added for its libraries."""
    return _of_wheels(() if lock.os is None else lock.os.packages, target)


def _of_wheels(packages: Iterable[OsPackage], target: Target | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for package in packages:
        if target is None or target.platform == f"linux/{package.architecture}":
            for name in package.via_wheels:
                found.setdefault(name, set()).add(_ref(package))
    return {name: tuple(sorted(refs)) for name, refs in found.items()}


def archive_urls(layer: OsLayer) -> dict[str, str]:
    """Suite → the archive's address in the distribution's snapshot service, at the locked instant.

    A suite that was read from a live mirror has none: what it had then is nowhere promised.
    """
    service = parse_base(layer.base).distribution.snapshots
    return {
        archive.suite: service.url
        + service.path.format(archive=archive.archive, timestamp=archive.snapshot)
        for archive in layer.archives
        if archive.snapshot is not None
    }


def release_name(archive: OsArchive) -> str:
    """``debian bookworm``."""
    return f"{archive.archive} {archive.suite}"


def _ref(package: OsPackage) -> str:
    return f"os:{package.name}={package.version}:{deb_architecture(package)}"


def _source_ref(name: str, version: str) -> str:
    return f"os-source:{name}={version}"


def _system(layer: OsLayer) -> Part:
    base = parse_base(layer.base)
    releases = [(f"release-sha256 {release_name(a)}", a.release_sha256) for a in layer.archives]
    return Part(
        ref=f"system:{base}",
        kind=Kind.SYSTEM,
        name=base.distribution.name,
        version=base.codename.version or base.codename.name,
        facts=tuple(sorted([("codename", base.codename.name), *releases])),
    )


def _package(
    layer: OsLayer,
    package: OsPackage,
    places: dict[str, str],
    needs: dict[tuple[str, str], set[str]],
) -> Part:
    place = places.get(package.suite)
    file = PartFile(
        name=package.file_name.rpartition("/")[2],
        sha256=package.sha256,
        size=package.size,
        url=None if place is None else address(f"{place}/{package.file_name}"),
    )
    return Part(
        ref=_ref(package),
        kind=Kind.OS,
        name=package.name,
        version=package.version,
        purl=deb_purl(package, layer.base),
        files=(file,),
        needs=tuple(sorted(needs.get((package.architecture, package.name), ()))),
        facts=(
            ("archive-file", package.file_name),
            ("source", f"{package.source} {package.source_version}"),
            ("suite", package.suite),
        ),
    )


def _needs(packages: list[OsPackage]) -> dict[tuple[str, str], set[str]]:
    """Architecture and name → refs of what that package needs: ``via`` the other way round."""
    found: dict[tuple[str, str], set[str]] = {}
    for package in packages:
        for name in package.via:
            found.setdefault((package.architecture, name), set()).add(_ref(package))
    return found


def _source(layer: OsLayer, source: OsSource, places: dict[str, str]) -> Part:
    place = places.get(source.suite)
    return Part(
        ref=_source_ref(source.name, source.version),
        kind=Kind.OS_SOURCE,
        name=source.name,
        version=source.version,
        purl=deb_source_purl(source, layer.base),
        files=tuple(
            PartFile(
                name=file.name,
                sha256=file.sha256,
                size=file.size,
                url=None if place is None else address(f"{place}/{source.directory}/{file.name}"),
                source=True,
            )
            for file in sorted(source.files)
        ),
        facts=(("suite", source.suite),),
    )
