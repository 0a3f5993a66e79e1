"""The thread that moves bytes: one libcurl multi handle, driven by its sockets' readiness.

HTTP/2 streams of one host share a connection, so that hundreds of requests run at once for the
price of one; HTTP/1.1 hosts get a few connections each (more is throttled or refused by many).
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import selectors
import socket
import threading
import time
from collections import deque
from concurrent.futures import InvalidStateError
from dataclasses import dataclass, field
from typing import Any

from envlock.errors import SourceError
from envlock.io.http.transfer import Response, Settings, Transfer, judge, prepare

CONNECTIONS = 8
"""How many transfers a host gets at once over HTTP/1.1, each on its own connection."""
STREAMS = 100
"""The same over HTTP/2, as streams of one connection."""

_HTTP_2 = 3  # CURL_HTTP_VERSION_2_0


class Loop:
    """Runs transfers in its own thread from the first ``add`` until ``close``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._guard = threading.Lock()
        self._incoming: deque[Transfer] = deque()
        self._open: set[Transfer] = set()
        self._thread: threading.Thread | None = None
        self._waker: socket.socket | None = None
        self._closed = False
        self._dropping = False

    def add(self, transfer: Transfer) -> None:
        """Hand over a transfer; its future is completed in the loop's thread."""
        with self._guard:
            if self._closed:
                raise RuntimeError("the HTTP client is closed")
            self._open.add(transfer)
            self._incoming.append(transfer)
            if self._thread is None:
                ours, theirs = socket.socketpair()
                self._waker = ours
                self._thread = threading.Thread(
                    target=self._run, args=(theirs,), name="envlock-http", daemon=True
                )
                self._thread.start()
        transfer.future.add_done_callback(lambda _: self._open.discard(transfer))
        self._wake()

    def abandon(self) -> None:
        """Cancel every transfer that is not finished."""
        with self._guard:
            left = [*self._open]
        for transfer in left:
            transfer.future.cancel()
        self._dropping = True
        self._wake()

    def close(self) -> None:
        """Stop; transfers that are not finished fail."""
        with self._guard:
            self._closed = True
            thread, waker = self._thread, self._waker
        if thread is not None and waker is not None:
            self._wake()
            thread.join()
            waker.close()

    def _wake(self) -> None:
        waker = self._waker
        if waker is not None:
            with contextlib.suppress(OSError):  # full: it is awake already; closed: it is over
                waker.send(b"x", getattr(socket, "MSG_DONTWAIT", 0))

    def _run(self, wakeups: socket.socket) -> None:
        worker: _Worker | None = None
        why = "the transfer was abandoned"
        try:
            worker = _Worker(self._settings, wakeups)
            while not self._closed:
                if self._dropping:
                    self._dropping = False
                    worker.drop_cancelled()
                worker.take(self._incoming)
                worker.turn()
        except Exception as error:
            # Whatever it is, nobody may wait for ever.
            why = f"the HTTP client failed: {error!r}"
        finally:
            with self._guard:
                self._closed = True
                left = [*self._open]
            if worker is not None:
                worker.stop()
            wakeups.close()
            for transfer in left:
                _settle(transfer, _abandoned(transfer, why))


@dataclass(slots=True)
class _Host:
    """One server's transfers: how many run, how many may, and which wait for their turn.

    None begins before ``paused_until`` (monotonic): a server that is asked too much says so once,
    for all of them.
    """

    running: int = 0
    limit: int = CONNECTIONS
    waiting: deque[Transfer] = field(default_factory=deque)
    paused_until: float = 0.0


def _host(transfer: Transfer) -> str:
    """Scheme, host and port."""
    return "/".join(transfer.url.split("/", 3)[:3])


