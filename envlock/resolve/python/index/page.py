"""What an index says of one project: its files, as PEP 503, 592, 658, 691, 700 and 792
describe them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, unquote, urljoin

from envlock.io.http.urls import without_credentials

_HEX64 = re.compile(r"[0-9a-fA-F]{64}\Z")
_URL_SIGNS = "%:/?#[]@!$&'()*+,;=~"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z")
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]")


class PageFile(NamedTuple):
    """One file. A named tuple, since pages hold thousands: it is made four times faster.

    ``url`` is absolute, without user part and fragment. ``sha256`` and ``core_metadata_sha256``
    are 64 lower-case hex digits; the latter is set only where the index claims PEP 658 metadata
    *with* a digest. ``upload_time`` is UTC. ``yanked`` is the reason (maybe empty), None for a
    file that is not yanked. ``size`` is in bytes.
    """

    filename: str
    url: str
    sha256: str | None = None
    upload_time: datetime | None = None
    requires_python: str | None = None
    yanked: str | None = None
    size: int | None = None
    core_metadata_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPage:
    """A project's files on one index, in the index's order; ``name`` is PEP 503 normalized.

    ``status`` is its status marker (``archived``, ``quarantined``, …) with the ``reason`` that is
    stated, None where the index states none.
    """

    name: str
    files: tuple[PageFile, ...]
    status: str | None = None
    reason: str | None = None


class PageError(ValueError):
    """A page that cannot be read; the text says why."""


def normalize(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_normalized(name: str) -> bool:
    """Whether ``name`` is a PEP 503 normalized project name."""
    return _NAME.match(name) is not None


def parse_time(text: str) -> datetime | None:
    """An ISO 8601 instant as UTC, which is its zone when it names none; None for other texts."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def hex_digest(text: object) -> str | None:
    """A SHA-256 in lower case; None for anything else."""
    return text.lower() if isinstance(text, str) and _HEX64.match(text) else None


def absolute(reference: str, base: str) -> str | None:
    """``reference`` seen from ``base``, without user part; None unless it is http or https."""
    if not reference.startswith(("https://", "http://")):
        try:
            reference = urljoin(base, reference)
        except ValueError:
            return None
        if not reference.startswith(("https://", "http://")):
            return None
    if " " in reference or not reference.isascii():
        reference = quote(reference, safe=_URL_SIGNS)
    return without_credentials(reference) if "@" in reference else reference


def name_of(url: str) -> str | None:
    """The file name at the end of a URL's path, decoded; None where there is no usable one."""
    path = url.partition("?")[0]
    name = path[path.rfind("/") + 1 :]
    if "%" in name:
        name = unquote(name)
    return name if is_file_name(name) else None


def is_file_name(name: str) -> bool:
    """Whether ``name`` can be a file's in any folder: it leads nowhere else."""
    return bool(name) and name not in (".", "..") and not _UNSAFE.search(name)
