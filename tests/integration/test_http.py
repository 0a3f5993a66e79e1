"""The HTTP client against a server that misbehaves byte by byte, on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socketserver
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from support.byte_server import Reply, Request, in_turn, ok, serving

from envlock.errors import EnvlockError, SourceError, VerificationError
from envlock.io.http.client import Http, Response
from envlock.io.http.sinks import FileSink, MemorySink
from envlock.io.http.transfer import Transfer

BODY = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> Iterator[Http]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with Http(retries=2, backoff=0.01, timeout=2) as client:
        yield client


def fault(http: Http, reply: Reply) -> str:
    with serving(reply) as server:
        url = server.url(login="user:secret@")
        with pytest.raises(SourceError) as caught:
            http.get(url)
    text = str(caught.value)
    assert server.url() in text
    assert "secret" not in text
    assert caught.value.remedy
    return text


# --- answers ---


def test_get(http: Http) -> None:
    reply = ok(b"hello", "X-Thing: a", "Content-Type: text/plain")
    with serving(lambda r: reply) as server:
        response = http.get(server.url(), headers={"Accept": "text/plain"})
    assert (response.status, response.body, response.url) == (200, b"hello", server.url())
    assert response.headers["x-thing"] == "a"
    assert response.complete
    assert server.seen[0].headers["accept"] == "text/plain"
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize("status", ["404 Not Found", "401 Unauthorized", "304 Not Modified"])
def test_other_answers_are_answers(http: Http, status: str) -> None:
    with serving(lambda r: ok(b"", status=status)) as server:
        assert http.get(server.url()).status == int(status[:3])
    assert len(server.seen) == 1


def test_compressed_bodies_are_unpacked(http: Http) -> None:
    import gzip

    packed = ok(gzip.compress(BODY), "Content-Encoding: gzip")
    with serving(lambda r: packed) as server:
        assert http.get(server.url()).body == BODY
        assert "gzip" in server.seen[0].headers["accept-encoding"]
        with pytest.raises(SourceError, match="larger than 1000 bytes"):
            http.get(server.url(), max_bytes=1000)


def test_first_bytes_only(http: Http) -> None:
    with serving(lambda r: ok(BODY)) as server:
        response = http.get(server.url(), first=1000)
        assert (response.body, response.complete) == (BODY[:1000], False)
        response = http.get(server.url(), first=len(BODY))
        assert (response.body, response.complete) == (BODY, True)


def test_range(http: Http) -> None:
    part = ok(b"89", "Content-Range: bytes 8-9/10", status="206 Partial Content")
    with serving(lambda r: part) as server:
        assert http.get(server.url(), span="-2").status == 206
    assert server.seen[0].headers["range"] == "bytes=-2"


def test_many_at_once_from_many_threads(http: Http) -> None:
    def reply(request: Request) -> bytes:
        time.sleep(0.005)
        return ok(request.path.encode())

    with serving(reply) as server, ThreadPoolExecutor(8) as pool:
        paths = [f"/{number}" for number in range(200)]
        bodies = list(pool.map(lambda path: http.get(server.url(path)).body.decode(), paths))
    assert bodies == paths
    assert server.connections <= 8


def test_waiting_for_a_connection_is_no_timeout() -> None:
    """Eight connections, forty requests of 0.15 s: the last ones wait longer than the limit."""

    def reply(request: Request) -> bytes:
        time.sleep(0.15)
        return ok(b"x")

    with serving(reply) as server, Http(retries=0, timeout=0.5) as http:
        futures = [http.submit(server.url(f"/{number}")) for number in range(40)]
        assert [future.result().body for future in futures] == [b"x"] * 40


# --- attempts ---


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        ok(b"", status="500 Oops"),
        ok(b"", status="502 Bad Gateway"),
        ok(b"", "Retry-After: 0", status="503 Busy"),
        ok(b"", "Retry-After: 0", status="429 Slow"),
        ok(b"half", "Connection: close", length=8),
    ],
    ids=["cut", "500", "502", "503", "429", "truncated"],
)
def test_passing_faults_are_tried_again(http: Http, bad: bytes) -> None:
    with serving(in_turn(bad, bad, ok(b"good"))) as server:
        assert http.get(server.url()).body == b"good"
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (ok(b"", status="500 Oops"), "answered 500 3 times"),
        (ok(b"", "Retry-After: 0", status="429 Slow"), "answered 429 3 times"),
        (ok(b"half", "Connection: close", length=8), "cut short 3 times"),
        (b"", "transfer failed 3 times"),
        (b"nonsense\r\n\r\n", "not HTTP"),
    ],
)
def test_lasting_faults_are_errors(http: Http, bad: bytes, words: str) -> None:
    assert words in fault(http, lambda r: bad)


def test_retry_after_is_honoured(http: Http) -> None:
    busy = ok(b"", "Retry-After: 1", status="429 Slow")
    with serving(in_turn(busy, ok(b"good"))) as server:
        start = time.monotonic()
        assert http.get(server.url()).body == b"good"
    assert time.monotonic() - start >= 1


def test_silence_is_an_error() -> None:
    def hang(request: Request) -> bytes:
        time.sleep(3)
        return b""

    with Http(retries=0, timeout=1) as http:
        start = time.monotonic()
        assert "no answer in time" in fault(http, hang)
        assert time.monotonic() - start < 3


def test_nobody_there(http: Http) -> None:
    with serving(lambda r: b"") as server:
        url = server.url()
    with pytest.raises(SourceError, match="transfer failed 3 times") as caught:
        http.get(url)
    assert url in str(caught.value)


def test_closing_fails_what_is_under_way() -> None:
    entered = threading.Event()

    def hang(request: Request) -> bytes:
        entered.set()
        time.sleep(1)
        return b""

    with serving(hang) as server:
        with Http() as http:
            future = http.submit(server.url())
            assert entered.wait(5)
        with pytest.raises(SourceError, match="abandoned"):
            future.result(timeout=5)
        with pytest.raises(RuntimeError):
            http.submit(server.url())


def test_a_client_that_breaks_inside_keeps_nobody_waiting(http: Http) -> None:
    class Broken(dict[str, str]):
        def items(self) -> NoReturn:
            raise ZeroDivisionError

    with serving(lambda r: ok(b"x")) as server:
        sink = MemorySink(server.url(), 10)
        future = http._send(server.url(), sink, headers={"a": "b"})
        assert future.result(timeout=5).body == b"x"
        future = Future[Response]()
        http._loop.add(Transfer(url=server.url(), sink=sink, future=future, headers=Broken(a="b")))
        with pytest.raises(SourceError, match="ZeroDivisionError"):
            future.result(timeout=5)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://ü/\x00"])
def test_other_protocols_are_refused(http: Http, url: str) -> None:
    with pytest.raises(SourceError, match=r"only http and https|not a usable address"):
        http.get(url)


# --- redirects and credentials ---


def test_redirects(http: Http) -> None:
    def reply(request: Request) -> bytes:
        step = int(request.path[1:])
        if step == 0:
            return ok(b"there")
        return ok(b"", f"Location: /{step - 1}", status="302 Found")

    with serving(reply) as server:
        response = http.get(server.url("/10"))
        assert (response.body, response.url) == (b"there", server.url("/0"))
        with pytest.raises(SourceError, match="more than 10 redirects"):
            http.get(server.url("/11"))


def test_redirects_do_not_leave_the_web(http: Http, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    there = ok(b"", f"Location: file://{tmp_path}/secret", status="302 Found")
    assert "only http and https" in fault(http, lambda r: there)


def test_credentials_stay_with_their_host(http: Http) -> None:
    with serving(lambda r: ok(b"files")) as other:
        port = other.base.rpartition(":")[2]
        away = ok(b"", f"Location: http://localhost:{port}/x", status="302 Found")
        with serving(lambda r: away) as server:
            body = http.get(server.url(), credentials=("us er", "p:w@d")).body
            assert body == b"files"
            assert server.seen[0].login() == "us er:p:w@d"
            http.get(server.url(login="us%20er:p%40d@"))
            assert server.seen[1].login() == "us er:p@d"
    assert all("authorization" not in request.headers for request in other.seen)


def test_an_explicit_header_stays_with_its_host_too(http: Http) -> None:
    with serving(lambda r: ok(b"files")) as other:
        port = other.base.rpartition(":")[2]
        away = ok(b"", f"Location: http://localhost:{port}/x", status="302 Found")
        with serving(lambda r: away) as server:
            http.get(server.url(), headers={"Authorization": "Bearer token"})
        assert server.seen[0].headers["authorization"] == "Bearer token"
    assert "authorization" not in other.seen[0].headers


def test_netrc(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password hidden\n")
    netrc.chmod(0o600)
    with serving(lambda r: ok(b"x")) as server, Http(environ={"NETRC": str(netrc)}) as http:
        http.get(server.url())
        http.get(server.url(), credentials=("other", "pw"))
    assert [request.login() for request in server.seen] == ["someone:hidden", "other:pw"]


def test_proxy(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda r: ok(b"by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.base)
        monkeypatch.setenv("no_proxy", "127.0.0.2")
        assert http.get("http://example.org/x").body == b"by proxy"
    assert proxy.seen[0].path == "http://example.org/x"


# --- sizes ---


def sizes_reply(kind: str) -> Reply:
    def reply(request: Request) -> bytes:
        if request.method == "HEAD":
            if kind == "head":
                return ok(b"", length=len(BODY))
            if kind == "gone":
                return ok(b"", status="404 Not Found")
            if kind == "empty-head":
                return ok(b"")
            return ok(b"", status="405 Method Not Allowed")
        if "range" in request.headers and kind in ("range", "empty-head"):
            assert request.headers["range"] == "bytes=0-0"
            span = f"Content-Range: bytes 0-0/{len(BODY)}"
            return ok(BODY[:1], span, status="206 Partial Content")
        if kind == "chunked":
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY, b"tail"))
            return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        return ok(BODY)

    return reply


@pytest.mark.parametrize(
    ("kind", "size", "requests"),
    [
        ("head", len(BODY), 1),
        ("range", len(BODY), 2),
        ("empty-head", len(BODY), 2),
        ("whole", len(BODY), 2),
        ("chunked", len(BODY) + 4, 3),
    ],
)
def test_sizes_by_any_means(http: Http, kind: str, size: int, requests: int) -> None:
    with serving(sizes_reply(kind)) as server:
        assert http.head_sizes([server.url()]) == {server.url(): size}
        assert len(server.seen) == requests


def test_sizes_of_many(http: Http) -> None:
    progress: list[int] = []
    with serving(lambda r: ok(b"", length=int(r.path[1:]) + 1)) as server:
        urls = [server.url(f"/{number}") for number in range(150)]
        sizes = http.head_sizes(urls + urls, progress.append, credentials=lambda url: ("u", "p"))
    assert sizes == {url: number + 1 for number, url in enumerate(urls)}
    assert progress == list(range(1, 151))
    assert {request.login() for request in server.seen} == {"u:p"}
    assert len(server.seen) == 150


def test_a_size_that_cannot_be_had_names_the_file(http: Http) -> None:
    with serving(sizes_reply("gone")) as server, pytest.raises(SourceError) as caught:
        http.head_sizes([server.url("/missing.whl")])
    assert server.url("/missing.whl") in str(caught.value)
    assert "404" in str(caught.value)


# --- downloads ---


def from_position(request: Request) -> int:
    return int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


def cutting(pieces: int, *, ranges: bool = True) -> Reply:
    """Gives the body in pieces, cutting the connection after each."""
    step = len(BODY) // pieces

    def reply(request: Request) -> bytes:
        start = from_position(request) if ranges else 0
        rest = BODY[start:]
        piece = rest if len(rest) <= step + pieces else rest[:step]
        if start:
            span = f"Content-Range: bytes {start}-{len(BODY) - 1}/{len(BODY)}"
            status = "206 Partial Content"
            return ok(piece, span, "Connection: close", status=status, length=len(rest))
        return ok(piece, "Connection: close", length=len(rest))

    return reply


def folder_is_clean(folder: Path) -> bool:
    return list(folder.iterdir()) == []


def test_download(http: Http, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.whl"
    with serving(lambda r: ok(BODY)) as server:
        http.download(server.url(), target, sha256=DIGEST, size=len(BODY))
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]


def test_a_cut_download_continues(http: Http, tmp_path: Path) -> None:
    target = tmp_path / "file.whl"
    with serving(cutting(3)) as server:
        http.download(server.url(), target, sha256=DIGEST)
    assert target.read_bytes() == BODY
    positions = [from_position(request) for request in server.seen]
    assert positions[0] == 0
    assert positions == sorted(set(positions))
    assert len(positions) == 3


def test_a_server_without_ranges_starts_over(http: Http, tmp_path: Path) -> None:
    target = tmp_path / "file.whl"
    answers = in_turn(ok(BODY[:1000], "Connection: close", length=len(BODY)), ok(BODY))
    with serving(answers) as server:
        http.download(server.url(), target, sha256=DIGEST)
    assert target.read_bytes() == BODY


def test_a_file_that_changed_between_pieces_is_fetched_in_one(http: Http, tmp_path: Path) -> None:
    old = b"?" * 1000
    answers = [
        ok(old, "Connection: close", length=len(BODY)),
        ok(
            BODY[1000:],
            f"Content-Range: bytes 1000-{len(BODY) - 1}/{len(BODY)}",
            status="206 Partial Content",
        ),
        ok(BODY),
    ]
    target = tmp_path / "file.whl"
    with serving(in_turn(*answers)) as server:
        http.download(server.url(), target, sha256=DIGEST)
    assert target.read_bytes() == BODY
    assert len(server.seen) == 3


@pytest.mark.parametrize("kind", ["digest", "size", "missing", "endless-cuts"])
def test_a_failed_download_leaves_nothing(http: Http, tmp_path: Path, kind: str) -> None:
    replies: dict[str, Reply] = {
        "digest": lambda r: ok(BODY[:-1] + b"?"),
        "size": lambda r: ok(BODY),
        "missing": lambda r: ok(b"", status="404 Not Found"),
        "endless-cuts": lambda r: ok(b"", "Connection: close", length=9),
    }
    kinds = {"digest": VerificationError, "size": VerificationError}
    error = kinds.get(kind, SourceError)
    with serving(replies[kind]) as server, pytest.raises(error) as caught:
        http.download(server.url(), tmp_path / "file.whl", sha256=DIGEST, size=1)
    assert server.url() in str(caught.value)
    assert folder_is_clean(tmp_path)


@contextmanager
def endless(status: str = "200 OK") -> Iterator[tuple[str, list[int]]]:
    """A server whose answers have no end: its address, and the bytes sent by each connection."""
    sent: list[int] = []
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            head = f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n"
            number = len(sent)
            sent.append(0)
            with contextlib.suppress(OSError):
                self.wfile.write(head.encode())
                while True:
                    self.wfile.write(chunk)
                    sent[number] += len(chunk)

    class Threaded(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Threaded(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/file", sent
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("stated", "code", "words"),
    [
        ({"sha256": DIGEST, "size": len(BODY)}, 4, f"more than the stated {len(BODY)} bytes"),
        ({"sha256": DIGEST, "max_bytes": len(BODY)}, 3, "or has no end"),
        ({"sha256": None, "max_bytes": len(BODY)}, 3, "or has no end"),
    ],
)
def test_a_download_without_end_is_cut_off(
    http: Http, tmp_path: Path, stated: dict[str, Any], code: int, words: str
) -> None:
    with endless() as (url, sent), pytest.raises(EnvlockError, match=words) as caught:
        http.download(url, tmp_path / "file.whl", **stated)
    assert caught.value.exit_code == code
    assert caught.value.where == url
    assert folder_is_clean(tmp_path)
    # What was on its way when we hung up is in it.
    assert [count < 16 * len(BODY) for count in sent] == [True]


@pytest.mark.parametrize("status", ["404 Not Found", "503 Busy"])
def test_an_error_page_without_end_is_cut_off(http: Http, tmp_path: Path, status: str) -> None:
    with endless(status) as (url, _), pytest.raises(SourceError, match=status[:3]):
        http.download(url, tmp_path / "file.whl", sha256=DIGEST)
    assert folder_is_clean(tmp_path)


def test_a_file_that_is_announced_too_long_is_not_waited_for(http: Http, tmp_path: Path) -> None:
    with (
        serving(lambda r: ok(BODY[:1000], length=len(BODY))) as server,
        pytest.raises(VerificationError, match="more than the stated 5000 bytes"),
    ):
        http.download(server.url(), tmp_path / "file.whl", sha256=DIGEST, size=5000)
    assert len(server.seen) == 1
    assert folder_is_clean(tmp_path)


def test_a_longer_second_piece_is_fetched_in_one(http: Http, tmp_path: Path) -> None:
    more = BODY[1000:] + b"of another file"
    end = 1000 + len(more)
    answers = [
        ok(BODY[:1000], "Connection: close", length=len(BODY)),
        ok(more, f"Content-Range: bytes 1000-{end - 1}/{end}", status="206 Partial Content"),
        ok(BODY),
    ]
    target = tmp_path / "file.whl"
    with serving(in_turn(*answers)) as server:
        http.download(server.url(), target, sha256=DIGEST, size=len(BODY))
    assert target.read_bytes() == BODY
    assert len(server.seen) == 3


def test_a_failed_download_leaves_the_old_file(http: Http, tmp_path: Path) -> None:
    target = tmp_path / "file.whl"
    target.write_bytes(b"old")
    with serving(lambda r: ok(BODY)) as server, pytest.raises(VerificationError):
        http.download(server.url(), target, sha256="0" * 64)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_made(http: Http, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SourceError, match="cannot write"):
        http.download("http://127.0.0.1:9/x", tmp_path / "file" / "x.whl", sha256=DIGEST)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_so(http: Http) -> None:
    sink = FileSink(Path("/dev/full"))
    with serving(lambda r: ok(BODY)) as server, pytest.raises(SourceError, match="cannot write"):
        http._send(server.url(), sink).result()
    sink.close()


def test_an_error_page_between_two_pieces_is_no_part_of_the_file(
    http: Http, tmp_path: Path
) -> None:
    answers = [
        ok(BODY[:1000], "Connection: close", length=len(BODY)),
        ok(b"try again later", "Retry-After: 0", status="503 Busy"),
        ok(
            BODY[1000:],
            f"Content-Range: bytes 1000-{len(BODY) - 1}/{len(BODY)}",
            status="206 Partial Content",
        ),
    ]
    target = tmp_path / "file.whl"
    with serving(in_turn(*answers)) as server:
        http.download(server.url(), target, sha256=DIGEST)
    assert target.read_bytes() == BODY
    assert [from_position(request) for request in server.seen] == [0, 1000, 1000]
