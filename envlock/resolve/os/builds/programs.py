"""What of the distribution is needed to build wheels, and not to run them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from envlock.lock.builds import Build
from envlock.lock.os import OsLayer, OsPackage
from envlock.lock.request import Request

COMPILERS = frozenset({"gcc", "g++", "gfortran"})
_HEADERS = ("libc6-dev",)
"""The C library's headers: compilers only recommend them, and compile next to nothing without."""


def wanted_for_builds(
    request: Request, builds: Iterable[Build], architecture: str
) -> dict[str, tuple[str, ...]]:
    """Packages (``name`` or ``name=version``) → the Python packages whose builds are known to need
    them, sorted; none for what the project names itself.
    """
    found: dict[str, set[str]] = {name: set() for name in request.os_build_packages}
    for build in builds:
        names = set(build.programs)
        if not COMPILERS.isdisjoint(names):
            names |= {*_HEADERS, *_python_headers(request, architecture)}
        for name in names:
            found.setdefault(name, set()).add(build.package)
    return {name: tuple(sorted(by)) for name, by in sorted(found.items())}


def _python_headers(request: Request, architecture: str) -> Iterable[str]:
    """Of the distribution's own Python, where that is taken; others bring theirs."""
    if request.interpreter not in (None, "os"):
        return ()
    targets = (t for t in request.targets if t.platform == f"linux/{architecture}")
    return {f"python{target.series}-dev" for target in targets}


def renewed_for_builds(layer: OsLayer, request: Request, builds: Iterable[Build]) -> OsLayer | None:
    """An existing layer for the builds that there are now; None where it does not answer them.

    What the project names is a part of its request, which the layer is known to answer.
    """
    builds = tuple(builds)
    kept: list[OsPackage] = []
    for architecture in sorted({package.architecture for package in layer.packages}):
        wanted = wanted_for_builds(request, builds, architecture)
        own = [p for p in layer.build_packages if p.architecture == architecture]
        names = {p.name for p in (*own, *layer.packages) if p.architecture == architecture}
        if not {name for name, users in wanted.items() if users} <= names:
            return None
        asked = {name.partition("=")[0]: users for name, users in wanted.items()}
        if any(package.requested and package.name not in asked for package in own):
            return None
        kept += [replace(p, via_wheels=asked.get(p.name, ())) for p in own]
    return replace(layer, build_packages=tuple(sorted(kept)))
