"""One HTTP request on one libcurl handle: its options, its body's destination, its outcome.

``pycurl`` is imported by the functions that need it: it costs 12 ms that most commands do not pay.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from envlock.errors import SourceError
from envlock.io.http.bodies import Body
from envlock.io.http.sinks import MemorySink, Sink
from envlock.io.http.urls import without_credentials

MAX_REDIRECTS = 10
CONNECT_SECONDS = 10.0
MAX_DELAY_SECONDS = 30.0
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
_SSLOPT_NATIVE_CA = 16  # older pycurl has no name for it
PROGRESS_BYTES = 256 * 1024
"""A cut transfer that got on by so much counts as a first attempt again."""
NETWORK_REMEDY = "check the network and the address, or try again later"
TLS_REMEDY = "name the CA bundle to trust with SSL_CERT_FILE, or check the address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer. ``headers`` has lower-case names; ``url`` is the final one, without user part.

    ``complete`` is False when only the first bytes were asked for and more would have come.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    complete: bool = True


@dataclass(slots=True, kw_only=True, eq=False)
class Transfer:
    """A request on its way: what is asked, where the body goes, and how often it was tried.

    ``method`` and ``sent`` are of requests that send something. With ``once``, who waits judges
    what happened, and there is no other attempt; without ``follow``, a redirect is the answer.
    """

    url: str
    sink: Sink
    future: Future[Response]
    head: bool = False
    identity: bool = False
    method: str | None = None
    sent: Body | None = None
    once: bool = False
    follow: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: tuple[str, str] | None = None
    attempt: int = 0
    kept: int = 0
    begun: bool = False
    status: int = 0
    received: dict[str, str] = field(default_factory=dict)

    def on_header(self, line: bytes) -> None:
        """Collect one header line; a status line starts a new block (redirects, 100-continue)."""
        if line.startswith(b"HTTP/"):
            self.received = {}
            parts = line.split(None, 2)
            self.status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
            return
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            key, text = name.strip().lower(), value.strip()
            known = self.received.get(key)
            self.received[key] = text if known is None else f"{known}, {text}"

    def on_body(self, data: bytes) -> int:
        """Pass bytes on; anything but their count tells libcurl to stop."""
        if self.future.cancelled():
            return -1
        if not self.begun:
            self.begun = True
            self.sink.begin(self.status, self.received)
        return len(data) if self.sink.write(data) else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all transfers of one client share. Times in seconds."""

    certificate: str | None = None
    certificate_folder: str | None = None
    netrc: str | None = None
    retries: int = 3
    timeout: float = 30.0
    backoff: float = 0.25


def prepare(handle: Any, transfer: Transfer, settings: Settings) -> None:
    """Set all of a (reset) handle's options for the transfer's next attempt."""
    import pycurl

    transfer.begun = False
    transfer.status = 0
    transfer.received = {}
    secure = transfer.url.startswith("https:")
    web = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
    options = {
        pycurl.URL: transfer.url,
        pycurl.NOSIGNAL: 1,
        pycurl.PROTOCOLS: web,
        # A redirect never leaves encryption behind.
        pycurl.REDIR_PROTOCOLS: pycurl.PROTO_HTTPS if secure else web,
        pycurl.FOLLOWLOCATION: int(transfer.follow),
        pycurl.MAXREDIRS: MAX_REDIRECTS,
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2TLS,
        # Wait for a multiplexed connection rather than open another. Without TLS there is none:
        # libcurl (8.23) would let these wait until the first one's transfer ends.
        pycurl.PIPEWAIT: int(secure),
        pycurl.CONNECTTIMEOUT_MS: int(min(CONNECT_SECONDS, settings.timeout) * 1000),
        pycurl.LOW_SPEED_LIMIT: 1,
        # Whoever was sent much may take a while to put it away.
        pycurl.LOW_SPEED_TIME: max(1, round(settings.timeout * (4 if transfer.sent else 1))),
        pycurl.BUFFERSIZE: 256 * 1024,
        pycurl.HEADERFUNCTION: transfer.on_header,
        pycurl.WRITEFUNCTION: transfer.on_body,
        pycurl.USERAGENT: "envlock",
        pycurl.NETRC: pycurl.NETRC_OPTIONAL,
    }
    if transfer.head:
        options[pycurl.NOBODY] = 1
    elif transfer.method is not None:
        options |= _sending(transfer.method, transfer.sent)
    span = transfer.sink.range()
    if span is not None:
        options[pycurl.RANGE] = span
    elif not (transfer.identity or transfer.head):
        options[pycurl.ACCEPT_ENCODING] = ""  # whatever this libcurl can unpack
    if settings.certificate:
        options[pycurl.CAINFO] = settings.certificate
    if settings.certificate_folder:
        options[pycurl.CAPATH] = settings.certificate_folder
    if not (settings.certificate or settings.certificate_folder):
        options[pycurl.SSL_OPTIONS] = _SSLOPT_NATIVE_CA
    if settings.netrc:
        options[pycurl.NETRC_FILE] = settings.netrc
    if transfer.credentials:
        options[pycurl.USERNAME], options[pycurl.PASSWORD] = transfer.credentials
    if transfer.headers:
        options[pycurl.HTTPHEADER] = [
            f"{name}: {value}" for name, value in transfer.headers.items()
        ]
    for option, value in options.items():
        handle.setopt(option, value)