class _Worker:
    """What only the loop's thread touches: the multi handle, its sockets, its timers."""

    def __init__(self, settings: Settings, wakeups: socket.socket) -> None:
        import pycurl

        self._curl = pycurl
        self._settings = settings
        self._wakeups = wakeups
        wakeups.settimeout(0)
        self._selector = selectors.DefaultSelector()
        self._selector.register(wakeups, selectors.EVENT_READ)
        self._deadline: float | None = None
        self._running: dict[Any, Transfer] = {}
        self._idle: list[Any] = []
        # Transfers beyond a host's limit wait here: inside libcurl, time would run against them.
        self._hosts: dict[str, _Host] = {}
        self._later: list[tuple[float, int, Transfer]] = []
        self._order = itertools.count()
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_PIPELINING, 2)  # CURLPIPE_MULTIPLEX
        multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, STREAMS)
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._multi = multi

    def take(self, incoming: deque[Transfer]) -> None:
        """Start what came in and what is due again, as far as the hosts' limits go."""
        while incoming:
            self._queue(incoming.popleft())
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            self._queue(heapq.heappop(self._later)[2])

    def _queue(self, transfer: Transfer) -> None:
        host = self._hosts.setdefault(_host(transfer), _Host())
        host.waiting.append(transfer)
        self._feed(host)

    def _feed(self, host: _Host) -> None:
        # Whoever caused the pause comes back at its end, and then the others go on, too.
        while host.waiting and host.running < host.limit and time.monotonic() >= host.paused_until:
            transfer = host.waiting.popleft()
            if not transfer.future.cancelled():
                self._start(transfer, host)

    def drop_cancelled(self) -> None:
        """Let go of what nobody waits for any more."""
        given_up = [h for h, transfer in self._running.items() if transfer.future.cancelled()]
        for handle in given_up:
            host = self._hosts[_host(self._running.pop(handle))]
            self._multi.remove_handle(handle)
            handle.close()
            host.running -= 1
            self._feed(host)

    def turn(self) -> None:
        """Wait for sockets, timers or a wake-up, and let libcurl work."""
        ready = self._selector.select(self._patience())
        for key, events in ready:
            if key.fileobj is self._wakeups:
                with contextlib.suppress(OSError):
                    while self._wakeups.recv(4096):
                        pass
                continue
            mask = 0
            if events & selectors.EVENT_READ:
                mask |= self._curl.CSELECT_IN
            if events & selectors.EVENT_WRITE:
                mask |= self._curl.CSELECT_OUT
            self._multi.socket_action(key.fd, mask)
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._deadline = None
            self._multi.socket_action(self._curl.SOCKET_TIMEOUT, 0)
        self._collect()

    def stop(self) -> None:
        """Give everything back."""
        for handle in self._running:
            self._multi.remove_handle(handle)
            handle.close()
        self._running.clear()
        for handle in self._idle:
            handle.close()
        self._multi.close()
        self._selector.close()

    def _patience(self) -> float | None:
        due = [] if self._deadline is None else [self._deadline]
        if self._later:
            due.append(self._later[0][0])
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _start(self, transfer: Transfer, host: _Host) -> None:
        handle = self._idle.pop() if self._idle else self._curl.Curl()
        try:
            prepare(handle, transfer, self._settings)
            self._multi.add_handle(handle)
        except (self._curl.error, UnicodeError, ValueError) as error:
            handle.close()
            _settle(
                transfer,
                SourceError(f"not a usable address: {error}", remedy="check the address"),
            )
            return
        self._running[handle] = transfer
        host.running += 1

    def _collect(self) -> None:
        """Judge the transfers that ended."""
        while True:
            queued, done, failed = self._multi.info_read()
            for handle in done:
                self._end(handle, self._curl.E_OK, "")
            for handle, code, message in failed:
                self._end(handle, code, message)
            if not queued:
                return

    def _end(self, handle: Any, code: int, message: str) -> None:
        transfer = self._running.pop(handle)
        self._multi.remove_handle(handle)
        host = self._hosts[_host(transfer)]
        host.running -= 1
        if code == self._curl.E_OK and handle.getinfo(self._curl.INFO_HTTP_VERSION) >= _HTTP_2:
            host.limit = STREAMS
        outcome = judge(handle, transfer, code, message, self._settings)
        handle.reset()
        self._idle.append(handle)
        if isinstance(outcome, float):
            transfer.attempt += 1
            due = time.monotonic() + outcome
            if transfer.status == 429 or "retry-after" in transfer.received:
                host.paused_until = due
            heapq.heappush(self._later, (due, next(self._order), transfer))
        else:
            _settle(transfer, outcome)
        self._feed(host)

    def _on_socket(self, event: int, descriptor: int, multi: Any, data: Any) -> None:
        """libcurl says which readiness of a socket it waits for."""
        if event == self._curl.POLL_REMOVE:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(descriptor)
            return
        events = 0
        if event in (self._curl.POLL_IN, self._curl.POLL_INOUT):
            events |= selectors.EVENT_READ
        if event in (self._curl.POLL_OUT, self._curl.POLL_INOUT):
            events |= selectors.EVENT_WRITE
        try:
            self._selector.modify(descriptor, events)
        except KeyError:
            self._selector.register(descriptor, events)

    def _on_timer(self, milliseconds: int) -> None:
        """libcurl says when it wants to be called without any socket being ready; -1: not."""
        self._deadline = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000


def _abandoned(transfer: Transfer, why: str) -> SourceError:
    return SourceError(
        why,
        where=transfer.url,
        remedy="try again; if it stays, reinstall pycurl: pip install -U --force-reinstall pycurl",
    )


def _settle(transfer: Transfer, outcome: Response | SourceError) -> None:
    with contextlib.suppress(InvalidStateError):  # the waiting side gave up on it
        if isinstance(outcome, Response):
            transfer.future.set_result(outcome)
        else:
            transfer.future.set_exception(outcome)
