"""A whole environment, content included, against the lock. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from packaging.utils import canonicalize_name

from envlock.check.compare import compare
from envlock.check.drift import Code, Drift, drift
from envlock.check.own_project import as_locked
from envlock.check.python.content import Content
from envlock.check.python.environment import Environment
from envlock.check.python.observe import Observed
from envlock.check.python.owned import Origin
from envlock.lock.installed import kinds, locked_kinds
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from envlock.lock.provider import standalone
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target

_WHOLE = (
    Code.EXTRA,
    Code.OTHER_VERSION,
    Code.OTHER_SOURCE,
    Code.BROKEN_METADATA,
    Code.DUPLICATE,
)
"""Of a package that is not the locked one, single files are no news."""


def compare_environment(
    lock: Lock, target: Target, environment: Environment, *, root: Path | None = None
) -> tuple[Drift, ...]:
    """Where an environment differs from the lock; the most important difference first.

    Arguments as of ``compare``, which looks at the metadata.
    """
    observed = environment.observed
    found = compare_observed(lock, target, observed, environment.content, root=root)
    if not any(d.code is Code.OTHER_INTERPRETER for d in found):
        found += _build(lock, target, environment)
    return tuple(sorted(found, key=lambda d: d.sort_key))


def compare_observed(
    lock: Lock, target: Target, observed: Observed, content: Content, *, root: Path | None = None
) -> list[Drift]:
    """Packages and files, wherever they were seen; arguments as of ``compare``."""
    observed = as_locked(lock, observed)
    found = list(compare(lock, target, observed, root=root))
    replaced = {d.subject for d in found if d.code in _WHOLE}
    version = observed.version
    packages = {p.name: p for p in wanted_packages(lock, target, version)}
    missing = {d.subject for d in found if d.code is Code.MISSING}
    found += [
        finding.drift
        for finding in content.findings
        if finding.package not in replaced and not _left_of(missing, finding.drift)
    ]
    found += other_files(packages, (o for o in content.origins if o.name not in replaced))
    return found


def _left_of(missing: set[str], found: Drift) -> bool:
    """Whether these are modules of a package whose metadata alone is gone: that is told already."""
    top = found.subject.removesuffix("/").removesuffix(".py")
    return found.code is Code.FILE_UNOWNED and canonicalize_name(top) in missing


def built_from_source(environment: Environment) -> tuple[str, ...]:
    """Packages whose note says that envlock built them from a locked sdist."""
    origins = environment.content.origins
    return tuple(one.name for one in origins if one.note is not None and one.note.built)


def of_unknown_origin(lock: Lock, target: Target, environment: Environment) -> tuple[str, ...]:
    """Packages that do not tell which of the locked files they were installed from.

    Versions, and files by RECORD, are compared for these, too.
    """
    observed = environment.observed
    wanted = {p.name for p in wanted_packages(lock, target, observed.version) if p.files}
    told = {d.name for d in observed.distributions if d.direct_url is not None}
    return tuple(
        origin.name
        for origin in environment.content.origins
        if origin.note is None and origin.name in wanted - told
    )


def other_files(packages: dict[str, PythonPackage], origins: Iterable[Origin]) -> list[Drift]:
    """Packages of the locked version that came from a file that is not locked."""
    found = []
    for origin in origins:
        package = packages.get(origin.name)
        if package is None or not (package.files or package.archive):
            continue
        told = _other_file(package, origin)
        if told is not None:
            names = ", ".join(f"{file.name} (sha256:{file.sha256})" for file in package.files)
            if package.archive is not None:
                names = f"sha256:{package.archive.sha256}"
            found.append(drift(Code.OTHER_FILE, origin.name, expected=names, found=told))
    return found


def _other_file(package: PythonPackage, origin: Origin) -> str | None:
    if origin.note is not None:
        locked = {file.sha256 for file in package.files}
        locked |= {package.archive.sha256} if package.archive else set()
        if origin.note.sha256 in locked:
            return None
        told = f"{origin.note.file} (sha256:{origin.note.sha256})"
        built = origin.note.built
        return told if built is None else f"{built.file}, built from {told}"
    if not package.wheels or package.sdist is not None or not origin.tags:
        return None  # what is built here may have any tag
    there = kinds(origin.tags)
    if not there or not there.isdisjoint(locked_kinds(package)):
        return None
    return f"a wheel for {', '.join(origin.tags)}"


def _build(lock: Lock, target: Target, environment: Environment) -> list[Drift]:
    locked = standalone(lock, target)
    if locked is None or environment.build in (None, locked.build):
        return []
    found = f"python-build-standalone {environment.observed.version}+{environment.build}"
    return [drift(Code.OTHER_BUILD, "python", expected=str(locked), found=found)]
