"""A client of the OSV API (version 1): ``querybatch`` for ids, ``vulns/ID`` for records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from envlock.errors import SourceError
from envlock.io.cache import DiskCache
from envlock.io.http.bodies import Body
from envlock.io.http.client import Http, expect_ok
from envlock.io.progress import Reporter

BATCH = 1000
"""The most queries that a request may have."""
_PAGES = 100
_MAX_RECORD_BYTES = 64 * 1024 * 1024


def query(
    http: Http, base: str, queries: Sequence[Mapping[str, Any]], reporter: Reporter
) -> list[dict[str, str]]:
    """For each query the ids that apply to it, with when each was modified.

    Args:
        http: the client.
        base: the service's address, without a final slash.
        queries: as the API has them: ``package`` and ``version``, or ``commit``.
        reporter: told how many were asked.

    Raises:
        SourceError: no answer, or one that is not of the protocol.
    """
    found: list[dict[str, str]] = [{} for _ in queries]
    left: list[tuple[int, Mapping[str, Any]]] = list(enumerate(queries))
    reporter.step(f"asking {base} for advisories")
    for _ in range(_PAGES):
        if not left:
            return found
        more: list[tuple[int, Mapping[str, Any]]] = []
        for start in range(0, len(left), BATCH):
            batch = left[start : start + BATCH]
            results = _ask(http, base, [query for _, query in batch])
            for (number, one), result in zip(batch, results, strict=True):
                for vulnerability in result.get("vulns") or ():
                    found[number][str(vulnerability["id"])] = str(
                        vulnerability.get("modified") or ""
                    )
                token = result.get("next_page_token")
                if token:
                    more.append((number, {**one, "page_token": token}))
        left = more
    raise _unusable(base, "its answer has no end")


def _ask(http: Http, base: str, queries: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    url = f"{base}/v1/querybatch"
    response = http.request(
        "POST",
        url,
        headers={"Content-Type": "application/json"},
        body=Body(json.dumps({"queries": queries}).encode()),
    )
    expect_ok(response, url)
    try:
        results = json.loads(response.body)["results"]
        if len(results) != len(queries):
            raise ValueError
        for result in results:
            for vulnerability in result.get("vulns") or ():
                vulnerability["id"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _unusable(url, "its answer is none to these questions") from None
    return list(results)


def records(
    http: Http, base: str, wanted: Mapping[str, str], reporter: Reporter
) -> list[dict[str, Any]]:
    """The records of ``wanted`` (id → when it was modified), in order of id; kept on disk.

    Raises:
        SourceError: one cannot be had.
    """
    cache = DiskCache("osv-v1")
    found: dict[str, dict[str, Any]] = {}
    for identity, modified in wanted.items():
        kept = cache.get(f"{base} {identity} {modified}") if modified else None
        if kept is not None:
            found[identity] = json.loads(kept)
    absent = sorted(set(wanted) - set(found))
    pending = {i: http.submit(_url(base, i), max_bytes=_MAX_RECORD_BYTES) for i in absent}
    for number, (identity, future) in enumerate(pending.items(), 1):
        response = expect_ok(future.result(), _url(base, identity))
        found[identity] = _record(response.body, _url(base, identity), identity)
        cache.put(f"{base} {identity} {wanted[identity]}", response.body)
        reporter.progress(number, len(absent))
    return [found[identity] for identity in sorted(found)]


def _url(base: str, identity: str) -> str:
    return f"{base}/v1/vulns/{quote(identity, safe='')}"


def _record(body: bytes, url: str, identity: str) -> dict[str, Any]:
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or record.get("id") != identity:
        raise _unusable(url, f"its answer is not the record {identity}")
    return record


def merged(answers: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """All ids of several answers."""
    found: dict[str, str] = {}
    for answer in answers:
        found.update(answer)
    return found


def _unusable(where: str, what: str) -> SourceError:
    return SourceError(
        f"no OSV service: {what}",
        where=where,
        remedy='check its address: osv = "https://…" in [tool.envlock.check]',
    )
