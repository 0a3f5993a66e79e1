"""A package index on loopback, with upload times, in the styles that real ones have, and faults."""

from __future__ import annotations

import base64
import fnmatch
import re
import socket
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, Literal
from urllib.parse import unquote

from support import pages
from support.packages import Extras, make_sdist, make_wheel
from support.pages import MetadataMode, StoredFile

Style = Literal["json", "dated-html", "undated-html", "legacy-json"]
Fault = Literal[
    "500",
    "503",
    "429",
    "hang",
    "truncate",
    "html-for-json",
    "flip-byte",
    "cut",
    "stall",
    "not-found",
]

_HANG_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request that the server got."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class _Failure:
    pattern: str
    kind: Fault
    left: int | None
    after: int
    pause: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] | None = None


class LoopbackIndex:
    """A threaded HTTP index on 127.0.0.1.

    Styles:
        ``json``: PEP 691/700 when JSON is asked, HTML without times otherwise.
        ``dated-html``: always HTML; ``data-upload-time`` is there only when JSON is asked.
        ``undated-html``: always HTML without times.
        ``legacy-json``: HTML without times, and ``/pypi/NAME/json`` with them.

    Args:
        style: see above.
        auth: (user, password) of basic authentication, asked for everything; or None.
        cache_control: the Cache-Control header of pages; or None for no header.

    ``statuses`` are projects' status markers (PEP 792), each with its reason.
    """

    def __init__(
        self,
        style: Style = "json",
        *,
        auth: tuple[str, str] | None = None,
        cache_control: str | None = None,
    ) -> None:
        self.style = style
        self.auth = auth
        self.cache_control = cache_control
        self.requests: list[Seen] = []
        self.statuses: dict[str, tuple[str, str]] = {}
        self._files: dict[str, dict[str, StoredFile]] = {}
        self._extra: dict[str, tuple[bytes, str]] = {}
        self._failures: list[_Failure] = []
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    # --- addresses ---

    @property
    def base(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The simple index, without a final slash."""
        return f"{self.base}/simple"

    def url_for(self, user: str, password: str) -> str:
        """The simple index's address with credentials in it."""
        return self.url.replace("http://", f"http://{user}:{password}@")

    def file_url(self, file: StoredFile) -> str:
        """Where one file is served."""
        return self.base + file.path

    # --- content ---

    def add(
        self,
        name: str,
        version: str,
        upload_time: str | datetime | None,
        *,
        requires: Iterable[str] = (),
        requires_python: str | None = None,
        extras: Extras | None = None,
        tag: str = "py3-none-any",
        build: str | None = None,
        generator: str = "envlock-tests",
        sdist: bool = False,
        dynamic: bool = False,
        setup_py: str | None = None,
        files: Mapping[str, str | bytes] | None = None,
        metadata_override: str | None = None,
        yanked: str | None = None,
        metadata: MetadataMode = "honest",
        listed_requires_python: str | None = None,
    ) -> StoredFile:
        """Make one file, a wheel unless ``sdist``, and list it.

        A file of the same name replaces the one before (its old address is gone): that is a
        re-upload under another hash when the content differs.

        Args:
            upload_time: ISO text (a date means its start, UTC) or an aware datetime; None where
                the index does not know.
            yanked: the reason, maybe empty; None for a file that is not yanked.
            metadata: what the index claims of PEP 658 metadata (wheels only).
            listed_requires_python: what the page says, when it is not ``requires_python``.
        """
        common: dict[str, Any] = {"extras": extras, "files": files}
        common["metadata_override"] = metadata_override
        requires = tuple(requires)
        if sdist:
            filename, content = make_sdist(
                name,
                version,
                requires,
                requires_python,
                dynamic=dynamic,
                setup_py=setup_py,
                **common,
            )
        else:
            filename, content = make_wheel(
                name,
                version,
                requires,
                requires_python,
                tag=tag,
                build=build,
                generator=generator,
                **common,
            )
        return self.add_file(
            name,
            version,
            upload_time,
            filename,
            content,
            requires_python=listed_requires_python or requires_python,
            yanked=yanked,
            metadata="absent" if sdist else metadata,
        )

    def add_file(
        self,
        name: str,
        version: str,
        upload_time: str | datetime | None,
        filename: str,
        content: bytes,
        *,
        requires_python: str | None = None,
        yanked: str | None = None,
        metadata: MetadataMode = "absent",
    ) -> StoredFile:
        """List a given file."""
        stored = StoredFile(
            project=normalized(name),
            version=version,
            name=filename,
            content=content,
            uploaded=_instant(upload_time),
            requires_python=requires_python,
            yanked=yanked,
            metadata=metadata,
            metadata_text=_wheel_metadata(content) if metadata != "absent" else b"",
        )
        with self._guard:
            self._files.setdefault(stored.project, {})[filename] = stored
        return stored

    def files(self, name: str) -> tuple[StoredFile, ...]:
        """The files listed for a project, in the order of their adding."""
        with self._guard:
            return tuple(self._files.get(normalized(name), {}).values())

    def yank(self, file: StoredFile, reason: str = "broken") -> StoredFile:
        """Mark a listed file as yanked."""
        changed = replace(file, yanked=reason)
        with self._guard:
            self._files[file.project][file.name] = changed
        return changed

    def drop(self, name: str) -> None:
        """Take a whole project off the index."""
        with self._guard:
            del self._files[normalized(name)]

    def remove(self, file: StoredFile) -> None:
        """Take a file off the index, as a deletion by its owner does."""
        with self._guard:
            del self._files[file.project][file.name]

    def put(self, path: str, content: bytes, media_type: str = "application/octet-stream") -> str:
        """Serve ``content`` at ``path`` (for direct URLs); gives the address."""
        with self._guard:
            self._extra[path] = (content, media_type)
        return self.base + path

    # --- faults ---

    def fail(
        self,
        pattern: str,
        kind: Fault,
        *,
        times: int | None = None,
        after: int = 0,
        pause: int = 0,
    ) -> None:
        """Answer requests whose path matches the glob ``pattern`` with a fault.

        ``times`` limits how often, ``after`` lets so many through first.
        ``429`` and ``503`` carry ``Retry-After`` with ``pause`` seconds; ``truncate`` promises
        more bytes than it sends, ``stall`` then says nothing more for a minute; ``cut``
        closes the connection without an answer; ``hang`` answers nothing for a minute;
        ``flip-byte`` changes the last byte of the body.
        """
        with self._guard:
            failure = _Failure(pattern=pattern, kind=kind, left=times, after=after, pause=pause)
            self._failures.append(failure)

    def heal(self) -> None:
        """Forget every fault."""
        with self._guard:
            self._failures.clear()

    def count(self, pattern: str = "*", method: str | None = None) -> int:
        """How many requests had a path that matches."""
        with self._guard:
            return sum(
                fnmatch.fnmatchcase(seen.path, pattern) and method in (None, seen.method)
                for seen in self.requests
            )

    def forget_requests(self) -> None:
        """Start counting again."""
        with self._guard:
            self.requests.clear()

    def close(self) -> None:
        """Stop serving; connections that hang are cut."""
        self._closing.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> LoopbackIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- answering ---

    def note(self, method: str, path: str, headers: Mapping[str, str]) -> _Failure | None:
        """Count a request; the fault that it shall meet, if any."""
        with self._guard:
            self.requests.append(Seen(method=method, path=path, headers=dict(headers)))
            for failure in self._failures:
                if not fnmatch.fnmatchcase(path, failure.pattern) or failure.left == 0:
                    continue
                if failure.after > 0:
                    failure.after -= 1
                    continue
                if failure.left is not None:
                    failure.left -= 1
                return failure
        return None

    def hang(self) -> None:
        """Wait until the index closes, or a minute."""
        self._closing.wait(_HANG_SECONDS)

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        """The right response to a GET; ``headers`` has the query, too, as ``:query``."""
        if self.auth is not None and not self._authorized(headers.get("authorization", "")):
            return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="index"'})
        wants_json = pages.SIMPLE_JSON in headers.get("accept", "")
        with self._guard:
            files = {name: list(entries.values()) for name, entries in self._files.items()}
            extra = self._extra.get(path)
        if extra is not None:
            return Answer(status=200, body=extra[0], headers={"Content-Type": extra[1]})
        if path == "/simple/":
            return self._root(files, wants_json=wants_json)
        if match := re.fullmatch(r"/simple/([^/]+)(/?)", path):
            return self._project(match[1], match[2], files, wants_json=wants_json)
        if self.style == "legacy-json" and (match := re.fullmatch(r"/pypi/([^/]+)/json", path)):
            return self._legacy(match[1], files)
        return _file(path, [file for entries in files.values() for file in entries])

    def _authorized(self, header: str) -> bool:
        assert self.auth is not None
        expected = base64.b64encode(":".join(self.auth).encode()).decode()
        return header == f"Basic {expected}"

    def _page(self, body: bytes, media_type: str) -> Answer:
        headers = {"Content-Type": media_type}
        if self.cache_control is not None:
            headers["Cache-Control"] = self.cache_control
        return Answer(status=200, body=body, headers=headers)

    def _root(self, files: Mapping[str, list[StoredFile]], *, wants_json: bool) -> Answer:
        if self.style == "json" and wants_json:
            return self._page(pages.root_json(files), pages.SIMPLE_JSON)
        return self._page(pages.root_html(files), "text/html")

    def _project(
        self, name: str, slash: str, files: Mapping[str, list[StoredFile]], *, wants_json: bool
    ) -> Answer:
        if not slash or name != normalized(name):
            return Answer(status=308, headers={"Location": f"/simple/{normalized(name)}/"})
        if name not in files:
            return Answer(status=404, body=b"no such project")
        if self.style == "json" and wants_json:
            body = pages.project_json(name, files[name], self.base, self.statuses.get(name))
            return self._page(body, pages.SIMPLE_JSON)
        dated = self.style == "dated-html" and wants_json
        status = self.statuses.get(name)
        body = pages.project_html(name, files[name], self.base, dated=dated, status=status)
        return self._page(body, "text/html")

    def _legacy(self, name: str, files: Mapping[str, list[StoredFile]]) -> Answer:
        if normalized(name) not in files:
            return Answer(status=404, body=b'{"message": "Not Found"}')
        body = pages.legacy_json(name, files[normalized(name)], self.base)
        return self._page(body, "application/json")


def _file(path: str, files: Iterable[StoredFile]) -> Answer:
    binary = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
    for file in files:
        if path == file.path:
            return Answer(status=200, body=file.content, headers=binary)
        if path == f"{file.path}.metadata" and file.metadata in ("honest", "wrong-digest"):
            return Answer(status=200, body=file.metadata_text, headers=binary)
    return Answer(status=404, body=b"no such file")


def normalized(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _instant(value: str | datetime | None) -> datetime | None:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _wheel_metadata(content: bytes) -> bytes:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return archive.read(name)


@contextmanager
def serving(style: Style = "json", **options: Any) -> Iterator[LoopbackIndex]:
    """A running index for a ``with`` block."""
    with LoopbackIndex(style, **options) as index:
        yield index


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, index: LoopbackIndex) -> None:
        self.index = index
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wake the threads that wait on a kept-alive connection."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._serve(with_body=True)

    def do_HEAD(self) -> None:
        self._serve(with_body=False)

    def _serve(self, *, with_body: bool) -> None:
        index = self.server.index
        path = unquote(self.path.partition("?")[0])
        headers = {key.lower(): value for key, value in self.headers.items()}
        headers[":query"] = self.path.partition("?")[2]
        failure = index.note(self.command, path, headers)
        fault = None if failure is None else failure.kind
        if fault in ("hang", "cut"):
            if fault == "hang":
                index.hang()
            self.close_connection = True
            return
        answer = _with_fault(index.answer(path, headers), failure)
        if answer.status == 200 and "range" in headers:
            answer = _part(answer, headers["range"])
        if fault in ("truncate", "stall"):
            self._send(answer, answer.body[: len(answer.body) // 2])
            if fault == "stall":
                index.hang()
            self.close_connection = True
            return
        self._send(answer, answer.body if with_body else b"")

    def _send(self, answer: Answer, body: bytes) -> None:
        # Head and body leave in one write: two would wait for each other's acknowledgement.
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        lines += [f"{key}: {value}" for key, value in (answer.headers or {}).items()]
        lines += [f"Content-Length: {len(answer.body)}", "", ""]
        self.wfile.write("\r\n".join(lines).encode() + body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _with_fault(answer: Answer, failure: _Failure | None) -> Answer:
    if failure is None:
        return answer
    fault = failure.kind
    if fault in ("500", "503", "429"):
        headers = {"Content-Type": "text/plain"}
        if fault != "500":
            headers["Retry-After"] = str(failure.pause)
        return Answer(status=int(fault), body=b"out of order", headers=headers)
    if fault == "not-found":
        return Answer(status=404, body=b"not found")
    if fault == "html-for-json":
        page = b"<!DOCTYPE html><html><body>Please sign in to this network.</body></html>"
        return Answer(status=200, body=page, headers={"Content-Type": pages.SIMPLE_JSON})
    if fault == "flip-byte":
        return replace(answer, body=answer.body[:-1] + bytes([answer.body[-1] ^ 1]))
    return answer


def _part(answer: Answer, text: str) -> Answer:
    """A single byte range (RFC 9110 §14); anything else is answered whole."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", text)
    total = len(answer.body)
    if match is None or not (match[1] or match[2]):
        return answer
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or total - 1), total - 1)
    else:
        first, last = max(total - int(match[2]), 0), total - 1
    if first > last:
        return Answer(status=416, headers={"Content-Range": f"bytes */{total}"})
    headers = {**(answer.headers or {}), "Content-Range": f"bytes {first}-{last}/{total}"}
    return Answer(status=206, body=answer.body[first : last + 1], headers=headers)
