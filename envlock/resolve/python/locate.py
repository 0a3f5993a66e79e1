"""Where a lock's Python files can be had: at their locked address, else on any index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from envlock.errors import SourceError
from envlock.io.fetch import Wanted
from envlock.io.http import Http
from envlock.lock.artifacts import PythonFile
from envlock.resolve.python.pages import Pages
from envlock.resolve.python.sources import Sources


def locate_files(files: Iterable[PythonFile], sources: Sources, http: Http) -> tuple[Wanted, ...]:
    """Each file that has an address, to be asked for there first.

    Where the address gives nothing, the machine's and the project's indexes are asked whether they
    list the same file: by digest, or by name where they state none. What they give is verified
    like everything else.

    Args:
        files: those with a ``url``.
        sources: the indexes, with credentials.
        http: for index pages.
    """
    pages = Pages(http)
    return tuple(
        Wanted(
            name=entry.file.name,
            sha256=entry.file.sha256,
            size=entry.file.size,
            urls=(entry.file.url,),
            login=sources.login,
            further=partial(_listed, entry, sources, pages),
        )
        for entry in files
        if entry.file.url is not None
    )


def _listed(entry: PythonFile, sources: Sources, pages: Pages) -> Iterator[str]:
    """Addresses at which the indexes list the file."""
    if entry.package.index is None:
        return  # given as an address: no index knows it
    for index in sources.indexes:
        if not index.url.startswith(("http://", "https://")):
            continue
        try:
            page = pages.plain(index, entry.package.name)
        except SourceError:
            continue  # it only adds places; what failed at the locked address is said
        for file in page.files if page else ():
            same = file.filename == entry.file.name if file.sha256 is None else None
            if same or file.sha256 == entry.file.sha256:
                yield file.url