def _sending(method: str, body: Body | None) -> dict[int, Any]:
    """The options of a request that sends ``body``."""
    import pycurl

    options: dict[int, Any] = {pycurl.CUSTOMREQUEST: method}
    if body is not None:
        body.seek(0)
        options |= {
            pycurl.UPLOAD: 1,
            pycurl.INFILESIZE_LARGE: body.size,
            pycurl.READFUNCTION: body.read,
            pycurl.SEEKFUNCTION: body.seek,
        }
    return options


def judge(
    handle: Any, transfer: Transfer, code: int, message: str, settings: Settings
) -> Response | SourceError | float:
    """The finished attempt's outcome: an answer, an error, or seconds to wait before the next."""
    import pycurl

    if code == pycurl.E_WRITE_ERROR and transfer.begun:
        error = transfer.sink.error()
        if error is not None:
            return error
        stopped = True
    else:
        stopped = False
    kept = transfer.sink.kept()
    if kept - transfer.kept >= PROGRESS_BYTES:
        transfer.attempt, transfer.kept = 0, kept
    again = transfer.attempt < settings.retries and not transfer.once
    if code != pycurl.E_OK and not stopped:
        if again and code in _passing_faults():
            return delay(transfer.attempt, 0, settings)
        return _curl_error(code, message, transfer)
    status = transfer.status
    if status in RETRIED_STATUSES and not transfer.once:
        if again:
            return delay(transfer.attempt, retry_after(transfer.received), settings)
        return SourceError(
            f"the server answered {status}{_times(transfer)}",
            where=without_credentials(transfer.url),
            remedy="try again later" if status == 429 else NETWORK_REMEDY,
        )
    if not transfer.begun:
        transfer.sink.begin(status, transfer.received)
    body = transfer.sink.body() if isinstance(transfer.sink, MemorySink) else b""
    return Response(
        status=status,
        headers=transfer.received,
        body=body,
        url=without_credentials(handle.getinfo(pycurl.EFFECTIVE_URL)),
        complete=not stopped,
    )


def _passing_faults() -> frozenset[int]:
    """libcurl's error codes that another attempt may not meet."""
    import pycurl

    return frozenset(
        {
            pycurl.E_COULDNT_RESOLVE_PROXY,
            pycurl.E_COULDNT_RESOLVE_HOST,
            pycurl.E_COULDNT_CONNECT,
            pycurl.E_PARTIAL_FILE,
            pycurl.E_OPERATION_TIMEDOUT,
            pycurl.E_SSL_CONNECT_ERROR,
            pycurl.E_GOT_NOTHING,
            pycurl.E_SEND_ERROR,
            pycurl.E_RECV_ERROR,
            pycurl.E_HTTP2,
            92,  # CURLE_HTTP2_STREAM: pycurl has no name for it
            pycurl.E_BAD_CONTENT_ENCODING,
        }
    )


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait (RFC 9110 §10.2.3); 0 when it does not say."""
    text = headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return moment.timestamp() - time.time()


def delay(attempt: int, asked: float, settings: Settings) -> float:
    """Exponential back-off with jitter, or what the server asks for; never more than 30 s."""
    wait = settings.backoff * 2.0**attempt
    wait += wait * random.random()  # noqa: S311 - spreads clients out, keeps no secret
    return min(max(wait, asked), MAX_DELAY_SECONDS)


def _times(transfer: Transfer) -> str:
    return f" {transfer.attempt + 1} times" if transfer.attempt else ""


def _curl_error(code: int, message: str, transfer: Transfer) -> SourceError:
    """libcurl's complaint as an error that names the URL (without credentials) and a remedy."""
    import pycurl

    tls = {
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_SSL_ISSUER_ERROR,
    }
    if code == pycurl.E_TOO_MANY_REDIRECTS:
        what, remedy = f"more than {MAX_REDIRECTS} redirects", "check the address"
    elif code == pycurl.E_PARTIAL_FILE:
        what, remedy = f"the answer was cut short{_times(transfer)}", NETWORK_REMEDY
    elif code == pycurl.E_OPERATION_TIMEDOUT:
        what, remedy = f"no answer in time{_times(transfer)}", NETWORK_REMEDY
    elif code == pycurl.E_UNSUPPORTED_PROTOCOL and "HTTP/0.9" in message:
        what, remedy = "the answer is not HTTP", "check the address"
    elif code == pycurl.E_UNSUPPORTED_PROTOCOL:
        what = "only http and https are followed, and never from https to http"
        remedy = "check the address and where it redirects to"
    else:
        what = f"transfer failed{_times(transfer)}: {message or f'libcurl error {code}'}"
        remedy = TLS_REMEDY if code in tls else NETWORK_REMEDY
    return SourceError(what, where=without_credentials(transfer.url), remedy=remedy)
