"""An OSV service on loopback: what it answers is given by the test, not computed."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Key = tuple[str, str, str]
"""Ecosystem, name and version; of a commit: "", "" and the commit."""


class OsvServer:
    """Speaks ``querybatch`` (two ids a page) and ``vulns/ID`` on 127.0.0.1.

    Args:
        answers: what is known of each package → ids.
        records: id → record.
    """

    def __init__(
        self, answers: Mapping[Key, list[str]], records: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.answers = dict(answers)
        self.records = dict(records)
        self.asked: list[Key] = []
        self.requests: list[str] = []
        self.broken: str | None = None
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.requests.append(f"POST {self.path}")
                self._answer(service.batch(self.path, body))

            def do_GET(self) -> None:
                service.requests.append(f"GET {self.path}")
                found = service.records.get(self.path.removeprefix("/v1/vulns/"))
                self._answer(None if found is None else json.dumps(found).encode())

            def _answer(self, body: bytes | None) -> None:
                if service.broken is not None:
                    body = service.broken.encode()
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def batch(self, path: str, body: bytes) -> bytes | None:
        """The answer to a batch of queries."""
        if path != "/v1/querybatch":
            return None
        results: list[dict[str, Any]] = []
        for query in json.loads(body)["queries"]:
            package = query.get("package", {})
            key = (
                package.get("ecosystem", ""),
                package.get("name", ""),
                query.get("version", query.get("commit", "")),
            )
            self.asked.append(key)
            ids = self.answers.get(key, [])
            start = int(query.get("page_token", "0"))
            page: dict[str, Any] = {}
            if ids[start : start + 2]:
                page["vulns"] = [
                    {"id": one, "modified": "2026-01-01T00:00:00Z"}
                    for one in ids[start : start + 2]
                ]
            if len(ids) > start + 2:
                page["next_page_token"] = str(start + 2)
            results.append(page)
        return json.dumps({"results": results}).encode()

    def __enter__(self) -> OsvServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
