"""The Python packages of a lock, and what building them needs, as parts."""

from __future__ import annotations

from collections.abc import Iterator

from envlock.export.bom.os_parts import build_tools, wheel_needs
from envlock.export.bom.parts import Kind, Part, PartFile
from envlock.export.bom.purl import address, public, python_purl
from envlock.lock.artifacts import package_files
from envlock.lock.builds import declared, wheels_stay
from envlock.lock.graph.python import all_needs
from envlock.lock.model import Lock
from envlock.lock.package import Archive, Artifact, PythonPackage
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target


def python_ref(package: PythonPackage) -> str:
    """The name of a package's part; entries of one version for several markers are kept apart."""
    marker = f" ; {package.marker}" if package.marker is not None else ""
    return f"python:{package.name}=={package.version or ''}{marker}"


def python_parts(lock: Lock, target: Target | None) -> Iterator[Part]:
    """The packages that are installed; with a target, by that one, and of their files those that
    fit it."""
    needs = all_needs(lock)
    packages = lock.packages if target is None else wanted_packages(lock, target)
    there = {package.sort_key for package in packages}
    libraries, tools = wheel_needs(lock, target), build_tools(lock, target)
    for package in packages:
        build = lock.build(package.name, package.version)
        pins = () if build is None else build.pins
        needed = [python_ref(p) for p in needs[package.sort_key] if p.sort_key in there]
        yield Part(
            ref=python_ref(package),
            kind=Kind.PYTHON,
            name=package.name,
            version=package.version,
            purl=python_purl(package),
            files=_files(package, target),
            needs=(*needed, *libraries.get(package.name, ())),
            built_with=tuple(sorted({_build_ref(pin.name, pin.version) for pin in pins})),
            built_by=tools.get(package.name, ()) if build is not None else (),
            repository=None if package.vcs is None else address(package.vcs.url),
            revision=None if package.vcs is None else package.vcs.commit,
            facts=_facts(package, lock),
        )


def build_parts(lock: Lock, first: set[str], target: Target | None) -> Iterator[Part]:
    """The packages of build environments that ``first`` names, and those they are built with."""
    tools = build_tools(lock, target)
    by_ref = {_build_ref(p.name, p.version): p for p in lock.build_packages}
    queue, seen = sorted(first), set(first)
    while queue:
        ref = queue.pop()
        package = by_ref.get(ref)
        if package is None:
            continue  # a pin that only another target has a file for
        build = lock.build(package.name, package.version)
        with_refs = {_build_ref(pin.name, pin.version) for pin in (build.pins if build else ())}
        queue += sorted(with_refs - seen)
        seen |= with_refs
        yield Part(
            ref=ref,
            kind=Kind.BUILD,
            name=package.name,
            version=package.version,
            purl=python_purl(package),
            files=_files(package, None),
            built_with=tuple(sorted(with_refs)),
            built_by=tools.get(package.name, ()) if build is not None else (),
            facts=_facts(package, lock),
        )


def _build_ref(name: str, version: str | None) -> str:
    return f"build:{name}=={version or ''}"


def _files(package: PythonPackage, target: Target | None) -> tuple[PartFile, ...]:
    if package.archive is not None:
        return (_archive_file(package.archive),)
    files = package.files if target is None else package_files(package, target)
    ordered = sorted(files, key=lambda file: (file is package.sdist, file.name, file.sha256))
    return tuple(_file(file, source=file is package.sdist) for file in ordered)


def _file(file: Artifact, *, source: bool) -> PartFile:
    return PartFile(
        name=file.name,
        sha256=file.sha256,
        size=file.size,
        url=address(file.url),
        path=file.path,
        source=source,
    )


def _archive_file(archive: Archive) -> PartFile:
    place = archive.url or archive.path or ""
    name = place.partition("?")[0].rpartition("/")[2]
    return PartFile(
        name=name,
        sha256=archive.sha256,
        size=archive.size,
        url=address(archive.url),
        path=archive.path,
        source=not name.endswith(".whl"),
    )


def _facts(package: PythonPackage, lock: Lock) -> tuple[tuple[str, str], ...]:
    excepted = lock.request.sources and wheels_stay(package.name, lock.request)
    facts = {
        "build-exception": declared(package.name, lock.request) if excepted else None,
        "directory": None if package.directory is None else package.directory.path,
        "index": None if package.index is None else public(package.index),
        "marker": package.marker,
    }
    return tuple((key, value) for key, value in sorted(facts.items()) if value is not None)
