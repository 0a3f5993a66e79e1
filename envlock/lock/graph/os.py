"""Who needs whom among the OS packages of a lock, for ``why`` and ``tree``."""

from __future__ import annotations

from collections import deque

from envlock.lock.os import OsLayer, OsPackage


def os_chain(layer: OsLayer, package: OsPackage) -> tuple[OsPackage, ...]:
    """The shortest way from a package that the project names, or that is of the base or there for
    wheels or their builds, down to this one.

    It ends with ``package``, and is that alone when it was named itself or is of the base.
    """
    build = package in layer.build_packages
    by_name = _by_name(layer, package.architecture, build=build)
    queue: deque[tuple[OsPackage, ...]] = deque([(package,)])
    seen = {package.name}
    while queue:
        path = queue.popleft()
        if path[0].requested or path[0].base or path[0].via_wheels:
            return path
        for name in path[0].via:
            if name in by_name and name not in seen:
                seen.add(name)
                queue.append((by_name[name], *path))
    return (package,)


def os_needs(
    layer: OsLayer, architecture: str, *, build: bool = False
) -> dict[str, tuple[OsPackage, ...]]:
    """Package name → the packages that are there because of it, beyond the base; sorted.

    ``build``: of those alone that are only needed to build.
    """
    by_name = _by_name(layer, architecture, build=build)
    found: dict[str, list[OsPackage]] = {name: [] for name in by_name}
    for package in by_name.values():
        if package.base:
            continue
        for name in package.via:
            if name in found:
                found[name].append(package)
    return {name: tuple(sorted(packages)) for name, packages in found.items()}


def _by_name(layer: OsLayer, architecture: str, *, build: bool) -> dict[str, OsPackage]:
    packages = layer.build_packages if build else layer.packages
    return {p.name: p for p in packages if p.architecture == architecture}
