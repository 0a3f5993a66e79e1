"""Lock and target → package definitions, as values."""

from __future__ import annotations

from dataclasses import replace

from envlock.errors import UsageError
from envlock.export.guix.builds import RefusedError, Way, Workshop, package_source
from envlock.export.guix.definition import Definition, Plan
from envlock.export.guix.order import acyclic
from envlock.export.guix.scheme import identifier
from envlock.export.names import guix_package, look_up_all
from envlock.export.store import store_name
from envlock.lock.graph.python import all_needs
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target
from envlock.lock.toolchain import overrides


def plan(lock: Lock, target: Target) -> Plan:
    """All that the target needs, in the order of the names.

    Raises:
        UsageError: packages that Guix cannot build from what is locked, all of them named with
            the ways out; or an OS package or program whose name in Guix is not known.
    """
    packages = sorted(wanted_packages(lock, target), key=lambda package: package.sort_key)
    workshop = Workshop(lock=lock, target=target)
    names = _identifiers(packages)
    found: dict[str, Definition] = {}
    refused: list[tuple[PythonPackage, RefusedError]] = []
    for package in packages:
        try:
            found[package.name] = _definition(package, names[package.name], workshop)
        except RefusedError as error:
            refused.append((package, error))
    if refused:
        raise _refusal(refused)
    wanted = _connected(lock, packages, names, found)
    return Plan(
        python=target.python,
        packages=wanted,
        tools=tuple(workshop.tools[name] for name in sorted(workshop.tools)),
        os=_os_packages(lock, target),
    )


def _definition(package: PythonPackage, name: str, workshop: Workshop) -> Definition:
    return Definition(
        identifier=name,
        name=store_name(name),
        version=store_name(package.version or "0"),
        label=f"{package.name} {package.version or ''}".rstrip(),
        source=package_source(package),
        inputs=workshop.inputs(package),
        directory=package.archive.subdirectory if package.archive else None,
    )


def _guix_style(name: str) -> str:
    """Guix calls Python packages ``python-NAME``, but none ``python-python-NAME``."""
    return name if name.startswith("python-") else f"python-{name}"


def _identifiers(packages: list[PythonPackage]) -> dict[str, str]:
    """Package name → identifier; different ones for ``dateutil`` and ``python-dateutil``."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for package in packages:
        name = identifier(_guix_style(package.name))
        while name in taken:
            name = f"python-{name}"
        taken.add(name)
        found[package.name] = name
    return found


def _connected(
    lock: Lock,
    packages: list[PythonPackage],
    names: dict[str, str],
    found: dict[str, Definition],
) -> tuple[Definition, ...]:
    needs = all_needs(lock)
    wanted = {package.sort_key for package in packages}
    graph = {
        names[package.name]: tuple(
            names[needed.name] for needed in needs[package.sort_key] if needed.sort_key in wanted
        )
        for package in packages
    }
    kept, cut = acyclic(graph)
    return tuple(
        replace(
            found[package.name],
            propagated=kept[names[package.name]],
            cut=cut.get(names[package.name], ()),
        )
        for package in packages
    )


def _os_packages(lock: Lock, target: Target) -> tuple[str, ...]:
    """What the project asks of the distribution, as Guix calls it."""
    if lock.os is None or lock.guix is None:
        return ()
    machine = target.platform.partition("/")[2]
    names = overrides(lock.guix.names)
    asked = sorted({p.name for p in lock.os.packages if p.requested and p.architecture == machine})
    return tuple(sorted(set(look_up_all(asked, lambda name: guix_package(name, names)))))


def _refusal(refused: list[tuple[PythonPackage, RefusedError]]) -> UsageError:
    lines = [
        f"{package.name} {package.version or ''}".rstrip() + f" {error.why}"
        for package, error in refused
    ]
    ways = {error.way for _package, error in refused}
    return UsageError(
        "Guix cannot build all of the lock from source:\n" + "\n".join(f"  {s}" for s in lines),
        remedy="\n".join(way.value for way in Way if way in ways),
    )
