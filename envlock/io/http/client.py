"""HTTP: parallel (one thread, HTTP/2 multiplexed), retried, resumed, verified. libcurl does it.

What every transfer has: http and https only; at most ten redirects, never from https to http;
credentials that stay with their host; proxies from the environment as curl reads them
(``https_proxy``, ``no_proxy``, …); ``~/.netrc``; a 10 s limit to connect and a 30 s limit without
progress; new attempts after passing faults (429, 500, 502, 503, 504, cut or stalled connections)
with growing pauses that honour ``Retry-After`` up to 30 s, for all transfers from that server. A
body shorter than announced is an error; an attempt that brought a file on by 256 KiB counts as a
first one.

Environment: ``ENVLOCK_HTTP_RETRIES`` (default 3), ``ENVLOCK_HTTP_TIMEOUT`` (seconds, default 30);
for the CA bundle ``SSL_CERT_FILE``, ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE``, ``SSL_CERT_DIR``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future, as_completed
from pathlib import Path
from types import TracebackType

from envlock.errors import MissingError, SourceError
from envlock.io.files import disk_error
from envlock.io.http.bodies import Body
from envlock.io.http.loop import Loop
from envlock.io.http.settings import http_settings
from envlock.io.http.sinks import CountingSink, FileSink, MemorySink, Sink
from envlock.io.http.transfer import (
    NETWORK_REMEDY,
    Response,
    Transfer,
    delay,
    retry_after,
)
from envlock.io.http.urls import split_credentials, without_credentials

__all__ = ["Http", "Login", "Response", "expect_ok"]

Login = tuple[str, str]
"""User and password of HTTP basic authentication."""

MAX_BYTES = 256 * 1024 * 1024
MAX_FILE_BYTES = 8 * 1024 * 1024 * 1024
"""A file of unknown size is not brought any further; no wheel comes near."""
_NO_HEAD = frozenset({403, 405, 501})


class Http:
    """A client; a context manager that owns one worker thread, started by the first request.

    Its methods may be called from any thread.

    Args:
        certificate: a CA bundle (PEM) that goes before those of the environment.
        retries: attempts after the first one.
        timeout: seconds without any progress after which an attempt is given up.
        backoff: seconds before the second attempt; doubled for each further one, plus jitter.
        environ: the variables to read; this process's when None.

    Raises:
        UsageError: a variable or the CA bundle cannot be used.
    """

    def __init__(
        self,
        *,
        certificate: str | None = None,
        retries: int | None = None,
        timeout: float | None = None,
        backoff: float = 0.25,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = http_settings(
            os.environ if environ is None else environ,
            certificate=certificate,
            retries=retries,
            timeout=timeout,
            backoff=backoff,
        )
        self._loop = Loop(self._settings)

    def __enter__(self) -> Http:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the thread; unfinished transfers fail."""
        self._loop.close()

    def submit(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Login | None = None,
        max_bytes: int = MAX_BYTES,
        span: str | None = None,
        first: int | None = None,
    ) -> Future[Response]:
        """Start a GET. The future gives the ``Response`` (any status but those retried in vain).

        Args:
            url: http or https; a user part is taken out and used as credentials.
            headers: more request headers.
            credentials: user and password, sent to the URL's host only.
            max_bytes: a longer (unpacked) body is an error.
            span: a byte range as in ``Range`` (``0-99``, ``-65536``); a server that knows no
                ranges answers 200 with everything.
            first: be content with the first so many bytes, and cut the rest off.
        """
        sink = MemorySink(url, max_bytes, first=first, span=span)
        return self._send(url, sink, headers=headers, credentials=credentials)

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Login | None = None,
        max_bytes: int = MAX_BYTES,
        span: str | None = None,
        first: int | None = None,
    ) -> Response:
        """``submit`` and wait. A 404 is an answer, no error.

        Raises:
            SourceError: no answer after all attempts, a cut or too large one, or 5xx/429 to the
                last.
        """
        return self.submit(
            url,
            headers=headers,
            credentials=credentials,
            max_bytes=max_bytes,
            span=span,
            first=first,
        ).result()

    def head(self, url: str, *, credentials: Login | None = None) -> Response:
        """A HEAD, which has no body; its status is an answer, as for ``get``.

        Raises:
            SourceError: as for ``get``.
        """
        return self._send(url, MemorySink(url, 0), credentials=credentials, head=True).result()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        once: bool = False,
        follow: bool = True,
        max_bytes: int = MAX_BYTES,
    ) -> Response:
        """A request of any method; it may send a body.

        Args:
            method: ``HEAD``, ``POST``, ``PUT``, ``PATCH``, …
            url: http or https.
            headers: more request headers. ``Authorization`` goes to the URL's host only.
            body: what is sent.
            once: make no other attempt; then 429 and 5xx are answers, too.
            follow: where False, a redirect is an answer.
            max_bytes: a longer answer is an error.

        Raises:
            SourceError: as for ``get``; the body's file cannot be read.
        """
        future = self._send(
            url,
            MemorySink(url, max_bytes),
            # An `Expect: 100-continue`, which libcurl would send, makes some servers wait.
            headers={**(headers or {}), **({} if body is None else {"Expect": ""})},
            head=method == "HEAD",
            method=None if method in ("GET", "HEAD") else method,
            sent=body,
            once=once,
            follow=follow,
        )
        try:
            return future.result()
        except SourceError:
            if body is not None and body.failure is not None:
                raise body.error() from None
            raise
        finally:
            if body is not None:
                body.close()

    def pause(self, attempt: int, headers: Mapping[str, str] | None = None) -> float:
        """Seconds to wait before an attempt after that one (0: the first), for ``once``."""
        return delay(attempt, retry_after(headers or {}), self._settings)

    @property
    def retries(self) -> int:
        """Attempts after the first one."""
        return self._settings.retries

    def head_sizes(
        self,
        urls: Iterable[str],
        on_progress: Callable[[int], None] | None = None,
        *,
        credentials: Callable[[str], Login | None] | None = None,
    ) -> dict[str, int]:
        """The size in bytes of each file, by parallel HEAD requests.

        Where HEAD is refused or gives no length, the first byte is asked for (``Content-Range``
        has the length); where that fails too, the body's bytes are counted.

        Args:
            urls: the files; repeated ones are asked once.
            on_progress: called with how many are known, each time one more is.
            credentials: gives user and password for a URL.

        Raises:
            SourceError: a file cannot be had; names its URL.
        """
        wanted = list(dict.fromkeys(urls))
        sizes: dict[str, int] = {}
        left = wanted
        for attempt in (self._ask_head, self._ask_first_byte, self._ask_everything):
            pending = {}
            for url in left:
                future, sink = attempt(url, credentials(url) if credentials else None)
                pending[future] = (url, sink)
            for future in as_completed(pending):
                url, sink = pending[future]
                size = _stated_size(future.result(), sink, url)
                if size is not None:
                    sizes[url] = size
                    if on_progress is not None:
                        on_progress(len(sizes))
            left = [url for url in left if url not in sizes]
            if not left:
                break
        return {url: sizes[url] for url in wanted}

    def download(
        self,
        url: str,
        destination: Path,
        *,
        sha256: str | None,
        size: int | None = None,
        max_bytes: int = MAX_FILE_BYTES,
        credentials: Login | None = None,
    ) -> str:
        """Bring a file to ``destination``, whole and verified, or leave nothing; gives its sha256.

        A connection that is cut is continued where it broke; without a digest (None), which would
        tell whether the pieces belong together, it begins again. ``destination`` appears in one
        step. A server that sends more than ``size`` bytes is cut off there; without a size, at
        ``max_bytes``.

        Raises:
            SourceError: the file cannot be had or not be written, or has no end.
            VerificationError: the bytes have another digest or size.
        """
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=destination.parent)
            os.close(handle)
        except OSError as error:
            raise disk_error(error, destination.parent) from None
        part = Path(name)
        limit = max_bytes if size is None else size
        sink = FileSink(part, resume=sha256 is not None, limit=limit)
        try:
            self.fill(url, sink, sha256=sha256, credentials=credentials)
            sink.verify(sha256, size, url)
            sink.flush()
            sink.close()
            part.replace(destination)
            return sink.digest()
        except OSError as error:
            raise disk_error(error, destination) from None
        finally:
            sink.close()
            part.unlink(missing_ok=True)

    def fill(
        self,
        url: str,
        sink: FileSink,
        *,
        sha256: str | None = None,
        credentials: Login | None = None,
    ) -> None:
        """``try_fill`` and hold the answer to 2xx.

        Raises:
            SourceError: the file cannot be had or not be written (``MissingError``: not there).
        """
        expect_ok(self.try_fill(url, sink, sha256=sha256, credentials=credentials), url)

    def try_fill(
        self,
        url: str,
        sink: FileSink,
        *,
        sha256: str | None = None,
        credentials: Login | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Bring a file's bytes into ``sink``, behind those that it has; the last answer's head.

        Where continued pieces do not make up ``sha256``, the file is fetched once more, in one: it
        may have changed between two of them.

        Raises:
            SourceError: no answer, or the file cannot be written.
        """
        for last in (False, True):
            future = self._send(url, sink, headers=headers, credentials=credentials, identity=True)
            try:
                response = future.result()
            except CancelledError:
                sink.close()
                raise
            # 416: what is there is longer than the server's file.
            pieced = sink.resumed or (response.status == 416 and sink.size > 0)
            if last or not pieced or sink.digest() == sha256:
                break
            sink.restart()
        return response

    def abandon(self) -> None:
        """Give up all transfers under way; who waits for one gets a ``CancelledError``."""
        self._loop.abandon()

    def _send(
        self,
        url: str,
        sink: Sink,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Login | None = None,
        head: bool = False,
        identity: bool = False,
        method: str | None = None,
        sent: Body | None = None,
        once: bool = False,
        follow: bool = True,
    ) -> Future[Response]:
        plain, embedded = split_credentials(url)
        transfer = Transfer(
            url=plain,
            sink=sink,
            future=Future(),
            head=head,
            identity=identity,
            method=method,
            sent=sent,
            once=once,
            follow=follow,
            headers=dict(headers or {}),
            credentials=credentials or embedded,
        )
        self._loop.add(transfer)
        return transfer.future

    def _ask_head(self, url: str, login: Login | None) -> tuple[Future[Response], CountingSink]:
        sink = CountingSink()
        return self._send(url, sink, credentials=login, head=True), sink

    def _ask_first_byte(
        self, url: str, login: Login | None
    ) -> tuple[Future[Response], CountingSink]:
        # Whoever ignores the range sends everything: the first bytes end the transfer.
        sink = CountingSink(stop=True, span="0-0")
        return self._send(url, sink, credentials=login), sink

    def _ask_everything(
        self, url: str, login: Login | None
    ) -> tuple[Future[Response], CountingSink]:
        sink = CountingSink()
        return self._send(url, sink, credentials=login, identity=True), sink


def expect_ok(response: Response, url: str) -> Response:
    """The response if its status is 2xx.

    Raises:
        SourceError: any other status; says what to do about the usual ones (``MissingError``:
            there is nothing).
    """
    if 200 <= response.status < 300:
        return response
    remedy = {
        401: "give credentials for this address (index URL, netrc, or UV_INDEX_…_PASSWORD)",
        403: "check that these credentials may read this address",
        404: "check the address; the file may have been deleted there",
        410: "the file was deleted there",
    }.get(response.status, NETWORK_REMEDY)
    kind = MissingError if response.status in (404, 410) else SourceError
    raise kind(
        f"the server answered {response.status}", where=without_credentials(url), remedy=remedy
    )


def _stated_size(response: Response, sink: CountingSink, url: str) -> int | None:
    """The file's length as this answer tells it; None when it does not."""
    if sink.range() is None and response.status in _NO_HEAD and not sink.count:
        return None
    expect_ok(response, url)
    span = response.headers.get("content-range", "")
    if response.status == 206:
        total = span.rpartition("/")[2]
        return int(total) if total.isdigit() else None
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) and "content-encoding" not in response.headers:
        return int(length)
    # No length anywhere: only a body that was read to its end has been counted.
    return sink.count if response.complete and sink.count else None
