"""A server for this machine's own programs: on 127.0.0.1, one thread per connection, silent."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class LoopbackServer(ThreadingHTTPServer):
    """Listens on ``port`` of 127.0.0.1, 0 for any that is free; ``serve_forever`` answers.

    Raises:
        OSError: the port is taken, or not allowed.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, handler: type[LoopbackHandler]) -> None:
        super().__init__(("127.0.0.1", port), handler)

    @property
    def port(self) -> int:
        """The port that it has."""
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class LoopbackHandler(BaseHTTPRequestHandler):
    """One connection, kept open between requests; a subclass has ``answer``."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer with a body."""
        self.answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer without one."""
        self.answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def answer(self, *, with_body: bool) -> None:
        """Answer the request; without a body where only its head is asked for."""
        raise NotImplementedError
