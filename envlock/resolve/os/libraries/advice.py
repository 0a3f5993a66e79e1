"""Libraries that wheels need, each with the package that has it, and what to say of the missing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from envlock.lock.os import OsLayer, OsLibrary, OsPackage
from envlock.resolve.os.libraries.choice import Holders, choose
from envlock.resolve.os.libraries.needs import Finder, Needs

if TYPE_CHECKING:  # what a layer that is kept does without: signatures, SQLite
    from envlock.resolve.os.archive.index import PackageIndex
    from envlock.resolve.os.libraries.contents import Contents

_NAMED = 3


def provided(
    needs: Needs,
    architecture: str,
    *,
    index: PackageIndex,
    locked: Collection[str],
    contents: Callable[[], Contents],
) -> tuple[OsLibrary, ...]:
    """Each needed library with its package.

    Args:
        index: the packages there are.
        locked: names of those that the request leads to, without any that are added for wheels:
            so the answer for one library does not hang on another one.
        contents: called only when something is needed.

    Raises:
        SourceError, VerificationError: the contents cannot be had, or are not what was signed.
    """
    if not needs.libraries:
        return ()
    files = contents()

    def there(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if index.candidate(name) is not None)

    def package(soname: str) -> str | None:
        holders = files.holders(soname)
        holders = Holders(found=there(holders.found), below=there(holders.below))
        declared = (p.name for p in index.providers(soname) if index.candidate(p.name) is p)
        return choose(soname, holders, declared, locked)

    return tuple(
        OsLibrary(
            architecture=architecture,
            soname=need.soname,
            package=package(need.soname),
            wheels=need.wheels,
            partly_read=need.partly_read,
        )
        for need in needs.libraries
    )


def additions(
    libraries: Iterable[OsLibrary], locked: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Packages to add so that no library is missing → the wheels that they are added for."""
    found: dict[str, set[str]] = {}
    for entry in libraries:
        if entry.package is not None and entry.package not in locked:
            found.setdefault(entry.package, set()).update(entry.wheels)
    return {name: tuple(sorted(wheels)) for name, wheels in sorted(found.items())}


def renewed(layer: OsLayer, needs: Finder) -> OsLayer | None:
    """An existing layer for what wheels need now; None where it does not answer that.

    The layer's archives and request are those that are asked for. Which package has a library hangs
    on nothing else, so what the layer says of one stays; a library that it does not know, or
    another set of packages added for wheels, needs the archives again.

    Args:
        needs: finds what is needed.

    Raises:
        SourceError, VerificationError: as ``needs``.
    """
    known = {(entry.architecture, entry.soname): entry for entry in layer.libraries}
    libraries: list[OsLibrary] = []
    unread: set[str] = set()
    for architecture in sorted({package.architecture for package in layer.packages}):
        found = needs(architecture, layer.packages)
        unread.update(found.unread)
        for need in found.libraries:
            entry = known.get((architecture, need.soname))
            if entry is None:
                return None
            libraries.append(replace(entry, wheels=need.wheels, partly_read=need.partly_read))
    packages = _renewed_packages(layer.packages, libraries)
    if packages is None:
        return None
    return replace(
        layer, packages=packages, libraries=tuple(libraries), unread=tuple(sorted(unread))
    )


def _renewed_packages(
    packages: Iterable[OsPackage], libraries: Iterable[OsLibrary]
) -> tuple[OsPackage, ...] | None:
    """The packages with the wheels they are there for now; None when one has no such any more."""
    wheels: dict[tuple[str, str | None], set[str]] = {}
    for entry in libraries:
        wheels.setdefault((entry.architecture, entry.package), set()).update(entry.wheels)
    found = []
    for package in packages:
        if package.via_wheels:
            needed_by = wheels.get((package.architecture, package.name))
            if needed_by is None:
                return None
            package = replace(package, via_wheels=tuple(sorted(needed_by)))
        found.append(package)
    return tuple(found)


def notes(layer: OsLayer) -> Iterator[str]:
    """What a user should know: packages to add, libraries that nobody has, files not looked into.

    One line for each package, whatever the number of its libraries and architectures.
    """
    by_package: dict[str | None, list[OsLibrary]] = {}
    for entry in layer.missing:
        by_package.setdefault(entry.package, []).append(entry)
    for name in sorted(name for name in by_package if name is not None):
        entries = by_package[name]
        sonames = _listed({entry.soname for entry in entries})
        users = {wheel for entry in entries for wheel in entry.wheels}
        verb = "needs" if len(users) == 1 else "need"
        yield f'{_listed(users)} {verb} {sonames}: add "{name}" to packages in [tool.envlock.os]'
    if any(name is not None for name in by_package):
        yield "auto = true in [tool.envlock.os] adds what is missing by itself"
    if None in by_package:
        told = {f"{e.soname} (for {_listed(e.wheels)})" for e in by_package[None]}
        yield f"no package of {layer.base} has {_listed(told)}"
    if layer.unread:
        wheels = {file.partition(":")[0] for file in layer.unread}
        files = "1 file" if len(layer.unread) == 1 else f"{len(layer.unread)} files"
        yield f"not looked into, being too large: {files} of {_listed(wheels)}"


def _listed(names: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    shown = sorted(names)
    if len(shown) > _NAMED + 1:
        shown = [*shown[:_NAMED], f"{len(names) - _NAMED} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
