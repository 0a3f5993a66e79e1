"""The dated view's HTTP side: one thread per connection, on 127.0.0.1 only."""

from __future__ import annotations

import re
import secrets
import tempfile
import threading
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from envlock.errors import EnvlockError
from envlock.io.http.loopback import LoopbackHandler, LoopbackServer
from envlock.resolve.python.index import view_pages
from envlock.resolve.python.index.page import is_normalized, normalize

if TYPE_CHECKING:
    from envlock.resolve.python.index.view import DatedView, ViewFile

_CHUNK = 256 * 1024
_WHEEL = re.compile(r"[^-]+-[^-]+-.*\.whl\Z")


class ViewServer:
    """Serves a view below ``/<token>/`` until ``stop``."""

    def __init__(self, view: DatedView, token: str) -> None:
        self._server = _Server(view, token)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.01},  # `stop` waits so long
            name="envlock-view",
            daemon=True,
        )

    @property
    def port(self) -> int:
        """The port that the system gave."""
        return self._server.port

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Close the door; connections end with their clients."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(LoopbackServer):
    def __init__(self, view: DatedView, token: str) -> None:
        self.view = view
        self.token = token
        super().__init__(0, _Handler)


class _Handler(LoopbackHandler):
    server: _Server

    def answer(self, *, with_body: bool) -> None:
        self._with_body = with_body
        token, _, rest = self.path.partition("?")[0].removeprefix("/").partition("/")
        # Compared in constant time: the token is what keeps other users of this machine out.
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            self._send(HTTPStatus.NOT_FOUND)
            return
        try:
            self._route(rest)
        except EnvlockError as error:
            self.server.view.failed(error)
            # No 5xx: our client has tried again already, and resolvers would do so for seconds.
            self._send(
                HTTPStatus.FAILED_DEPENDENCY, str(error).encode(), "text/plain; charset=utf-8"
            )

    def _route(self, rest: str) -> None:
        view = self.server.view
        parts = rest.rstrip("/").split("/")
        if len(parts) == 3 and parts[1] == "simple" and view.serves(parts[0]):
            self._project(int(parts[0]), parts[2], slash=rest.endswith("/"))
            return
        wanted = parts[-1].removesuffix(".metadata")
        found = view.find([*parts[:-1], wanted])
        if found is None:
            self._send(HTTPStatus.NOT_FOUND)
        elif wanted != parts[-1]:
            if not _WHEEL.match(wanted):
                self._send(HTTPStatus.NOT_FOUND)
                return
            self._send(HTTPStatus.OK, view.metadata(found), "application/octet-stream")
        else:
            self._file(found)

    def _project(self, number: int, name: str, *, slash: bool) -> None:
        view = self.server.view
        normal = normalize(name)
        if not is_normalized(normal):
            self._send(HTTPStatus.NOT_FOUND)
            return
        if normal != name or not slash:
            self._send(
                HTTPStatus.MOVED_PERMANENTLY, location=f"{view.base}/{number}/simple/{normal}/"
            )
            return
        page = view.dated_page(number, name)
        if page is None:
            self._send(HTTPStatus.NOT_FOUND)
            return
        kind = view_pages.preferred_type(self.headers.get("Accept", ""))
        write = view_pages.json_page if kind == view_pages.SIMPLE_JSON else view_pages.html_page
        base = f"{view.base}/{number}/files/{name}/"
        self._send(HTTPStatus.OK, write(name, page.files, base), kind)

    def _file(self, found: ViewFile) -> None:
        """Send clients to the true address; where credentials apply, bring the file for them."""
        file = found.file
        login = self.server.view.login(file.url)
        if login is None:
            self._send(HTTPStatus.FOUND, location=file.url)
            return
        with tempfile.TemporaryDirectory(prefix="envlock-view-") as folder:
            path = Path(folder, "file")
            self.server.view.http.download(
                file.url, path, sha256=file.sha256, size=file.size, credentials=login
            )
            self._head(HTTPStatus.OK, path.stat().st_size, "application/octet-stream")
            with path.open("rb") as content:
                while self._with_body and (chunk := content.read(_CHUNK)):
                    self.wfile.write(chunk)

    def _send(
        self, status: HTTPStatus, body: bytes = b"", kind: str = "", location: str | None = None
    ) -> None:
        # Head and body leave in one write: two would wait for each other's acknowledgement.
        head = self._head_bytes(status, len(body), kind, location)
        self.wfile.write(head + body if self._with_body else head)

    def _head(self, status: HTTPStatus, size: int, kind: str) -> None:
        self.wfile.write(self._head_bytes(status, size, kind, None))

    def _head_bytes(self, status: HTTPStatus, size: int, kind: str, location: str | None) -> bytes:
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Length: {size}"]
        if kind:
            lines.append(f"Content-Type: {kind}")
        if status is HTTPStatus.OK:
            lines.append("Cache-Control: max-age=600")
        if location is not None:
            lines.append(f"Location: {location}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
