"""From a pinned version to the lock's entry: its files on the index's dated page, or elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import tomli
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from envlock.errors import NoSolutionError, SourceError
from envlock.io.files import read_text
from envlock.lock.package import Artifact, Dependency, PythonPackage
from envlock.lock.target import Target, wheel_tags
from envlock.resolve.python.engines.engine import Question
from envlock.resolve.python.engines.pip_report import Found, Pin
from envlock.resolve.python.index.page import PageFile, normalize
from envlock.resolve.python.index.repair import repair_python
from envlock.resolve.python.index.view import DatedView
from envlock.resolve.python.local_files import local_artifact
from envlock.resolve.python.sources import Index

_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz")
"""Most wanted first, where a release has several."""


class FilesOfVersion:
    """Makes lock entries for one target."""

    def __init__(self, question: Question, view: DatedView, target: Target) -> None:
        self._question = question
        self._view = view
        self._target = target
        self._usable = wheel_tags(target)

    def listed(self, pin: Pin, found: Found | None) -> PythonPackage:
        """A version of an index: every file of it that the target can use, as of the date.

        Raises:
            NoSolutionError: no file is left.
            SourceError: the index states no sha256.
        """
        index, files = self._of_version(pin, found)
        files = [file for file in files if self._admits_python(file)]
        if any(file.yanked is None for file in files):
            files = [file for file in files if file.yanked is None]
        wheels = [f for f in files if f.filename.endswith(".whl") and self._fits(f)]
        sdists = sorted(
            (f for f in files if f.filename.endswith(_SDISTS)), key=lambda f: _rank(f.filename)
        )
        return PythonPackage(
            name=pin.name,
            version=pin.version,
            requires_python=_requires_python([*wheels, *sdists]),
            index=index.url,
            dependencies=_dependencies(pin),
            wheels=tuple(sorted(map(_artifact, wheels), key=lambda a: a.name)),
            sdist=_artifact(sdists[0]) if sdists else None,
        )

    def direct(self, pin: Pin, found: Found | None) -> PythonPackage:
        """A URL, path or repository; where it comes from is known before any engine runs."""
        if found is None:
            raise SourceError(f"pip's report does not mention {pin.name}")
        return PythonPackage(
            name=pin.name,
            version=found.version if self._has_lasting_version(pin) else None,
            requires_python=_valid_python(found.requires_python),
            dependencies=_dependencies(pin),
        )

    def undated(self, pin: Pin, found: Found) -> PythonPackage:
        """The one file that pip took from find-links or an index on this machine's disk.

        Raises:
            SourceError: it cannot be read.
        """
        path = urlsplit(found.url).path if found.url.startswith("file:") else None
        artifact = (
            self._remote_file(found)
            if path is None
            else local_artifact(Path(unquote(path)), self._question.root)
        )
        wheel = artifact.name.endswith(".whl")
        return PythonPackage(
            name=pin.name,
            version=pin.version,
            requires_python=_valid_python(found.requires_python),
            dependencies=_dependencies(pin),
            wheels=(artifact,) if wheel else (),
            sdist=None if wheel else artifact,
        )

    def _of_version(self, pin: Pin, found: Found | None) -> tuple[Index, list[PageFile]]:
        """The index that pip took the version from, and all of the version's files there."""
        for number, index in enumerate(self._question.sources.indexes):
            if index.explicit or not index.url.startswith(("http://", "https://")):
                continue
            if found and not found.url.startswith(f"{self._view.base}/{number}/"):
                continue
            page = self._view.page(index.url, pin.name)
            files = [f for f in page.files if _is_version(f, pin)] if page else []
            if files:
                return index, files
        raise NoSolutionError(
            f"no index lists a file of {pin.name} {pin.version}",
            remedy="run again: the index may have changed while it was read",
        )

    def _fits(self, file: PageFile) -> bool:
        return not parse_wheel_filename(file.filename)[3].isdisjoint(self._usable)

    def _admits_python(self, file: PageFile) -> bool:
        """Whether the target's Python may use the file; an unreadable bound is none, as for pip."""
        text = _valid_python(file.requires_python)
        if text is None:
            return True
        series = self._target.python
        last = series if series.count(".") == 2 else f"{series}.99"
        bound = SpecifierSet(text)
        return bound.contains(last) or bound.contains(f"{self._target.series}.0")

    def _has_lasting_version(self, pin: Pin) -> bool:
        """Whether the version is fixed with the source: a folder's may be computed anew each time.

        PEP 751 wants no version for a source tree whose version is dynamic.
        """
        url = Requirement(pin.line).url or ""
        path, _, fragment = url.partition("#")
        folder = Path(unquote(urlsplit(path).path))
        if not path.startswith("file:") or not folder.is_dir():
            return True
        for part in fragment.split("&"):
            if part.startswith("subdirectory="):
                folder /= unquote(part.partition("=")[2])
        file = folder / "pyproject.toml"
        if not file.is_file():
            return False
        try:
            project = tomli.loads(read_text(file)).get("project", {})
        except tomli.TOMLDecodeError:
            return False
        return isinstance(project, dict) and "version" in project

    def _remote_file(self, found: Found) -> Artifact:
        url = found.url.partition("#")[0]
        if found.sha256 is None:
            raise SourceError(
                "this file's page states no sha256", where=url, remedy="use an index that does"
            )
        return Artifact(
            name=unquote(urlsplit(url).path.rpartition("/")[2]), url=url, sha256=found.sha256
        )


def _dependencies(pin: Pin) -> tuple[Dependency, ...]:
    return tuple(Dependency(name=name) for name in pin.needs)


def _is_version(file: PageFile, pin: Pin) -> bool:
    """Whether the file is of the pinned project and version, and of a kind that pip installs."""
    try:
        wheel = file.filename.endswith(".whl")
        parse = parse_wheel_filename if wheel else _sdist_parts
        name, version = parse(file.filename)[:2]
        return name == pin.name and pin.version is not None and version == Version(pin.version)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return False


def _sdist_parts(filename: str) -> tuple[str, Version]:
    for suffix in _SDISTS:
        if filename.endswith(suffix):
            name, _, version = filename.removesuffix(suffix).rpartition("-")
            return normalize(name), Version(version)
    raise InvalidSdistFilename(filename)


def _rank(filename: str) -> int:
    return next(n for n, suffix in enumerate(_SDISTS) if filename.endswith(suffix))


def _artifact(file: PageFile) -> Artifact:
    if file.sha256 is None:
        raise SourceError(
            f"the index gives no sha256 for {file.filename}",
            remedy="envlock uses nothing that it cannot verify: use an index that states digests",
        )
    return Artifact(
        name=file.filename,
        url=file.url,
        sha256=file.sha256,
        size=file.size,
        upload_time=file.upload_time,
    )


def _requires_python(files: Iterable[PageFile]) -> str | None:
    """What the release's files agree on; None where they differ or say nothing."""
    stated = {_valid_python(file.requires_python) for file in files}
    return stated.pop() if len(stated) == 1 else None


def _valid_python(text: str | None) -> str | None:
    """The bound in a form that parses (see ``repair``), or None."""
    if text is None:
        return None
    try:
        return str(SpecifierSet(text)) and text
    except InvalidSpecifier:
        return repair_python(text)
