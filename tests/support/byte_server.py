"""A server on loopback that answers with given bytes, right or wrong, and keeps all requests."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Request:
    """What it was asked."""

    method: str
    path: str
    headers: dict[str, str]

    def login(self) -> str:
        """``user:password`` of basic authentication; empty without."""
        kind, _, text = self.headers.get("authorization", "").partition(" ")
        return base64.b64decode(text).decode() if kind == "Basic" else ""


Reply = Callable[[Request], bytes]


def ok(body: bytes, *extra: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """A whole answer; ``extra`` are header lines, ``length`` what it says of the body's."""
    size = len(body) if length is None else length
    head = [f"HTTP/1.1 {status}", f"Content-Length: {size}", *extra, "", ""]
    return "\r\n".join(head).encode() + body


@dataclass
class Server:
    """Answers with whatever bytes ``reply`` gives; b"" closes the connection at once."""

    reply: Reply
    base: str = ""
    seen: list[Request] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str = "/file", login: str = "") -> str:
        """An address on it."""
        return self.base.replace("://", f"://{login}") + path


@contextmanager
def serving(reply: Reply) -> Iterator[Server]:
    """A running server for a ``with`` block."""
    state = Server(reply)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            state.connections += 1
            while line := self.rfile.readline():
                method, path, _ = line.decode().split(" ", 2)
                headers = {}
                while (header := self.rfile.readline()) not in (b"\r\n", b""):
                    key, _, value = header.decode().partition(":")
                    headers[key.strip().lower()] = value.strip()
                request = Request(method, path, headers)
                state.seen.append(request)
                answer = state.reply(request)
                if answer:
                    self.wfile.write(answer)
                head = answer.partition(b"\r\n\r\n")[0].lower()
                if not answer or b"connection: close" in head:
                    return

    class Quiet(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as server:
        state.base = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def in_turn(*answers: bytes) -> Reply:
    """Each answer once, the last one for ever."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]
