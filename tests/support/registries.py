"""Debian's docker-registry on loopback, and a proxy before it that misbehaves as it is told."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD = "ada", "secret-word"
# bcrypt of the password above, as `htpasswd -B` writes it.
_HTPASSWD = "ada:$2b$04$odNhFHheXK/d3q3KBFYGSeKhqbU2kht4WUZmPndS/FW/zLtuorqCi\n"

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def tool(name: str) -> str:
    """A program of Debian's; a missing one fails the test."""
    found = shutil.which(name)
    assert found is not None, f"{name} is missing: apt-get install {name}"
    return found


@contextmanager
def registry(folder: Path, auth: str = "") -> Iterator[str]:
    """A real registry that keeps its content in ``folder``; gives ``127.0.0.1:PORT``.

    ``auth`` is YAML that goes under ``auth:`` in its configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(3):  # the port is free until somebody else takes it
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        config = folder / "config.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: '{address}', secret: some}}\n" + (f"auth:\n{auth}" if auth else "")
        )
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [tool("docker-registry"), "serve", str(config)], stdout=log, stderr=log
            )
        try:
            if _answers(address, process):
                yield address
                return
        finally:
            process.kill()
            process.wait()
    raise AssertionError((folder / "log").read_text())


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        try:
            ask(address, "GET", "/v2/")
            return True
        except OSError:
            time.sleep(0.02)
    return False


def ask(
    address: str, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """One request by the standard library: status, headers in lower case, body."""
    connection = http.client.HTTPConnection(address, timeout=20)
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    try:
        connection.request(method, path, body=body, headers=named)
        answer = connection.getresponse()
        told = {key.lower(): value for key, value in answer.getheaders()}
        return answer.status, told, answer.read()
    finally:
        connection.close()


def htpasswd(folder: Path) -> str:
    """Basic authentication, for ``registry``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "htpasswd").write_text(_HTPASSWD)
    return f"  htpasswd: {{realm: tests, path: '{folder}/htpasswd'}}\n"


def docker_config(folder: Path, address: str, password: str = PASSWORD) -> Path:
    """A folder for ``DOCKER_CONFIG`` with a login for the registry."""
    folder.mkdir(parents=True, exist_ok=True)
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {address: {"auth": auth}}}))
    return folder


# --- tokens ---


