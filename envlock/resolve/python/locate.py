"""Where a lock's Python files can be had: at their locked address, else on any index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from envlock.errors import SourceError
from envlock.io.http.client import Http
from envlock.io.http.fetch import Wanted
from envlock.lock.artifacts import PythonFile
from envlock.resolve.python.config.settings import local_path
from envlock.resolve.python.index.page import PageFile
from envlock.resolve.python.index.pages import Pages
from envlock.resolve.python.sources import FindLinks, Index, Sources


def locate_files(
    files: Iterable[PythonFile], sources: Sources, http: Http, *, archive: str | None = None
) -> tuple[Wanted, ...]:
    """Each file that has an address, to be asked for there first.

    Where the address gives nothing, the machine's and the project's indexes and pages of files are
    asked whether they list the same file: by digest, or by name where they state none. What they
    give is verified like everything else.

    Args:
        files: those with a ``url``.
        sources: the indexes, with credentials.
        http: for index pages.
        archive: an archive of sources that has sdists by digest, asked last: see ``archived``.
    """
    pages = Pages(http)
    return tuple(
        Wanted(
            name=entry.file.name,
            sha256=entry.file.sha256,
            size=entry.file.size,
            urls=(entry.file.url,),
            login=sources.login,
            further=partial(_further, entry, sources, pages, archive),
        )
        for entry in files
        if entry.file.url is not None
    )


def archived(archive: str, sha256: str) -> str:
    """A file's address in an archive of sources, as Software Heritage's interface has it.

    https://archive.softwareheritage.org/api/1/content/raw/doc/
    """
    return f"{archive.rstrip('/')}/api/1/content/sha256:{sha256}/raw/"


def _further(
    entry: PythonFile, sources: Sources, pages: Pages, archive: str | None
) -> Iterator[str]:
    yield from _listed(entry, sources, pages)
    if archive is not None and not entry.file.name.endswith(".whl"):
        yield archived(archive, entry.file.sha256)


def _listed(entry: PythonFile, sources: Sources, pages: Pages) -> Iterator[str]:
    """Addresses at which the indexes list the file."""
    if entry.package.index is None:
        return  # given as an address: no index knows it
    places: tuple[Index | FindLinks, ...] = (*sources.indexes, *sources.find_links)
    for place in places:
        address = place.url if isinstance(place, Index) else place.location
        if not address.startswith(("http://", "https://")):
            continue
        try:
            yield from (file.url for file in _page(place, entry, pages) if _is(file, entry))
        except SourceError:
            continue  # it only adds places; what failed at the locked address is said


def _page(place: Index | FindLinks, entry: PythonFile, pages: Pages) -> tuple[PageFile, ...]:
    if isinstance(place, Index):
        page = pages.plain(place, entry.package.name)
    else:
        page = pages.flat(place.location, entry.package.name)
    return page.files if page else ()


def _is(file: PageFile, entry: PythonFile) -> bool:
    if file.sha256 is None:
        return file.filename == entry.file.name
    return file.sha256 == entry.file.sha256


def local_places(entry: PythonFile, sources: Sources) -> Iterator[Path]:
    """Where the file would be in the sources' folders on this machine's disk, if it is there."""
    for link in sources.find_links:
        if link.local:
            yield Path(local_path(link.location), entry.file.name)
    for index in sources.indexes:
        if not index.url.startswith(("http://", "https://")):
            yield Path(local_path(index.url), entry.package.name, entry.file.name)
