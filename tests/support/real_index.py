"""An independent reading of the real package index: standard library and ``packaging`` only.

Nothing here comes from envlock, so that a test can hold envlock's answer against it.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from functools import cache
from html.parser import HTMLParser
from http.client import HTTPException
from io import BytesIO, RawIOBase
from urllib.parse import unquote, urljoin, urlsplit

from packaging.metadata import Metadata, parse_email
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from support.tools import UV

_TIMEOUT = 60
_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One file as a project's page lists it."""

    name: str
    url: str
    sha256: str
    uploaded: datetime
    requires_python: SpecifierSet
    yanked: bool
    version: Version | None
    python_tags: frozenset[str]
    platforms: frozenset[str]

    @property
    def wheel(self) -> bool:
        return self.name.endswith(".whl")


@cache
def default_index() -> str:
    """The index that uv uses when nobody configures one, as its own help page says."""
    text = subprocess.run([UV, "lock", "--help"], capture_output=True, text=True, check=True)
    match = re.search(r"--default-index.*?by default:\s*<(https://[^>\s]+)>", text.stdout, re.S)
    assert match, "uv's help names its default index"
    return match[1].rstrip("/")


@cache
def page(name: str) -> tuple[Listed, ...]:
    """Every file of a project, dated."""
    url = f"{default_index()}/{name}/"
    body, headers = _get(url, {"Accept": _ACCEPT})
    if "json" in headers.get_content_type():
        entries = [
            _listed(
                url,
                f["filename"],
                f["url"],
                f["hashes"]["sha256"],
                f.get("upload-time"),
                f.get("requires-python"),
                bool(f.get("yanked")),
            )
            for f in json.loads(body)["files"]
        ]
    else:
        links = _Links()
        links.feed(body.decode())
        entries = [_from_link(url, attributes) for attributes in links.found]
    return tuple(entry for entry in entries if entry is not None)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def _from_link(page_url: str, attributes: Mapping[str, str | None]) -> Listed:
    target = urlsplit(urljoin(page_url, attributes["href"] or ""))
    kind, _, digest = target.fragment.partition("=")
    assert kind == "sha256", f"{page_url}: a link without sha256"
    return _listed(
        page_url,
        unquote(target.path.rsplit("/", 1)[-1]),
        target._replace(fragment="").geturl(),
        digest,
        attributes.get("data-upload-time"),
        attributes.get("data-requires-python"),
        "data-yanked" in attributes,
    )


def _listed(
    page_url: str,
    name: str,
    url: str,
    sha256: str,
    uploaded: str | None,
    requires_python: str | None,
    yanked: bool,
) -> Listed:
    assert uploaded, f"{page_url}: {name} has no upload time"
    version, python_tags, platforms = _parse(name)
    try:
        bound = SpecifierSet(requires_python or "")
    except ValueError:
        bound = SpecifierSet("<0")  # unreadable: not a candidate
    return Listed(
        name=name,
        url=urljoin(page_url, url),
        sha256=sha256,
        uploaded=datetime.fromisoformat(uploaded).astimezone(UTC),
        requires_python=bound,
        yanked=yanked,
        version=version,
        python_tags=python_tags,
        platforms=platforms,
    )


def _parse(name: str) -> tuple[Version | None, frozenset[str], frozenset[str]]:
    try:
        if name.endswith(".whl"):
            _, version, _, tags = parse_wheel_filename(name)
            pythons = frozenset(f"{t.interpreter}-{t.abi}" for t in tags)
            return version, pythons, frozenset(t.platform for t in tags)
        if name.endswith((".tar.gz", ".zip")):
            return parse_sdist_filename(name)[1], frozenset(), frozenset()
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        pass
    return None, frozenset(), frozenset()  # eggs, installers, names older than the rules


@cache
def wheel_requirements(url: str) -> tuple[Requirement, ...]:
    """Requires-Dist of a wheel, from its own METADATA, reading only the bytes needed."""
    with zipfile.ZipFile(_Remote(url)) as archive:
        # The one at the top: vendored copies of other packages may lie deeper.
        [name] = [n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
        raw, _ = parse_email(archive.read(name))
    return tuple(Metadata.from_raw(raw, validate=False).requires_dist or ())


class _Remote(RawIOBase):
    """A remote file for ``zipfile``: its end is fetched at once, the rest by range."""

    _TAIL = 64 * 1024

    def __init__(self, url: str) -> None:
        self._url = url
        self._at = 0
        self._tail, headers = _get(url, {"Range": f"bytes=-{self._TAIL}"})
        # "bytes 100-199/200"; without it, the whole (small) file came.
        total = (headers.get("Content-Range") or "").rpartition("/")[2]
        self._size = int(total or len(self._tail))
        self._start = self._size - len(self._tail)

    def _range(self, start: int, end: int) -> bytes:
        body, _ = _get(self._url, {"Range": f"bytes={start}-{end - 1}"})
        assert len(body) == end - start, f"{self._url}: ranges are not served"
        return body

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._size, self._at + size)
        if end <= self._at:
            return b""
        if self._at >= self._start:
            chunk = BytesIO(self._tail[self._at - self._start : end - self._start]).read()
        else:
            chunk = self._range(self._at, end)
        self._at = end
        return chunk


def _get(url: str, headers: Mapping[str, str]) -> tuple[bytes, Message]:
    for attempt in range(5):
        try:
            request = urllib.request.Request(url, headers=dict(headers))
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
                return answer.read(), answer.headers
        except (OSError, HTTPException):
            if attempt == 4:
                raise
            time.sleep(2**attempt)
    raise AssertionError("unreachable")
