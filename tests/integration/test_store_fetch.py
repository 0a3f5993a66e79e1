"""Files by digest into the store, from servers that cut, hang, lie, ask to wait or have nothing."""

from __future__ import annotations

import hashlib
import os
import resource
import threading
import time
from collections.abc import Iterator

import pytest
from support.byte_server import Reply, Request, Server, ok, serving

from envlock.errors import DiskError, MissingError, SourceError, VerificationError
from envlock.io.http.client import Http
from envlock.io.http.fetch import PARALLEL, Wanted, fetch, fetch_all
from envlock.io.paths import cache_dir
from envlock.io.progress import SilentReporter
from envlock.io.store import Part, has_stored, stored

BODY = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(BODY).hexdigest()
HALF = len(BODY) // 2
GONE = ok(b"", status="404 Not Found")


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> Iterator[Http]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with Http(retries=1, backoff=0.01, timeout=2) as client:
        yield client


def wanted(*servers: Server, size: int | None = len(BODY)) -> Wanted:
    return Wanted(
        name="file.whl", sha256=DIGEST, size=size, urls=tuple(server.url() for server in servers)
    )


def numbered(count: int, *servers: Server) -> list[Wanted]:
    """Small files ``/0``, ``/1``…, each with its number as content."""
    return [
        Wanted(
            name=f"file {n}",
            sha256=hashlib.sha256(str(n).encode()).hexdigest(),
            size=len(str(n)),
            urls=tuple(server.url(f"/{n}") for server in servers),
        )
        for n in range(count)
    ]


def number(request: Request) -> bytes:
    return ok(request.path.removeprefix("/").encode())


def begun(request: Request) -> int:
    return int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


def ranged(body: bytes = BODY, *, piece: int | None = None) -> Reply:
    """Serves ``body`` from where it is asked; cut after ``piece`` bytes."""

    def reply(request: Request) -> bytes:
        start = begun(request)
        rest = body[start:]
        if not rest:
            return ok(b"", status="416 Range Not Satisfiable")
        sent = rest if piece is None else rest[:piece]
        if not start:
            return ok(sent, "Connection: close", length=len(rest))
        span = f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}"
        return ok(sent, span, "Connection: close", status="206 Partial Content", length=len(rest))

    return reply


def leave(content: bytes) -> None:
    """What an earlier run got of the file."""
    with Part(DIGEST) as part:
        part.write(content)


def cache_is_clean() -> bool:
    """Only whole files, and nothing on its way."""
    there = [path for path in (cache_dir() / "sha256").rglob("*") if path.is_file()]
    right = all(hashlib.sha256(p.read_bytes()).hexdigest() == p.name for p in there)
    return right and not list((cache_dir() / "partial").glob("*"))


# --- continued ---


def test_the_next_run_continues_where_this_one_was_cut(http: Http) -> None:
    def cut_for_good(request: Request) -> bytes:
        return b"" if begun(request) else ranged(piece=HALF)(request)

    with serving(cut_for_good) as server, pytest.raises(SourceError):
        fetch(http, wanted(server))
    assert not has_stored(DIGEST)
    with serving(ranged()) as server:
        assert fetch(http, wanted(server)).read_bytes() == BODY
    assert [begun(request) for request in server.seen] == [HALF]
    assert cache_is_clean()


def test_another_place_continues_what_the_first_one_began(http: Http) -> None:
    def cut_then_gone(request: Request) -> bytes:
        return ranged(piece=HALF)(request) if not begun(request) else GONE

    with serving(cut_then_gone) as first, serving(ranged()) as second:
        assert fetch(http, wanted(first, second)).read_bytes() == BODY
    assert [begun(request) for request in second.seen] == [HALF]


