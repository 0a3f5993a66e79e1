"""The dated view: a package index on loopback that shows what its upstreams had at an instant.

It serves resolvers that know no cut-off date, and indexes whose dates only the per-project JSON
has. Metadata comes from here too: indexes claim metadata that they do not have, and old metadata
does not parse today (see ``repair``). It listens on 127.0.0.1 under an unguessable path, and
its addresses mean nothing outside of it: ``DatedView.original`` gives the true ones.
"""

from __future__ import annotations

import gc
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import TypeVar
from urllib.parse import unquote

from envlock.errors import EnvlockError
from envlock.io.http.client import Http, Login
from envlock.io.progress import Reporter, SilentReporter
from envlock.io.value import changed
from envlock.lock.package import Repair
from envlock.resolve.python.index import view_pages, view_server
from envlock.resolve.python.index.metadata import wheel_metadata
from envlock.resolve.python.index.page import PageFile, ProjectPage, is_normalized, normalize
from envlock.resolve.python.index.pages import Pages
from envlock.resolve.python.index.repair import repair_metadata
from envlock.resolve.python.sources import Index, Sources

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewFile:
    """A file that the view knows, and the index it is from."""

    index: Index
    project: str
    file: PageFile


class DatedView:
    """Serves ``sources`` as they were at ``as_of``; a context manager.

    Files uploaded after ``as_of`` are not there; those of ``as_of`` itself are. Yanked files stay,
    marked. Places on this machine's disk (which ``allow-undated`` named) are passed through.

    Args:
        sources: the true indexes.
        as_of: UTC.
        http: the client for all upstream requests.
        reporter: told of files that are left out because they have no upload time.
        refresh: fetch pages even when they were fetched a moment ago.
    """

    def __init__(
        self,
        sources: Sources,
        as_of: datetime,
        http: Http,
        *,
        reporter: Reporter | None = None,
        refresh: bool = False,
    ) -> None:
        self._true = sources
        self._as_of = as_of
        self._http = http
        self._reporter = reporter or SilentReporter()
        self._pages = Pages(http, refresh=refresh)
        self._token = secrets.token_urlsafe(24)
        self._guard = threading.Lock()
        self._known: dict[tuple[int, str], Future[ProjectPage | None]] = {}
        self._metadata: dict[tuple[int, str], Future[bytes]] = {}
        self._repairs: dict[str, tuple[Repair, ...]] = {}
        self._failure: EnvlockError | None = None
        self._server: view_server.ViewServer | None = None
        self._threshold = gc.get_threshold()

    def __enter__(self) -> DatedView:
        # Pages are a hundred thousand little things, all still in use: looking for what is not,
        # every 700 of them, takes a third of the time of reading them.
        gc.set_threshold(50_000, *self._threshold[1:])
        self._server = view_server.ViewServer(self, self._token)
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.stop()
        gc.set_threshold(*self._threshold)

    @property
    def base(self) -> str:
        """The view's own root: ``http://127.0.0.1:PORT/TOKEN``."""
        assert self._server is not None  # noqa: S101 - used inside the with block only
        return f"http://127.0.0.1:{self._server.port}/{self._token}"

    @property
    def sources(self) -> Sources:
        """The sources to give to a resolver: the same order, loopback addresses, no credentials."""
        return changed(
            self._true,
            indexes=tuple(
                changed(index, url=f"{self.base}/{number}/simple", credentials=None)
                if _remote(index)
                else index
                for number, index in enumerate(self._true.indexes)
            ),
        )

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was rewritten in the metadata that was asked for, sorted; see ``Repair.used``."""
        with self._guard:
            return tuple(r for subject in sorted(self._repairs) for r in self._repairs[subject])

    @property
    def failure(self) -> EnvlockError | None:
        """The first error that a resolver met as a 424 answer: its true cause."""
        return self._failure

    def original(self, url: str) -> str:
        """The true address behind one of the view's (an index's or a file's); others as they are.

        Raises:
            KeyError: the view never showed such an address.
        """
        prefix = f"{self.base}/"
        if not url.startswith(prefix):
            return url
        parts = url.removeprefix(prefix).partition("#")[0].rstrip("/").split("/")
        if len(parts) >= 2 and parts[1] == "simple":
            true = self._true.indexes[int(parts[0])].url
            return "/".join([true, *parts[2:]])
        found = self.find(parts)
        if found is None:
            raise KeyError(url)
        return found.file.url

    def page(self, index_url: str, name: str) -> ProjectPage | None:
        """The dated page of a project; ``index_url`` is the true or the loopback one.

        Raises:
            SourceError: the index fails, or has no dates.
        """
        true = self.original(index_url).rstrip("/")
        for number, index in enumerate(self._true.indexes):
            if index.url == true:
                return self.dated_page(number, normalize(name))
        return None

    # --- what the server asks ---

    def dated_page(self, number: int, name: str) -> ProjectPage | None:
        """The page of a normalized ``name`` on index ``number``, fetched once; None: not there.

        Raises:
            SourceError: the index fails, or has no dates.
        """
        if not is_normalized(name):
            return None
        with self._guard:
            future = self._known.get((number, name))
            mine = future is None
            if future is None:
                future = self._known[number, name] = Future()
        if mine:
            _complete(future, lambda: self._fetch(number, name))
        return future.result()

    def find(self, parts: list[str]) -> ViewFile | None:
        """The file of an address's parts: ``[index, "files", project, sha256, filename]``."""
        if len(parts) != 5 or parts[1] != "files" or not self.serves(parts[0]):
            return None
        number, name, key, filename = int(parts[0]), parts[2], parts[3], unquote(parts[4])
        page = self.dated_page(number, name)
        for file in page.files if page else ():
            if file.filename == filename and view_pages.file_key(file) == key:
                return ViewFile(index=self._true.indexes[number], project=name, file=file)
        return None

    def serves(self, number: str) -> bool:
        """Whether there is a remote index of that number."""
        return (
            number.isascii()
            and number.isdigit()
            and len(number) < 5
            and int(number) < len(self._true.indexes)
            and _remote(self._true.indexes[int(number)])
        )

    def metadata(self, found: ViewFile) -> bytes:
        """A wheel's metadata, repaired where it must be, and the repairs noted; read once.

        Raises:
            SourceError: it cannot be had.
            VerificationError: the wheel is not what its digest says.
        """
        file = found.file
        key = (self._true.indexes.index(found.index), f"{file.sha256} {file.url}")
        with self._guard:
            future = self._metadata.get(key)
            mine = future is None
            if future is None:
                future = self._metadata[key] = Future()
        if mine:
            _complete(future, lambda: self._read_metadata(found))
        return future.result()

    def failed(self, error: EnvlockError) -> None:
        """Remember the first failure, for whoever asked the resolver."""
        with self._guard:
            self._failure = self._failure or error

    @property
    def http(self) -> Http:
        """The client."""
        return self._http

    def login(self, url: str) -> Login | None:
        """The credentials that apply to a true address."""
        return self._true.login(url)

    def _read_metadata(self, found: ViewFile) -> bytes:
        file = found.file
        text = wheel_metadata(self._http, file, credentials=self.login(file.url))
        subject = f"{found.project}=={file.filename.split('-')[1]}"
        text, repairs = repair_metadata(text, subject)
        if repairs:
            with self._guard:
                self._repairs[subject] = repairs
        return text

    def _fetch(self, number: int, name: str) -> ProjectPage | None:
        index = self._true.indexes[number]
        page = self._pages.dated(index, name)
        if page is None:
            return None
        undated = sum(file.upload_time is None for file in page.files)
        if undated:
            self._reporter.note(
                f"{undated} of {len(page.files)} files of {name} on {index.url} have no upload"
                " time and are left out"
            )
        limit = self._as_of
        return replace(
            page,
            files=tuple(f for f in page.files if f.upload_time and f.upload_time <= limit),
        )


def _complete(future: Future[_T], work: Callable[[], _T]) -> None:
    """Finish ``future`` with what ``work`` gives or raises, so that nobody waits in vain."""
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)


def _remote(index: Index) -> bool:
    return index.url.startswith(("http://", "https://"))
