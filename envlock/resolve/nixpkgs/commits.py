"""The client of GitHub's list of commits: the second best way, without a channel's history.

``GET /repos/{owner}/{repo}/commits?sha=BRANCH&until=INSTANT&per_page=1`` (REST API, 2022-11-28)
gives the newest commit whose committer date is not later. A branch's commit was perhaps never a
channel's release, so that fewer of its packages may be in Nix's binary cache.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from urllib.parse import urlencode

from envlock.errors import SourceError, UsageError
from envlock.io.http.client import Http, expect_ok
from envlock.resolve.nixpkgs import table

REPOSITORY = "NixOS/nixpkgs"

_COMMIT = re.compile(r"[0-9a-f]{40}")
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


def newest_commit(base: str, branch: str, as_of: datetime, *, http: Http) -> str:
    """The newest commit of ``branch`` not later than ``as_of``: 40 hex digits.

    Args:
        base: the API's URL.
        branch: its name.
        as_of: UTC.
        http: for the request.

    Raises:
        UsageError: there is no such branch, or none of its commits is so old.
        SourceError: the API cannot be reached, refuses, or answers something else.
    """
    query = urlencode({"sha": branch, "until": f"{as_of:%Y-%m-%dT%H:%M:%SZ}", "per_page": "1"})
    url = f"{base.rstrip('/')}/repos/{REPOSITORY}/commits?{query}"
    response = http.get(url, headers=_HEADERS)
    if response.status == 404:
        raise UsageError(
            f"nixpkgs has no branch {branch!r}",
            where=url,
            remedy=f"known: {', '.join(table.branches())}",
        )
    if response.status == 403:
        raise SourceError(
            "GitHub refuses: too many requests, most likely",
            where=url,
            remedy="wait an hour, or give a netrc file a token for this host",
        )
    try:
        listed = json.loads(expect_ok(response, url).body)
        commit = None if listed == [] else listed[0]["sha"]
    except (ValueError, KeyError, TypeError, IndexError):
        commit = ""
    if commit is None:
        raise UsageError(
            f"no commit of {branch} is as old as {as_of:%Y-%m-%dT%H:%M:%SZ}",
            where=url,
            remedy="name an older branch, or a later date",
        )
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise SourceError(
            "the list of commits cannot be read", where=url, remedy="check the address"
        )
    return commit