def test_each_attempt_that_gets_on_counts_as_a_first_one(http: Http) -> None:
    with serving(ranged(BODY * 4, piece=len(BODY) // 3)) as server:
        body = BODY * 4
        digest = hashlib.sha256(body).hexdigest()
        file = Wanted(name="large", sha256=digest, size=len(body), urls=(server.url(),))
        assert fetch(http, file).stat().st_size == len(body)
    assert len(server.seen) == 13


@pytest.mark.parametrize(
    ("left", "asked"),
    [
        (BODY, []),
        (b"?" * 1000, [1000, 0]),
        (b"?" * len(BODY), [0]),
        (BODY + b"more", [0]),
    ],
)
def test_what_was_left_is_believed_by_its_digest_only(
    http: Http, left: bytes, asked: list[int]
) -> None:
    leave(left)
    with serving(ranged()) as server:
        assert fetch(http, wanted(server)).read_bytes() == BODY
    assert [begun(request) for request in server.seen] == asked
    assert cache_is_clean()


def test_a_server_that_has_less_than_what_was_left_is_asked_for_all(http: Http) -> None:
    leave(BODY[:-1])
    with serving(ranged(BODY[:HALF])) as server, pytest.raises(VerificationError):
        fetch(http, wanted(server))
    assert [begun(request) for request in server.seen] == [len(BODY) - 1, 0]
    assert cache_is_clean()


def test_without_a_size_nothing_is_continued(http: Http) -> None:
    leave(BODY[:HALF])
    with serving(ranged()) as server:
        assert fetch(http, wanted(server, size=None)).read_bytes() == BODY
    assert [begun(request) for request in server.seen] == [0]


# --- refused ---


@pytest.mark.parametrize("body", [BODY[:-1] + b"?", BODY[:-1], BODY + b"?", b""])
def test_other_bytes_leave_nothing(http: Http, body: bytes) -> None:
    with serving(lambda r: ok(body)) as server, pytest.raises(VerificationError) as caught:
        fetch(http, wanted(server))
    assert "file.whl" in caught.value.what
    assert caught.value.where == server.url()
    assert cache_is_clean()


def test_a_body_without_end_is_cut_off(http: Http) -> None:
    sent = []

    def flood(request: Request) -> bytes:
        sent.append(request)
        return ok(BODY * 40)

    with serving(flood) as server, pytest.raises(VerificationError):
        fetch(http, wanted(server))
    assert len(sent) == 1
    assert cache_is_clean()


def test_one_that_lies_does_not_keep_the_next_place_from_serving(http: Http) -> None:
    with serving(lambda r: ok(BODY[:-1] + b"?")) as liar, serving(ranged()) as honest:
        assert fetch(http, wanted(liar, honest)).read_bytes() == BODY
    assert [begun(request) for request in honest.seen] == [0]


def test_a_file_that_nobody_has_does_not_keep_the_rest_away(http: Http) -> None:
    def but_three(request: Request) -> bytes:
        return GONE if request.path == "/3" else number(request)

    with serving(but_three) as server:
        files = numbered(20, server)
        with pytest.raises(MissingError, match="file 3") as caught:
            fetch_all(http, files)
    assert caught.value.exit_code == 3
    assert [has_stored(file.sha256) for file in files].count(False) == 1


def test_wrong_bytes_do_not_keep_the_rest_away_and_all_are_named(http: Http) -> None:
    wrong = {"/2", "/5", "/7"}

    def reply(request: Request) -> bytes:
        if request.path == "/4":
            return GONE
        return ok(b"?") if request.path in wrong else number(request)

    with serving(reply) as server:
        files = numbered(10, server)
        with pytest.raises(VerificationError) as caught:
            fetch_all(http, files)
    assert caught.value.exit_code == 4
    assert all(f"file {n}" in caught.value.what for n in (2, 5, 7))
    assert caught.value.what.startswith("4 files cannot be fetched")
    assert [n for n, file in enumerate(files) if not has_stored(file.sha256)] == [2, 4, 5, 7]
    with serving(number) as server:
        fetch_all(http, numbered(10, server))
    assert len(server.seen) == 4


# --- places ---


def test_one_that_does_not_answer_is_soon_asked_last(http: Http) -> None:
    with serving(lambda r: b"") as silent, serving(number) as good:
        files = numbered(60, silent, good)
        assert len(fetch_all(http, files)) == 60
    assert len({request.path for request in silent.seen}) <= PARALLEL
    assert len(good.seen) == 60


def test_when_nobody_answers_it_ends_soon_and_says_who(http: Http) -> None:
    with serving(lambda r: b"") as silent, pytest.raises(SourceError) as caught:
        fetch_all(http, numbered(200, silent))
    assert caught.value.where is not None
    assert caught.value.where.startswith(silent.base)
    assert len({request.path for request in silent.seen}) < 50


def test_no_place_at_all(http: Http) -> None:
    with pytest.raises(MissingError, match=r"no place to fetch file\.whl"):
        fetch(http, wanted())


def test_further_places_are_looked_for_only_when_needed(http: Http) -> None:
    looked = []

    def further() -> Iterator[str]:
        looked.append(1)
        yield good.url()

    with serving(lambda r: GONE) as empty, serving(ranged()) as good:
        for urls in ((good.url(),), (empty.url(),)):
            file = Wanted(name="f", sha256=DIGEST, size=len(BODY), urls=urls, further=further)
            stored(DIGEST).unlink(missing_ok=True)
            assert fetch(http, file).read_bytes() == BODY
    assert looked == [1]


def test_who_asks_to_wait_is_left_alone_by_all(http: Http) -> None:
    times: list[float] = []
    guard = threading.Lock()

    def busy_at_first(request: Request) -> bytes:
        with guard:
            times.append(time.monotonic())
            first = len(times) == 1
        if first:
            return ok(b"", "Retry-After: 1", status="429 Too Many Requests")
        time.sleep(0.02)
        return number(request)

    with serving(busy_at_first) as server:
        assert len(fetch_all(http, numbered(100, server))) == 100
    early = [moment for moment in times if moment < times[0] + 0.9]
    assert len(early) <= 2 * PARALLEL, "only what was under way already"
    assert len(times) == 101


def test_each_request_asks_for_leave_and_has_its_credentials(http: Http) -> None:
    asked: list[str] = []
    with serving(ranged()) as server:
        file = Wanted(
            name="f",
            sha256=DIGEST,
            size=len(BODY),
            urls=(server.url("/a"),),
            before=asked.append,
            login=lambda url: ("me", "secret") if url == server.url("/a") else None,
        )
        fetch(http, file)
    assert asked == [server.url("/a")]
    assert [request.login() for request in server.seen] == ["me:secret"]


# --- progress, disk, giving up ---


def test_progress_is_in_bytes_and_ends_at_the_total(http: Http) -> None:
    class Counted(SilentReporter):
        told: list[tuple[int, int | None]] = []  # noqa: RUF012

        def progress(self, done: int, total: int | None) -> None:
            self.told.append((done, total))

    leave(BODY[:1000])
    reporter = Counted()
    replies = iter([ranged(piece=HALF)])

    def cut_once(request: Request) -> bytes:
        return next(replies, ranged())(request)

    with serving(cut_once) as server, serving(number) as small:
        fetch_all(http, [wanted(server), *numbered(11, small)], reporter)
    total = len(BODY) + 12
    assert reporter.told[-1] == (total, total)
    assert {whole for _, whole in reporter.told} == {total}
    assert all(0 <= done <= total for done, _ in reporter.told)


def test_a_full_disk_ends_it_and_leaves_nothing(http: Http) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serving(ranged()) as server, serving(number) as small:
        files = [wanted(server), *numbered(5, small)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, hard))
        try:
            with pytest.raises(DiskError, match="cannot write: File too large") as caught:
                fetch_all(http, files)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.exit_code == 3
        assert caught.value.remedy
        assert cache_is_clean()
        assert len(fetch_all(http, files)) == 6


def test_what_is_given_up_ends_at_once_and_is_continued_later(http: Http) -> None:
    class Interrupting(SilentReporter):
        """Somebody presses Ctrl-C once half of it is there."""

        def __init__(self) -> None:
            self.half = threading.Event()

        def progress(self, done: int, total: int | None) -> None:
            if done >= HALF:
                self.half.set()

    def stalls(request: Request) -> bytes:
        if request.path == "/file":
            return ok(BODY[:HALF], length=len(BODY))
        reporter.half.wait(5)
        return GONE if request.path == "/0" else b""

    reporter = Interrupting()
    with Http(timeout=30, retries=0) as patient, serving(stalls) as server:
        started = time.monotonic()
        with pytest.raises(SourceError):
            fetch_all(patient, [wanted(server), *numbered(2, server)], reporter)
        assert time.monotonic() - started < 5, "it waited for the transfer that hangs"
    with serving(ranged()) as server:
        fetch(http, wanted(server))
    assert [begun(request) for request in server.seen] == [HALF]


def test_what_is_there_asks_nobody(http: Http) -> None:
    with serving(number) as server:
        files = numbered(30, server)
        fetch_all(http, files)
        server.seen.clear()
        assert fetch_all(http, files) == {file.sha256: stored(file.sha256) for file in files}
    assert server.seen == []
