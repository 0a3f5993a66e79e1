"""What the HTTP client decides before and after a transfer: settings, sinks, pauses."""

from __future__ import annotations

import hashlib
import ssl
import time
from concurrent.futures import Future
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.errors import EnvlockError, SourceError, UsageError
from envlock.io.http.client import Http, Response, expect_ok
from envlock.io.http.sinks import CountingSink, FileSink, MemorySink
from envlock.io.http.transfer import MAX_DELAY_SECONDS, Settings, Transfer, delay, retry_after

URL = "https://user:secret@example.org/file"


@pytest.mark.parametrize("name", ["ENVLOCK_HTTP_RETRIES", "ENVLOCK_HTTP_TIMEOUT"])
@pytest.mark.parametrize("value", ["many", "-1", "nan", "inf"])
def test_a_variable_that_is_no_number_is_named(name: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        Http(environ={name: value, "SSL_CERT_DIR": "/"})
    assert f"{name}={value}" in str(caught.value)


def test_variables_count_unless_a_parameter_is_given() -> None:
    environ = {"ENVLOCK_HTTP_RETRIES": "7", "ENVLOCK_HTTP_TIMEOUT": "2.5", "SSL_CERT_DIR": "/"}
    settings = Http(environ=environ)._loop._settings
    assert (settings.retries, settings.timeout) == (7, 2.5)
    settings = Http(environ=environ, retries=0, timeout=1)._loop._settings
    assert (settings.retries, settings.timeout) == (0, 1)


def test_the_ca_bundle_parameter_goes_before_variables_in_order(tmp_path: Path) -> None:
    names = ["explicit", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
    for name in names:
        (tmp_path / name).touch()
    environ = {name: str(tmp_path / name) for name in names[1:]} | {"SSL_CERT_DIR": str(tmp_path)}
    found = [Http(environ=environ, certificate=str(tmp_path / "explicit"))._loop._settings]
    for name in [*names[1:], ""]:
        found.append(Http(environ=environ)._loop._settings)
        environ.pop(name, None)
    assert [Path(s.certificate).name for s in found[:4] if s.certificate] == names
    assert (found[4].certificate, found[4].certificate_folder) == (None, str(tmp_path))
    default = Http(environ={})._loop._settings
    paths = ssl.get_default_verify_paths()
    assert (default.certificate, default.certificate_folder) == (paths.cafile, paths.capath)


def test_a_missing_ca_bundle_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(UsageError, match=r"missing\.pem: SSL_CERT_FILE: no such CA bundle"):
        Http(environ={"SSL_CERT_FILE": missing})
    with pytest.raises(UsageError, match=r"missing\.pem: no such CA bundle"):
        Http(environ={}, certificate=missing)


def test_a_client_that_was_never_used_has_no_thread() -> None:
    with Http(environ={"SSL_CERT_DIR": "/"}) as http:
        assert http._loop._thread is None


@given(st.integers(0, 60), st.integers(0, 10**9), st.floats(0, 5))
def test_pauses_grow_and_are_bounded(attempt: int, asked: int, backoff: float) -> None:
    pause = delay(attempt, asked, Settings(backoff=backoff))
    assert pause <= MAX_DELAY_SECONDS
    assert pause >= min(backoff * 2**attempt, MAX_DELAY_SECONDS)
    assert pause >= min(asked, MAX_DELAY_SECONDS)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("3", 3, 3),
        ("", 0, 0),
        ("soon", 0, 0),
        ("-3", 0, 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", -1e10, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, low: float, high: float) -> None:
    transfer = Transfer(url=URL, sink=CountingSink(), future=Future())
    transfer.on_header(b"HTTP/1.1 429 Slow\r\n")
    transfer.on_header(f"Retry-After: {text}\r\n".encode())
    assert low <= retry_after(transfer.received) <= high


def test_retry_after_may_be_a_moment_ahead() -> None:
    transfer = Transfer(url=URL, sink=CountingSink(), future=Future())
    transfer.received["retry-after"] = formatdate(time.time() + 1000, usegmt=True)
    assert 900 <= retry_after(transfer.received) <= 1000


def test_headers_of_the_last_block_count() -> None:
    transfer = Transfer(url=URL, sink=CountingSink(), future=Future())
    lines = [
        b"HTTP/1.1 302 Found\r\n",
        b"Location: /there\r\n",
        b"\r\n",
        b"HTTP/2 200 \r\n",
        b"Content-Type: text/html; charset=utf-8\r\n",
        b"X-Two: a\r\n",
        b"x-two:  b \r\n",
        b"\r\n",
    ]
    for line in lines:
        transfer.on_header(line)
    assert transfer.status == 200
    assert transfer.received == {"content-type": "text/html; charset=utf-8", "x-two": "a, b"}


@given(st.lists(st.binary(max_size=20)), st.integers(0, 60))
def test_memory_sink_is_bounded(chunks: list[bytes], limit: int) -> None:
    sink = MemorySink(URL, limit)
    sink.begin(200, {})
    accepted = all(sink.write(chunk) for chunk in chunks)
    whole = b"".join(chunks)
    assert accepted == (len(whole) <= limit)
    if accepted:
        assert sink.body() == whole
        assert sink.error() is None
    else:
        error = sink.error()
        assert error is not None
        assert "secret" not in str(error)


@given(st.lists(st.binary(min_size=1, max_size=20)), st.integers(0, 60))
def test_memory_sink_can_stop_at_the_first_bytes(chunks: list[bytes], first: int) -> None:
    sink = MemorySink(URL, 10**6, first=first)
    sink.begin(200, {})
    for chunk in chunks:
        if not sink.write(chunk):
            break
    assert sink.body() == b"".join(chunks)[:first]
    assert sink.error() is None


@pytest.mark.parametrize("whole", [False, True])
def test_file_sink_continues_or_begins_again(tmp_path: Path, whole: bool) -> None:
    content = b"0123456789" * 10
    sink = FileSink(tmp_path / "part")
    sink.begin(200, {})
    sink.write(content[:37])
    assert sink.range() == "37-"
    if whole:
        sink.begin(200, {})
        sink.write(content)
    else:
        sink.begin(206, {"content-range": "bytes 37-99/100"})
        sink.write(content[37:])
    sink.flush()
    sink.close()
    assert sink.digest() == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "part").read_bytes() == content


@given(chunks=st.lists(st.binary(max_size=20), max_size=6), limit=st.integers(0, 60))
def test_file_sink_is_bounded(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], limit: int
) -> None:
    part = tmp_path_factory.mktemp("sink") / "part"
    sink = FileSink(part, limit=limit)
    sink.begin(200, {})
    accepted = all(sink.write(chunk) for chunk in chunks)
    sink.close()
    assert accepted == (sum(map(len, chunks)) <= limit) == (not sink.overlong)
    assert part.stat().st_size <= limit
    assert sink.error() is None


def test_file_sink_starts_over_when_it_was_too_much(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "part", limit=10)
    sink.begin(200, {"content-length": "11"})
    assert not sink.write(b"x")
    sink.begin(200, {"content-length": "10"})
    assert sink.write(b"0123456789")
    assert not sink.overlong
    sink.close()


def test_file_sink_distrusts_another_range(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "part")
    sink.begin(200, {})
    sink.write(b"0123456789")
    sink.begin(206, {"content-range": "bytes 1-9/10"})
    sink.write(b"abc")
    sink.close()
    assert sink.digest() == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("status", [301, 401, 403, 404, 410, 418])
def test_other_statuses_are_errors_without_credentials(status: int) -> None:
    response = Response(status=status, headers={}, body=b"", url=URL)
    with pytest.raises(SourceError) as caught:
        expect_ok(response, URL)
    error: EnvlockError = caught.value
    assert str(status) in str(error)
    assert error.where == "https://example.org/file"
    assert error.remedy
    assert "secret" not in str(error)


def test_success_passes_through() -> None:
    response = Response(status=206, headers={}, body=b"x", url=URL)
    assert expect_ok(response, URL) is response
