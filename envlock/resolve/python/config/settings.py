"""What one place of configuration (a file, the environment) says about where packages come from."""

from __future__ import annotations

import os
import re
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.http.urls import split_credentials
from envlock.io.value import value
from envlock.resolve.python.sources import Credentials, FindLinks, Index

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")


@value
class Settings:
    """One place's say. ``indexes`` are those beside the default, first one preferred.

    ``extra_indexes`` and ``old_default`` are pip's and uv's older kind (``extra-index-url``,
    ``index-url``), which rank behind the other kind of every place. ``closed`` is whether no
    default index is to be used. ``project`` is whether the project itself says it, as opposed to
    the machine.
    """

    indexes: tuple[Index, ...] = ()
    default: Index | None = None
    extra_indexes: tuple[Index, ...] = ()
    old_default: Index | None = None
    closed: bool = False
    find_links: tuple[FindLinks, ...] = ()
    no_index: bool = False
    strategy: str | None = None
    certificate: str | None = None
    project: bool = False


def make_index(
    text: str, origin: str, *, base: Path, name: str | None = None, default: bool = False
) -> Index:
    """An index from a configured URL or path (relative to ``base``), credentials taken out.

    Raises:
        UsageError: neither a path nor an http, https or file URL.
    """
    url, login = split_credentials(_located(text, origin, base))
    if not url.startswith(("http://", "https://")):
        url = url if url.startswith("file://") else Path(url).as_uri()
    return Index(
        url=url.rstrip("/"),
        name=name,
        default=default,
        credentials=None if login is None else Credentials(user=login[0], password=login[1]),
        origin=origin,
    )


def make_find_links(text: str, origin: str, *, base: Path) -> FindLinks:
    """A find-links entry: an absolute path, or a URL without user part.

    Raises:
        UsageError: neither a path nor an http, https or file URL.
    """
    location = split_credentials(_located(text, origin, base))[0]
    return FindLinks(location=local_path(location), origin=origin)


def local_path(location: str) -> str:
    """The path that a ``file:`` URL names; anything else as it is."""
    if not location.startswith("file:"):
        return location
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(location).path)


def _located(text: str, origin: str, base: Path) -> str:
    text = text.strip()
    if _SCHEME.match(text):
        if not re.match(r"(?i)https?://[^/?#]*[^/?#@]|file://", text):
            raise UsageError(
                f"not an http, https or file address: {split_credentials(text)[0]}",
                where=origin,
                remedy="write it as https://host/simple",
            )
        return text
    if text.startswith("file:"):
        return "file://" + text.removeprefix("file:")
    path = Path(text).expanduser()
    # Links are not followed: a place is compared with others as it was written.
    return os.path.normpath(base.absolute() / path)
