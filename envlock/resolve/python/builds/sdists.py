"""The sdists of a lock: which there are, their files, and their unpacked sources."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from envlock.io.http.client import Http
from envlock.io.http.fetch import Wanted, fetch, fetch_all, verify_local
from envlock.io.progress import Reporter
from envlock.io.unpack import unpack
from envlock.lock.builds import source_of, wanted_builds
from envlock.lock.package import Archive, PythonPackage
from envlock.lock.request import Request
from envlock.lock.selection import applies
from envlock.lock.target import Target
from envlock.resolve.python.sources import Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdist:
    """An sdist of the lock, or an archive of sources that was asked for by its address.

    ``targets`` are those that its package is locked for, sorted. ``deep`` says that it is here only
    because others are built with it.
    """

    package: PythonPackage
    sha256: str
    url: str | None
    path: str | None
    size: int | None
    subdirectory: str | None
    targets: tuple[Target, ...]
    deep: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Name and version."""
        return (self.package.name, self.package.version or "")

    @property
    def title(self) -> str:
        """``numpy 2.3.5``."""
        return " ".join(self.key)


def sdists_of(request: Request, packages: Iterable[PythonPackage]) -> tuple[Sdist, ...]:
    """What has to have a build, each once: entries of one version differ by marker only."""
    found: dict[tuple[str, str], Sdist] = {}
    packages = tuple(packages)
    for package in wanted_builds(packages, request):
        same = [p for p in packages if (p.name, p.version) == (package.name, package.version)]
        targets = {t for t in request.targets for p in same if applies(p, t)}
        sdist = sdist_of(package, targets or request.targets)
        if sdist is not None:
            found.setdefault(sdist.key, sdist)
    return tuple(found.values())


def sdist_of(
    package: PythonPackage, targets: Iterable[Target], *, deep: bool = False
) -> Sdist | None:
    """The package's source, needed on ``targets``; None where it has none."""
    file = source_of(package)
    if file is None:
        return None
    return Sdist(
        package=package,
        sha256=file.sha256,
        url=file.url,
        path=file.path,
        size=file.size,
        subdirectory=file.subdirectory if isinstance(file, Archive) else None,
        targets=tuple(sorted(targets)),
        deep=deep,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where the files of sdists come from: the store, the index, the project's folder."""

    root: Path
    sources: Sources
    http: Http

    def fetch(self, sdists: Iterable[Sdist], reporter: Reporter) -> None:
        """Bring all of them into the store, those that lie in the project's folder excepted.

        Raises:
            SourceError: one cannot be had.
            VerificationError: one is not what its digest says.
        """
        fetch_all(self.http, [self._wanted(s) for s in sdists if s.path is None], reporter)

    def file(self, sdist: Sdist) -> Path:
        """Its file, verified; raises as ``fetch``."""
        if sdist.path is None:
            return fetch(self.http, self._wanted(sdist))
        path = self.root / sdist.path
        verify_local(path, sdist.sha256, remedy="put the locked file back, or run `envlock lock`")
        return path

    def _wanted(self, sdist: Sdist) -> Wanted:
        return Wanted(
            name=sdist.title,
            sha256=sdist.sha256,
            size=sdist.size,
            urls=(sdist.url or "",),
            login=self.sources.login,
        )


class SourceTree:
    """An sdist's unpacked sources, in a temporary folder; a context manager."""

    def __init__(self, sdist: Sdist, shelf: Shelf) -> None:
        self._sdist = sdist
        self._shelf = shelf
        self._folder = tempfile.TemporaryDirectory(
            prefix="envlock-sdist-", ignore_cleanup_errors=True
        )
        self._untouched: Path | None = None

    def __enter__(self) -> SourceTree:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def read(self) -> Path:
        """The root of the sources, to be read only.

        Raises:
            OddArchiveError: the sdist cannot be unpacked.
            SourceError: it cannot be had.
            VerificationError: it is not what its digest says.
        """
        if self._untouched is None:
            folder = Path(tempfile.mkdtemp(dir=self._folder.name))
            root = unpack(self._shelf.file(self._sdist), folder)
            self._untouched = root / (self._sdist.subdirectory or "")
        return self._untouched

    def take(self) -> Path:
        """The same for who may write there: nobody else gets this copy; raises as ``read``."""
        root = self.read()
        self._untouched = None
        return root
