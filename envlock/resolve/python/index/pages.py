"""Fetches index pages, and finds out when their files were uploaded.

Where times come from, in this order: the JSON page (PEP 700 ``upload-time``); an HTML page that
states ``data-upload-time`` when it is asked for JSON; the per-project JSON beside the index
(``…/pypi/NAME/json``). An index that has none of them cannot be bounded by a date.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from dataclasses import dataclass

from envlock.errors import SourceError
from envlock.io.cache import DiskCache
from envlock.io.http.client import Http, Login, Response, expect_ok
from envlock.resolve.python.index.page import PageError, ProjectPage, normalize
from envlock.resolve.python.index.page_html import parse_html
from envlock.resolve.python.index.page_json import parse_json, with_project_json
from envlock.resolve.python.sources import Index

ACCEPT = (
    "application/vnd.pypi.simple.v1+json,"
    " application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
)
PAGE_SECONDS = 600.0
"""For how long a page that was fetched is used again."""
PROBE_SECONDS = 86_400.0
_GONE = frozenset({404, 410})
_UNDATED_REMEDY = "use an index that states upload times (PEP 700)"


class DateSource(enum.Enum):
    """How an index tells when its files were uploaded."""

    DIRECT = "direct"
    """On its pages, so that a resolver's own cut-off serves."""
    VIEW = "view"
    """Only in the per-project JSON: resolvers need the dated view."""
    NONE = "none"
    """Not at all."""
    UNKNOWN = "unknown"
    """The project that was asked for has no file there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Raw:
    """An answer as it came: final URL, media type, body."""

    url: str
    kind: str
    body: bytes


class Pages:
    """Project pages, fetched at most every ten minutes. May be used from several threads.

    Args:
        http: the client.
        refresh: fetch even what was fetched a moment ago.
    """

    def __init__(self, http: Http, *, refresh: bool = False) -> None:
        self._http = http
        self._cache = DiskCache("pages-v1")
        self._probes = DiskCache("index-dates-v1")
        self._refresh = refresh

    def dated(self, index: Index, name: str) -> ProjectPage | None:
        """The project's files with upload times, where the index has them; None: not there.

        Single files may still be without a time; all of them are not.

        Raises:
            SourceError: no answer, an unreadable one, or no upload times at all.
        """
        page = self.plain(index, name)
        if page is None or all(file.upload_time for file in page.files):
            return page
        page = self._completed(index, page)
        if not any(file.upload_time for file in page.files):
            raise SourceError(
                f"the index states no upload times for {page.name}: it cannot be dated",
                where=index.url,
                remedy=_UNDATED_REMEDY,
            )
        return page

    def plain(self, index: Index, name: str) -> ProjectPage | None:
        """The project's page as the index gives it; None when the project is not there.

        Raises:
            SourceError: no answer, or an unreadable one.
        """
        name = normalize(name)

        def read(raw: _Raw) -> ProjectPage:
            if _is_json(raw):
                return parse_json(raw.body, name, raw.url)
            return parse_html(raw.body.decode("utf-8", "replace"), name, raw.url)

        return self._read(index, f"{index.url}/{name}/", ACCEPT, read)

    def flat(self, url: str, name: str) -> ProjectPage | None:
        """What of the project a page lists that has files of many (find-links); None: no page.

        Raises:
            SourceError: no answer, or an unreadable one.
        """
        name = normalize(name)

        def read(raw: _Raw) -> ProjectPage:
            return parse_html(raw.body.decode("utf-8", "replace"), name, raw.url)

        return self._read(Index(url=url), url, ACCEPT, read)

    def probe(self, index: Index, name: str) -> DateSource:
        """How ``index`` tells upload times, judged by one project; remembered for a day.

        Raises:
            SourceError: no answer, or an unreadable one.
        """
        known = None if self._refresh else self._probes.get(index.url, max_age=PROBE_SECONDS)
        if known is not None:
            return DateSource(known.decode())
        found = self._probed(index, name)
        if found is not DateSource.UNKNOWN:
            self._probes.put(index.url, found.value.encode())
        return found

    def _probed(self, index: Index, name: str) -> DateSource:
        if not index.url.startswith(("http://", "https://")):
            return DateSource.NONE
        page = self.plain(index, name)
        if page is None or not page.files:
            return DateSource.UNKNOWN
        if all(file.upload_time for file in page.files):
            return DateSource.DIRECT
        page = self._completed(index, page)
        return DateSource.VIEW if any(f.upload_time for f in page.files) else DateSource.NONE

    def _completed(self, index: Index, page: ProjectPage) -> ProjectPage:
        """The page with what the per-project JSON knows, where there is one."""

        def read(raw: _Raw) -> ProjectPage:
            return with_project_json(page, raw.body) if _is_json(raw) else page

        url = f"{index.url.rpartition('/')[0]}/pypi/{page.name}/json"
        return self._read(index, url, "application/json", read) or page

    def _read(
        self, index: Index, url: str, accept: str, read: Callable[[_Raw], ProjectPage]
    ) -> ProjectPage | None:
        """What ``read`` makes of the answer, fresh or remembered; None for a 404.

        Only readable answers are remembered: an error page must not outlive its cause.
        """
        login = _login(index)
        key = f"{login[0] if login else ''} {accept} {url}"
        known = None if self._refresh else self._cache.get(key, max_age=PAGE_SECONDS)
        try:
            if known is not None:
                return read(_unpacked(known))
            response = self._http.get(url, headers={"Accept": accept}, credentials=login)
            if response.status in _GONE:
                return None
            expect_ok(response, url)
            raw = _Raw(url=response.url, kind=_media_type(response), body=response.body)
            page = read(raw)
        except PageError as error:
            raise _unreadable(error, url) from None
        self._cache.put(key, _packed(raw))
        return page


def probe_dates(
    index: Index, project_name: str, http: Http, *, refresh: bool = False
) -> DateSource:
    """How ``index`` tells upload times, judged by one project; remembered for a day.

    Raises:
        SourceError: the index does not answer, or not with a page.
    """
    return Pages(http, refresh=refresh).probe(index, project_name)


def _login(index: Index) -> Login | None:
    known = index.credentials
    return None if known is None else (known.user, known.password)


def _media_type(response: Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(raw: _Raw) -> bool:
    if raw.kind.endswith("json"):
        return True
    # Servers that serve files from a folder often do not know the type.
    return "html" not in raw.kind and raw.body.lstrip()[:1] == b"{"


def _packed(raw: _Raw) -> bytes:
    return json.dumps([raw.url, raw.kind]).encode() + b"\n" + raw.body


def _unpacked(entry: bytes) -> _Raw:
    head, _, body = entry.partition(b"\n")
    url, kind = json.loads(head)
    return _Raw(url=url, kind=kind, body=body)


def _unreadable(error: PageError, url: str) -> SourceError:
    return SourceError(
        f"no readable index page: {error}",
        where=url,
        remedy="check that this is the address of a simple index, and that no login page or proxy"
        " answers in its place",
    )
