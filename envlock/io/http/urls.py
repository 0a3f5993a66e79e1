"""URLs and the credentials inside them (RFC 3986 user information), kept apart."""

from __future__ import annotations

import re

_AUTHORITY = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)([^/?#]*)@")


def split_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """The URL without its user part, and ``(user, password)`` decoded, or None where there is none.

    A user without a password gives an empty password.
    """
    match = _AUTHORITY.match(url)
    if match is None:
        return url, None
    from urllib.parse import unquote

    user, _, password = match[2].partition(":")
    rest = match[1] + url[match.end() :]
    return rest, ((unquote(user), unquote(password)) if match[2] else None)


def without_credentials(url: str) -> str:
    """The URL as it may be shown: without its user part."""
    return split_credentials(url)[0]


def host_of(url: str) -> str:
    """The host in lower case, without user part and port; empty where there is none."""
    match = re.match(r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#]*@)?(\[[^\]]*\]|[^/?#:]*)", url)
    return match[1].lower() if match else ""
