"""Serves a bundle on 127.0.0.1, until it is stopped; one thread a connection."""

from __future__ import annotations

import errno
import shutil
from http import HTTPStatus

from envlock.errors import UsageError
from envlock.io.http.loopback import LoopbackHandler, LoopbackServer
from envlock.realise.bundle.mirror import Answer, Mirror

_PIECE = 1 << 20


class MirrorServer(LoopbackServer):
    """A server of a bundle; ``serve_forever`` answers.

    Args:
        mirror: what is served.
        port: of 127.0.0.1; 0: any that is free.

    Raises:
        UsageError: the port is taken, or not allowed.
    """

    def __init__(self, mirror: Mirror, port: int) -> None:
        self.mirror = mirror
        try:
            super().__init__(port, _Handler)
        except OSError as error:
            what = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error}"
            raise UsageError(f"port {port} {what}", remedy="take another one: --port 0") from None

    @property
    def address(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.port}"


class _Handler(LoopbackHandler):
    server: MirrorServer

    def answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        mirror = self.server.mirror
        found = mirror.answer(path, self.headers.get("Accept", ""))
        if found is None:
            found = Answer(content=b"not in this bundle\n", missing=True)
        if found.missing:
            status = HTTPStatus.NOT_FOUND
        else:
            status = HTTPStatus.MOVED_PERMANENTLY if found.location else HTTPStatus.OK
        if found.path is not None:
            size = mirror.bundle.sizes[found.path]
        elif found.file is not None:
            size = found.file.stat().st_size
        else:
            size = len(found.content or b"")
        self.send_response(status)
        self.send_header("Content-Type", found.kind)
        self.send_header("Content-Length", str(size))
        if found.location:
            self.send_header("Location", found.location)
        if found.digest:
            self.send_header("Docker-Content-Digest", found.digest)
        if path.startswith("/v2"):
            self.send_header("Docker-Distribution-API-Version", "registry/2.0")
        self.end_headers()
        if not with_body:
            return
        if found.path is not None:
            with mirror.bundle.open(found.path) as file:
                shutil.copyfileobj(file, self.wfile, _PIECE)
        elif found.file is not None:
            with found.file.open("rb") as file:
                shutil.copyfileobj(file, self.wfile, _PIECE)
        else:
            self.wfile.write(found.content or b"")
