"""The client of the release history of Nix channels.

The history is a public bucket that speaks the S3 protocol (ListObjectsV2). Each release is a page
``nixos/25.11/nixos-25.11.1234.0123456789ab``, written last, when everything of it is there: that
page's ``LastModified`` is when the release was published. Beside it lies
``…0123456789ab/git-revision``, the commit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlencode
from xml.parsers import expat

from envlock.errors import SourceError
from envlock.io.http.client import Http, expect_ok

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_RELEASE = re.compile(r"(?:nixos|nixpkgs)-[0-9][^/]*\.([0-9a-f]{7,40})")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MAX_PAGES = 100


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Release:
    """One release of a channel: when it was published (UTC), its key, its shortened commit."""

    published: datetime
    key: str
    short: str


class ReleaseHistory:
    """Asks one bucket, or a mirror of it, at ``base`` (a URL)."""

    def __init__(self, base: str, http: Http) -> None:
        self.base = base.rstrip("/")
        self._http = http

    def releases(self, folder: str) -> tuple[Release, ...]:
        """The releases in ``folder`` (``nixos/25.11``), oldest first; empty where there are none.

        Raises:
            SourceError: the bucket cannot be reached or its answer not be read.
        """
        return tuple(sorted(self._listed(folder)))

    def commit(self, release: Release) -> str:
        """The commit (40 hex digits) that a release was made from.

        Raises:
            SourceError: it cannot be had, or is none.
        """
        url = f"{self.base}/{quote(release.key)}/git-revision"
        response = expect_ok(self._http.get(url, max_bytes=4096), url)
        text = response.body.decode("ascii", "replace").strip()
        if not _COMMIT.fullmatch(text) or not text.startswith(release.short):
            raise SourceError(
                f"the release's commit cannot be read: {text[:60]!r}",
                where=url,
                remedy="check the address; another mirror of the release history may be right",
            )
        return text

    def _listed(self, folder: str) -> Iterator[Release]:
        token: str | None = None
        for _ in range(_MAX_PAGES):
            query = {"list-type": "2", "delimiter": "/", "prefix": f"{folder}/"}
            if token is not None:
                query["continuation-token"] = token
            url = f"{self.base}/?{urlencode(query)}"
            page = _parse(expect_ok(self._http.get(url), url).body, url)
            for key, modified in page.entries:
                match = _RELEASE.fullmatch(key.removeprefix(f"{folder}/"))
                if match:
                    yield Release(published=_instant(modified, url), key=key, short=match[1])
            token = page.token
            if token is None:
                return
        raise SourceError("the list of releases has no end", where=self.base)


@dataclass(slots=True)
class _Page:
    """One page of a listing: keys with their ``LastModified``, and how to ask for the next."""

    entries: list[tuple[str, str]] = field(default_factory=list)
    token: str | None = None


class _Listing:
    """Receives expat's events; collects the texts of the elements that matter."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.texts: dict[str, str] = {}
        self.page = _Page()

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self.path.append(name.removeprefix(f"{_NAMESPACE} "))

    def data(self, text: str) -> None:
        path = "/".join(self.path)
        self.texts[path] = self.texts.get(path, "") + text

    def end(self, _name: str) -> None:
        if self.path == ["ListBucketResult", "Contents"]:
            inner = [self.texts.pop(f"ListBucketResult/Contents/{k}", "") for k in _ENTRY]
            self.page.entries.append((inner[0], inner[1]))
        self.path.pop()


_ENTRY = ("Key", "LastModified")


def _parse(body: bytes, url: str) -> _Page:
    listing = _Listing()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = listing.start
    parser.EndElementHandler = listing.end
    parser.CharacterDataHandler = listing.data
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(body, True)  # noqa: FBT003 - expat takes it by position only
        texts = listing.texts
        if not any(path.startswith("ListBucketResult") for path in texts):
            raise ValueError("no list of a bucket")
        if texts.get("ListBucketResult/IsTruncated") == "true":
            listing.page.token = texts["ListBucketResult/NextContinuationToken"]
    except (expat.ExpatError, ValueError, KeyError):
        raise _unreadable(url) from None
    return listing.page


def _refuse(*_declaration: object) -> None:
    raise ValueError("a list of releases declares no document type")


def _instant(text: str, url: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _unreadable(url) from None
    if moment.tzinfo is None:
        raise _unreadable(url)
    return moment.astimezone(UTC)


def _unreadable(url: str) -> SourceError:
    return SourceError(
        "the channel's release history cannot be read", where=url, remedy="check the address"
    )
