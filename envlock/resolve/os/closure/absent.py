"""What can be said of a package that is not there: who has it, and when the archive first had it.

All of it only explains. What the cache has is looked at, the snapshot service is asked shortly,
and who does not answer is left out.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard
from urllib.parse import quote

from envlock.errors import EnvlockError, UsageError
from envlock.io.http.client import Http, expect_ok
from envlock.resolve.os.archive.archive import VerifiedSuite
from envlock.resolve.os.archive.index import kept_elsewhere
from envlock.resolve.os.archive.mirrors import Mirrors
from envlock.resolve.os.archive.snapshot import RELEASE_LIMIT, parse_timestamp
from envlock.resolve.os.closure.failure import NoSuchPackageError
from envlock.resolve.os.packages.version import sort_key, valid

PATIENCE = 3.0
"""Seconds to wait for the snapshot service's answer to one question."""

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSeen:
    """When the archive first had a package: the import (UTC) and the version that it brought."""

    archive: str
    version: str
    moment: datetime


def explained(
    error: NoSuchPackageError,
    suites: Sequence[VerifiedSuite],
    architecture: str,
    as_of: datetime | None,
) -> UsageError:
    """The error, with all that is known of the package elsewhere.

    Args:
        error: what is not there.
        suites: those that were looked at.
        architecture: Debian's name.
        as_of: the date that was looked at (UTC), None: now.
    """
    lines = [] if error.remedy is None else [error.remedy]
    if error.version is None:
        lines += _kept_elsewhere(error.name, suites, architecture)
    archives = tuple(dict.fromkeys(suite.suite.archive for suite in suites))
    seen = first_seen(suites[0].mirrors, archives, error.name, error.version)
    if seen is not None:
        lines.append(_told(seen, as_of))
    when = "" if as_of is None else f" as of {as_of:%Y-%m-%dT%H:%M:%SZ}"
    lines = lines or ["check its name; another component, base or date may have it"]
    return UsageError(f"{error.what}{when}", remedy="\n".join(lines))


def first_seen(
    mirrors: Mirrors, archives: Sequence[str], name: str, version: str | None = None
) -> FirstSeen | None:
    """When a package (of that version, else its oldest one) first was in one of the archives.

    The first snapshot service that says it is believed; None: nobody does.
    """
    for mirror in mirrors.snapshots:
        if mirror.machine_api is None:
            continue
        with contextlib.suppress(EnvlockError), Http(timeout=PATIENCE, retries=0) as http:
            asker = _Asker(http, mirrors, f"{mirror.machine_api}/binary/{quote(name, safe='')}")
            found = asker.oldest() if version is None else version
            seen = None if found is None else asker.seen(found, archives)
            if seen is not None:
                return seen
    return None


class _Asker:
    """The snapshot service's machine-readable answers about one binary package."""

    def __init__(self, http: Http, mirrors: Mirrors, url: str) -> None:
        self._http = http
        self._mirrors = mirrors
        self._url = url

    def oldest(self) -> str | None:
        """Its oldest version."""
        listed = self._ask("/").get("result", [])
        versions = [str(v.get("binary_version")) for v in _tables(listed)]
        return min(filter(valid, versions), key=sort_key, default=None)

    def seen(self, version: str, archives: Sequence[str]) -> FirstSeen | None:
        """The first import that had the version."""
        answer = self._ask(f"/{quote(version, safe='')}/binfiles?fileinfo=1")
        files = answer.get("fileinfo")
        places = [p for found in files.values() for p in _tables(found)] if _is_table(files) else []
        seen = [
            FirstSeen(
                archive=place["archive_name"],
                version=version,
                moment=parse_timestamp(str(place.get("first_seen"))),
            )
            for place in places
            if place.get("archive_name") in archives
        ]
        return min(seen, key=lambda one: one.moment, default=None)

    def _ask(self, path: str) -> dict[str, Any]:
        url = self._url + path
        self._mirrors.before(url)
        response = expect_ok(self._http.get(url, max_bytes=RELEASE_LIMIT), url)
        try:
            answer = json.loads(response.body)
        except (ValueError, RecursionError):
            return {}
        return answer if _is_table(answer) else {}


def _is_table(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _tables(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if _is_table(item))


def _kept_elsewhere(name: str, suites: Sequence[VerifiedSuite], architecture: str) -> Iterator[str]:
    """What the kept indexes say of other suites, components and dates; newest first."""
    looked_at = {part.sha256 for suite in suites for part in suite.parts}
    told: dict[tuple[str, str], str] = {}
    for day, suite, component in kept_elsewhere(name, architecture, but=looked_at):
        told.setdefault((suite, component), f"{suite} of {day} has it (component {component})")
    yield from list(told.values())[:_SHOWN]


def _told(seen: FirstSeen, as_of: datetime | None) -> str:
    day = f"{seen.moment:%Y-%m-%d}"
    if as_of is not None and seen.moment > as_of:
        later = "take a later as-of; it may need a later base, too"
        return f"{seen.archive} first had {seen.version} on {day}: {later}"
    return f"{seen.archive} has had {seen.version} since {day}, in another suite, or had it once"
