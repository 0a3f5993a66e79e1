"""``envlock why``: who asked for a package."""

from __future__ import annotations

import difflib
from pathlib import Path

import click
from packaging.utils import canonicalize_name

from envlock.cli.common import (
    image_json,
    json_option,
    library_json,
    locate_project,
    name_option,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import result, result_json, say
from envlock.errors import UsageError
from envlock.lock.bootstrap import why_taken
from envlock.lock.graph.builds import BuildUse, build_uses
from envlock.lock.graph.os import os_chain
from envlock.lock.graph.python import Chain, chains_to
from envlock.lock.image import BaseImage
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer, OsLibrary, OsPackage
from envlock.lock.package import PythonPackage

_EPILOG = """\b
Examples:
  envlock why numpy
  envlock why numpy --json
  envlock why libgl1         # a package of the distribution, or libGL.so.1
  envlock why hatchling      # what is built with it, and whether it is a published wheel
  envlock why image          # the base image

Each line is one of the project's requirements and the shortest way from it to the package."""


@click.command(epilog=_EPILOG)
@click.argument("package", metavar="PKG")
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context, package: str, name: str | None, script: Path | None, as_json: bool
) -> None:
    """Show which requirements lead to a package, and through whom."""
    lock = read_lock(locate_project(context, name=name, script=script))
    own = bool(lock.package(canonicalize_name(package)))
    if lock.image is not None and not own and _names_image(lock.image, package):
        _image_why(lock.image, as_json)
        return
    if lock.os is not None and (_os_entries(lock.os, package) or _libraries(lock.os, package)):
        if not own:
            _os_why(lock.os, package, as_json)
            return
        say(context, f"(also a package of {lock.os.base}, not shown here)")
    builds = build_uses(lock, canonicalize_name(package))
    if builds and not own:
        _builds_why(lock, canonicalize_name(package), builds, as_json)
        return
    entries = _entries(lock, package)
    chains = chains_to(lock, entries[0].name)
    if as_json:
        result_json(
            {
                "package": entries[0].name,
                "versions": [entry.version for entry in entries],
                "chains": [_chain_json(chain) for chain in chains],
                "builds": [_use_json(use, lock) for use in builds],
            }
        )
        return
    for entry in entries:
        result(_shown(entry) + (f"  ; {entry.marker}" if entry.marker else ""))
    for chain in chains:
        result("  " + " → ".join([chain.wish.text, *(_shown(link) for link in chain.links)]))
    if not chains:
        result("  (no requirement of the project leads to it)")
    for use in builds:
        _tell_use(use, lock)


def _builds_why(lock: Lock, name: str, builds: tuple[BuildUse, ...], as_json: bool) -> None:
    """Of a package that others are only built with."""
    if as_json:
        versions = [use.version for use in builds]
        told = [_use_json(use, lock) for use in builds]
        result_json({"package": name, "versions": versions, "chains": [], "builds": told})
        return
    for use in builds:
        result(f"{name} {use.version}")
        _tell_use(use, lock)


def _tell_use(use: BuildUse, lock: Lock) -> None:
    if use.needed_by:
        result(f"  {use.version} to build {', '.join(use.needed_by)}")
    if use.seed is not None:
        circle = f": {', '.join(use.seed.cycle)}" if use.seed.cycle else ""
        result(f"  {use.version} taken as a wheel: {why_taken(use.seed, lock.request)}{circle}")


def _use_json(use: BuildUse, lock: Lock) -> dict[str, object]:
    return {
        "version": use.version,
        "needed-by": list(use.needed_by),
        "reason": None if use.seed is None else use.seed.reason,
        "cycle": [] if use.seed is None else list(use.seed.cycle),
        "why": None if use.seed is None else why_taken(use.seed, lock.request),
    }


def _names_image(image: BaseImage, text: str) -> bool:
    """Whether it is the base image: its reference, or the end of it, as people write it."""
    whole = (image.reference, image.repository, image.pinned, image.digest)
    return text == "image" or any(one == text or one.endswith(f"/{text}") for one in whole)


def _image_why(image: BaseImage, as_json: bool) -> None:
    if as_json:
        result_json({"image": image_json(image), "requested": "image.base"})
        return
    result(f"{image.reference} {image.digest}")
    result("  image.base: what `envlock export docker` builds on")
    for entry in image.platforms:
        result(f"  {entry.platform}: {entry.digest}")


def _os_entries(layer: OsLayer, name: str) -> tuple[OsPackage, ...]:
    return layer.package(name) or layer.build_package(name)


def _libraries(layer: OsLayer, name: str) -> tuple[OsLibrary, ...]:
    """Those that the package has, or the one of that soname, for each architecture."""
    return tuple(entry for entry in layer.libraries if name in (entry.package, entry.soname))


def _os_why(layer: OsLayer, name: str, as_json: bool) -> None:
    chains = [os_chain(layer, entry) for entry in _os_entries(layer, name)]
    libraries = _libraries(layer, name)
    if as_json:
        result_json(
            {
                "package": name,
                "base": layer.base,
                "versions": [chain[-1].version for chain in chains],
                "chains": [
                    {
                        "architecture": chain[0].architecture,
                        "requested": chain[0].requested,
                        "build": chain[0] in layer.build_packages,
                        "wheels": list(chain[0].via_wheels),
                        "packages": [{"name": p.name, "version": p.version} for p in chain],
                    }
                    for chain in chains
                ],
                "libraries": [library_json(entry) for entry in libraries],
            }
        )
        return
    missing = set(layer.missing)
    for way in chains:
        last = way[-1]
        result(f"{last.name} {last.version} ({layer.base}, {last.architecture})")
        result("  " + " → ".join([_origin(layer, way[0]), *(f"{p.name} {p.version}" for p in way)]))
    for entry in libraries:
        place = entry.package or f"no package of {layer.base}"
        state = "" if entry not in missing else ", which is not locked" if entry.package else ""
        result(f"{entry.soname} ({entry.architecture}): {place}{state}")
        result(f"  needed by {', '.join(entry.wheels)}")


def _origin(layer: OsLayer, package: OsPackage) -> str:
    if package in layer.build_packages:
        return (
            f"to build {', '.join(package.via_wheels)}"
            if package.via_wheels
            else "os.build-packages"
        )
    if package.requested:
        return "os.packages"
    if package.via_wheels:
        return f"libraries for {', '.join(package.via_wheels)}"
    return f"base of {layer.base}"


def _entries(lock: Lock, package: str) -> tuple[PythonPackage, ...]:
    wanted = canonicalize_name(package)
    entries = tuple(sorted(lock.package(wanted), key=lambda p: p.sort_key))
    if entries:
        return entries
    names = {p.name for p in (*lock.packages, *lock.build_packages)} | {
        p.name for p in ((*lock.os.packages, *lock.os.build_packages) if lock.os else ())
    }
    near = difflib.get_close_matches(wanted, names, n=3)
    raise UsageError(
        f"{package} is not in the lock",
        remedy=f"nearest: {', '.join(near)}" if near else "see all with `envlock tree`",
    )


def _chain_json(chain: Chain) -> dict[str, object]:
    return {
        "requirement": chain.wish.text,
        "packages": [{"name": p.name, "version": p.version} for p in chain.links],
    }


def _shown(package: PythonPackage) -> str:
    return f"{package.name} {package.version or '(source tree)'}"
