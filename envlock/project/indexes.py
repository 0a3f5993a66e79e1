"""Index URLs and find-links that a project names, in one spelling."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from envlock.errors import UsageError
from envlock.project.direct import is_url, refuse_credentials, relative_path


def index_url(text: str, *, where: str) -> str:
    """The URL of a simple index without its final slash.

    Raises:
        UsageError: no http(s) URL, or credentials in it.
    """
    refuse_credentials(text, where=where)
    if not text.lower().startswith(("http://", "https://")) or not _host(text):
        raise UsageError(
            f"{text!r}: expected the http(s) URL of a package index",
            where=where,
            remedy="a folder of files is named with --find-links (find-links)",
        )
    return text.rstrip("/")


def find_links(text: str, *, folder: Path, root: Path, where: str) -> str:
    """A page's URL as it is, a folder or file as its path from ``root``.

    As with pip, a relative path counts from ``folder`` (the file's own) where something is there,
    else from ``root``.

    Raises:
        UsageError: nothing there, or credentials in the URL.
    """
    refuse_credentials(text, where=where)
    if text.lower().startswith(("http://", "https://")):
        if not _host(text):
            raise UsageError(f"{text!r}: a URL without a host", where=where)
        return text
    if is_url(text) and not text.lower().startswith("file:"):
        raise UsageError(f"{text!r}: expected an http(s) URL or a local folder", where=where)
    if text.lower().startswith("file:"):
        text = unquote(urlsplit(text).path)
    path = Path(text)
    for base in (folder, root):
        if (base / path).exists():
            absolute = Path(os.path.normpath(base / path))
            named = absolute if path.is_absolute() else Path(os.path.relpath(absolute, root))
            return relative_path(named, root=root, where=where)
    raise UsageError(f"find-links: no such file or folder: {text}", where=where)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
