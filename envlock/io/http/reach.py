"""Whether addresses have something, without fetching it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from envlock.errors import SourceError
from envlock.io.http.client import Http, Login, expect_ok

_PARALLEL = 16
_GONE = frozenset({404, 410})
_NO_HEAD = frozenset({403, 405, 501})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """An address's answer: whether something is there, and its size in bytes where that is told."""

    there: bool
    status: int
    size: int | None = None


def reach(
    http: Http,
    urls: Iterable[str],
    login: Callable[[str], Login | None] | None = None,
    before: Callable[[str], None] | None = None,
) -> dict[str, Reached]:
    """The answer of each address, in parallel: HEAD, or the first byte where HEAD is refused.

    Args:
        http: the client.
        urls: repeated ones are asked once.
        login: gives user and password for a URL.
        before: called before each request (a bound on their rate).

    Raises:
        SourceError: an address gives no answer, or one that says neither.
    """

    def one(url: str) -> Reached:
        if before is not None:
            before(url)
        return _reached(http, url, None if login is None else login(url))

    asked = list(dict.fromkeys(urls))
    if not asked:
        return {}
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="envlock-reach") as pool:
        return dict(zip(asked, pool.map(one, asked), strict=True))


def _reached(http: Http, url: str, login: Login | None) -> Reached:
    answer = http.head(url, credentials=login)
    size: str | None = answer.headers.get("content-length")
    if answer.status in _NO_HEAD:
        answer = http.get(url, credentials=login, span="0-0", first=1)
        size = answer.headers.get("content-range", "").rpartition("/")[2]
    if answer.status in _GONE:
        return Reached(there=False, status=answer.status)
    expect_ok(answer, url)
    packed = "content-encoding" in answer.headers
    known = int(size) if size is not None and size.isdecimal() and not packed else None
    return Reached(there=True, status=answer.status, size=known)


def first_there(
    http: Http,
    urls: Iterable[str],
    *,
    size: int,
    before: Callable[[str], None] | None = None,
) -> Reached | None:
    """The first address's answer that has a file of this size; None where none has.

    Raises:
        SourceError: none has, and one of them gives no answer.
    """
    failure: SourceError | None = None
    for url in urls:
        if before is not None:
            before(url)
        try:
            found = _reached(http, url, None)
        except SourceError as error:
            failure = failure or error
            continue
        if found.there and found.size in (None, size):
            return found
    if failure is not None:
        raise failure
    return None