@dataclass
class TokenServer:
    """Gives JWTs that docker-registry believes; ``seen`` has the queries or forms."""

    folder: Path
    address: str = ""
    seen: list[dict[str, list[str]]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    lifetime: float = 60

    def token(self, scopes: list[str]) -> str:
        now = time.time()
        access = [
            {"type": kind, "name": name, "actions": actions.split(",")}
            for kind, name, actions in (
                s.rsplit(":", 2) if s.count(":") == 2 else s.split(":", 2) for s in scopes
            )
        ]
        certificate = (self.folder / "cert.pem").read_text()
        der = "".join(certificate.splitlines()[1:-1])
        head = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
        claims = {
            "iss": "tests",
            "sub": USER,
            "aud": "registry",
            "exp": int(now + self.lifetime),
            "nbf": int(now - 5),
            "iat": int(now),
            "jti": os.urandom(8).hex(),
            "access": access,
        }
        signed = b".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
        done = subprocess.run(
            [tool("openssl"), "dgst", "-sha256", "-sign", str(self.folder / "key.pem")],
            input=signed,
            capture_output=True,
            check=True,
        )
        return (signed + b"." + _base64url(done.stdout)).decode()

    @property
    def auth(self) -> str:
        """For ``registry``."""
        return (
            f"  token: {{realm: 'http://{self.address}/token', service: registry, issuer: tests,"
            f" rootcertbundle: '{self.folder}/cert.pem'}}\n"
        )


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@contextmanager
def tokens(folder: Path, *, anonymous: bool = True) -> Iterator[TokenServer]:
    """A running token server with a key of its own. Anonymous ones may only pull."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tests",
         "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "2"],
        capture_output=True,
        check=True,
    )  # fmt: skip
    state = TokenServer(folder)

    class Handler(_Quiet):
        def do_GET(self) -> None:
            login = self.headers.get("Authorization", "")
            self._give(parse_qs(urlsplit(self.path).query), login)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            known = form.get("refresh_token") == ["identity-token"]
            form["scope"] = form["scope"][0].split()
            self._give(form, "known" if known else "unknown")

        def _give(self, query: dict[str, list[str]], login: str) -> None:
            right = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            state.seen.append(query)
            state.logins.append(login)
            if (login and login not in (right, "known")) or not (login or anonymous):
                self.give(401, b'{"details": "who?"}')
                return
            scopes = query.get("scope", [])
            if not login:
                # docker-registry names the actions in any order.
                scopes = [s.replace(",push", "").replace("push,", "") for s in scopes]
            self.give(200, json.dumps({"token": state.token(scopes)}).encode())

    with _running(Handler) as state.address:
        yield state


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def give(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        told = {"Content-Length": str(len(body)), **(headers or {})}
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            pass

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


# --- a proxy ---


@dataclass
class Asked:
    """A request that the proxy saw."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Cut:
    """Break off: of the answer after so many bytes of its body; of the request (0: before it)."""

    answer: int | None = None


@dataclass
class Answer:
    """Say this instead of asking the registry."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Rule = Callable[[Asked], "Cut | Answer | Asked | None"]


@dataclass
class Proxy:
    """Passes requests on to ``upstream``, unless ``rule`` says otherwise."""

    upstream: str
    rule: Rule
    address: str = ""
    seen: list[Asked] = field(default_factory=list)

    def count(self, method: str, part: str) -> int:
        """How many requests of the method had that in their path."""
        return sum(a.method == method and part in a.path for a in self.seen)


@contextmanager
def proxy(upstream: str, rule: Rule = lambda asked: None) -> Iterator[Proxy]:
    """A running proxy."""
    state = Proxy(upstream, rule)

    class Handler(_Quiet):
        def _any(self) -> None:
            asked = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
            verdict = state.rule(asked)
            state.seen.append(asked)
            if isinstance(verdict, Cut) and verdict.answer is None:
                self._drop()
                return
            asked.body = self.rfile.read(int(asked.headers.get("content-length", 0)))
            if isinstance(verdict, Answer):
                self.give(verdict.status, verdict.body, verdict.headers)
                return
            sent = verdict if isinstance(verdict, Asked) else asked
            headers = {k: v for k, v in sent.headers.items() if k != "content-length"}
            connection = http.client.HTTPConnection(state.upstream, timeout=20)
            connection.request(sent.method, sent.path, body=sent.body or None, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            connection.close()
            if isinstance(verdict, Cut):
                self.wfile.write(body[: verdict.answer])
                self._drop()
            elif self.command != "HEAD":
                self.wfile.write(body)

        def _drop(self) -> None:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

    with _running(Handler) as state.address:
        yield state


# --- images ---


def layer(files: Mapping[str, bytes | None]) -> bytes:
    """A tar of regular files; None makes a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755 if content is None else 0o644
            if content is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def descriptor(content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    """How an image points to ``content``."""
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return {"mediaType": media_type, "digest": digest, "size": len(content), **more}


def as_json(value: Any) -> bytes:
    """Compact and sorted."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class TinyImage:
    """An image of one platform: manifest, and every blob that it needs by digest."""

    manifest: bytes
    blobs: dict[str, bytes]

    @property
    def digest(self) -> str:
        """Of the manifest."""
        return "sha256:" + hashlib.sha256(self.manifest).hexdigest()


def tiny_image(
    layers: list[bytes],
    *,
    architecture: str = "amd64",
    created: str | None = "2024-06-12T00:00:00Z",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    compress: Callable[[bytes], bytes] | None = None,
    layer_type: str = OCI_LAYER,
    history: list[dict[str, Any]] | None = None,
) -> TinyImage:
    """Tars → an image whose layers are gzip-compressed."""
    packed = [(compress or (lambda data: gzip.compress(data, mtime=0)))(data) for data in layers]
    config = as_json(
        {
            "architecture": architecture,
            "os": "linux",
            **({} if created is None else {"created": created}),
            "config": {"Labels": dict(labels)} if labels else {},
            "history": history or [],
            "rootfs": {
                "type": "layers",
                "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest() for data in layers],
            },
        }
    )
    manifest = as_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(config, OCI_CONFIG),
            "layers": [descriptor(data, layer_type) for data in packed],
            **({"annotations": dict(annotations)} if annotations else {}),
        }
    )
    blobs = {"sha256:" + hashlib.sha256(blob).hexdigest(): blob for blob in (config, *packed)}
    return TinyImage(manifest, blobs)


def tiny_index(images: Mapping[str, TinyImage]) -> bytes:
    """An index of images by architecture."""
    return as_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                descriptor(
                    image.manifest,
                    OCI_MANIFEST,
                    platform={"architecture": architecture, "os": "linux"},
                )
                for architecture, image in images.items()
            ],
        }
    )


def put_blob(address: str, repository: str, content: bytes) -> None:
    """By the standard library alone, so that what envlock reads was not sent by envlock."""
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    status, told, _ = ask(address, "POST", f"/v2/{repository}/blobs/uploads/", b"")
    assert status == 202, status
    place = urlsplit(told["location"])
    status, _, said = ask(
        address, "PUT", f"{place.path}?{place.query}&digest={digest}", content,
        Content_Type="application/octet-stream",
    )  # fmt: skip
    assert status == 201, said


def put_manifest(address: str, repository: str, tag: str, content: bytes) -> str:
    """An index or manifest; gives its digest."""
    kind = json.loads(content)["mediaType"]
    status, told, said = ask(
        address, "PUT", f"/v2/{repository}/manifests/{tag}", content, Content_Type=kind
    )
    assert status == 201, said
    return told["docker-content-digest"]


def publish(address: str, name: str, images: Mapping[str, TinyImage]) -> str:
    """An index with these images under ``repository:tag``; gives its digest."""
    repository, _, tag = name.partition(":")
    for image in images.values():
        for blob in image.blobs.values():
            put_blob(address, repository, blob)
        put_manifest(address, repository, image.digest, image.manifest)
    return put_manifest(address, repository, tag, tiny_index(images))


def to_layout(folder: Path, images: Mapping[str, TinyImage], tag: str = "latest") -> Path:
    """An OCI image layout (folder) with an index of the images."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes) -> None:
        (blobs / hashlib.sha256(content).hexdigest()).write_bytes(content)

    for image in images.values():
        put(image.manifest)
        for blob in image.blobs.values():
            put(blob)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    if len(images) == 1:
        (image,) = images.values()
        top = descriptor(image.manifest, OCI_MANIFEST)
    else:
        index = tiny_index(images)
        put(index)
        top = descriptor(index, OCI_INDEX)
    top["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (folder / "index.json").write_bytes(as_json({"schemaVersion": 2, "manifests": [top]}))
    return folder


def skopeo(*argv: str | Path) -> str:
    """Run skopeo without any user's configuration; what it says on stdout."""
    done = subprocess.run(
        [tool("skopeo"), "--insecure-policy", *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
