"""A flake's data, ``env.json``: what each output is made of, in the order in which it is built.

It is JSON, since Nix's reader of TOML refuses the dates in a pylock.toml.
"""

from __future__ import annotations

from typing import Any

from packaging.version import Version

from envlock.errors import UsageError
from envlock.export.nix.os_packages import OsNames, host_libraries, packages_of
from envlock.export.nix.sources import Sources, not_buildable
from envlock.lock.builds import declared, wheels_stay
from envlock.lock.graph.python import wished
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target
from envlock.lock.toolchain import Nixpkgs

FORMAT = 1
SYSTEMS = {
    "linux/amd64": "x86_64-linux",
    "linux/arm64": "aarch64-linux",
    "macos/amd64": "x86_64-darwin",
    "macos/arm64": "aarch64-darwin",
}
"""A target's platform → what Nix calls it."""


def data(lock: Lock, nixpkgs: Nixpkgs, target: Target | None) -> dict[str, Any]:
    """The content of ``env.json``, as JSON values.

    Raises:
        UsageError: no target is one of Nix; a package cannot be in a flake.
    """
    targets = tuple(t for t in sorted(lock.targets) if target in (None, t))
    possible = [t for t in targets if t.platform in SYSTEMS]
    if not possible:
        raise UsageError(
            f"Nix has no {', '.join(t.platform for t in targets)}",
            remedy=f"it has {', '.join(SYSTEMS)}: see targets in [tool.envlock]",
        )
    newest: dict[str, Target] = {}
    for one in sorted(possible, key=lambda t: Version(t.python)):
        newest[one.platform] = one
    return {
        "environment": environment_hash(lock).root,
        "format": FORMAT,
        "nixpkgs": {"branch": nixpkgs.branch, "rev": nixpkgs.rev},
        "systems": sorted({SYSTEMS[t.platform] for t in possible}),
        "targets": [_target(lock, nixpkgs, t, main=newest[t.platform] == t) for t in possible],
    }


def output_name(lock: Lock, target: Target, output: str) -> str:
    """What the flake calls ``environment``, ``from-source`` or ``image`` of ``target``.

    Those of a platform's newest Python are ``default``, ``from-source`` and ``image``; those of
    another one ``python311``, ``python311-from-source`` and ``python311-image``.
    """
    same = [t for t in lock.targets if t.platform == target.platform]
    if target == max(same, key=lambda t: Version(t.python)):
        return "default" if output == "environment" else output
    prefix = _prefix(target)
    return prefix if output == "environment" else f"{prefix}-{output}"


def fetched(target: dict[str, Any], output: str) -> dict[str, str]:
    """What building an output fetches beside nixpkgs: SHA-256 → the name in Nix's store.

    Args:
        target: one of ``targets`` of ``env.json``.
        output: ``environment`` or ``from-source``.
    """
    found: dict[str, str] = {}

    def fetch(file: dict[str, Any]) -> None:
        found[file["sha256"]] = file["name"]

    def prefer_wheel(entry: dict[str, Any]) -> None:
        if entry["wheel"] is None:
            build(entry["build"])
        else:
            fetch(entry["wheel"])

    def build(key: str) -> None:
        recipe = target["builds"][key]
        if recipe["sdist"]["sha256"] not in found:
            fetch(recipe["sdist"])
            for entry in target["graphs"][recipe["graph"]]:
                prefer_wheel(entry)

    for entry in target["wheels"]:
        if output == "from-source" and entry["build"] is not None:
            build(entry["build"])
        else:
            prefer_wheel(entry)
    return found


def _prefix(target: Target) -> str:
    # An exact version keeps its dots apart: python3_11_7 is not Python 3.117.
    exact = target.python.count(".") == 2
    return "python" + target.python.replace(".", "_" if exact else "")


def _target(lock: Lock, nixpkgs: Nixpkgs, target: Target, *, main: bool) -> dict[str, Any]:
    names = OsNames(nixpkgs)
    short = environment_hash(lock).short
    linux = target.platform.startswith("linux/")
    packages = tuple(sorted(wanted_packages(lock, target), key=lambda p: p.sort_key))
    sources = Sources(lock, target, names)
    wheels = [sources.entry(package) for package in packages]
    bare = [f"{e['name']} {e['version']}" for e in wheels if not e["wheel"] and not e["build"]]
    if bare:
        raise not_buildable(bare, target)
    return {
        "builds": sources.builds,
        "driver": "/run/opengl-driver/lib",
        "from-source": [
            _origin(package, entry, _declined(lock, package, sources))
            for package, entry in zip(packages, wheels, strict=True)
        ],
        "graphs": sources.graphs,
        "host-libraries": host_libraries(lock),
        # Where the tools that lend a machine's GPU to containers put its driver.
        "image-driver": ["/usr/lib64", f"/usr/lib/{_machine(target)}-linux-gnu"],
        "imports": sorted(wished(lock).keys() & {package.name for package in packages}),
        "linux": linux,
        "name": f"envlock-{short}-python{target.python}",
        "packages": names.packages(packages_of(lock, target)),
        "prefix": None if main else _prefix(target),
        "python": _python(target),
        "system": SYSTEMS[target.platform],
        "tag": short,
        "target": target.key,
        "wheels": wheels,
    }


def _machine(target: Target) -> str:
    return SYSTEMS[target.platform].partition("-")[0]


def _python(target: Target) -> dict[str, Any]:
    exact = target.python.count(".") == 2
    return {
        "attributes": [["python" + target.series.replace(".", "")]],
        "for": f"the Python of {target.key}",
        "remedy": "lock for a Python that it has, or name another branch or date:"
        " python, as-of in [tool.envlock], branch in [tool.envlock.nix]",
        "version": target.python if exact else None,
    }


def _declined(lock: Lock, package: PythonPackage, sources: Sources) -> str | None:
    if wheels_stay(package.name, lock.request):
        reason = declared(package.name, lock.request).partition(": ")[2]
        return f"the project declines to build it (build-exceptions{reason and ': '}{reason})"
    return sources.declined.get(package.name)


def _origin(package: PythonPackage, entry: dict[str, Any], declined: str | None) -> dict[str, Any]:
    """What the variant built from source says of one package."""
    reason = None
    if entry["build"] is None:
        has = package.sdist is not None
        unsaid = "the lock does not say what building it needs" if has else "there is no sdist"
        reason = declined or unsaid
    return {
        "name": package.name,
        "origin": "wheel" if reason else "source",
        "reason": reason,
        "version": package.version,
    }
