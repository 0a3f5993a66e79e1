"""A client of container registries (OCI distribution specification 1.1): what is asked of them.

Everything that comes has a digest and is held to it. Redirects to another host go without the
``Authorization`` header. Plain HTTP only to registries on this machine, as Docker does.
``registry_push`` sends.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envlock.errors import DiskError, EnvlockError, MissingError, SourceError, VerificationError
from envlock.io.http.bodies import Body
from envlock.io.http.client import Http
from envlock.io.http.sinks import FileSink
from envlock.io.http.transfer import Response
from envlock.io.images.auth import Authorizer, log_in_remedy, scope
from envlock.io.images.reference import DIGEST, Reference
from envlock.io.store import Part, has_stored, stored

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
"""What the specification has registries take at least; none is larger in practice."""
_MAX_ERROR_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An index or a manifest: its exact bytes, their digest (``sha256:…``) and media type."""

    content: bytes = field(repr=False)
    digest: str
    media_type: str
    document: Mapping[str, Any] = field(repr=False)

    @property
    def is_index(self) -> bool:
        """Whether it lists manifests, one a platform."""
        return self.media_type in INDEXES


class Registry:
    """Asks registries, with the user's own credentials; a context manager, like its client.

    Its methods may be called from any thread.

    Args:
        http: makes the requests; one of its own when None.
        environ: the variables that say where credentials are; this process's when None.
    """

    def __init__(self, http: Http | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._own = http is None
        self.http = http or Http()
        self._authorizer = Authorizer(self.http, environ)
        self._bases: dict[str, str] = {}
        self._guard = threading.Lock()

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            self.http.close()

    def manifest(self, reference: Reference) -> Manifest:
        """The index or manifest that the reference names.

        Raises:
            SourceError: the registry does not give it (``MissingError``: it has none).
            VerificationError: it is not what its digest says.
        """
        accept = ", ".join([OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST])
        answer = self.call(
            reference,
            "GET",
            f"manifests/{reference.target}",
            headers={"Accept": accept},
            max_bytes=MAX_MANIFEST_BYTES,
        )
        self.expect(answer, reference, (200,))
        found = "sha256:" + hashlib.sha256(answer.body).hexdigest()
        stated = answer.headers.get("docker-content-digest", found)
        for wanted in (reference.digest or found, stated if DIGEST.fullmatch(stated) else found):
            if wanted != found:
                raise VerificationError(
                    f"the manifest's digest is {found}, it must be {wanted}",
                    where=str(reference),
                    remedy="do not use this image; ask who runs the registry",
                )
        return read_manifest(
            answer.body, where=str(reference), media_type=answer.headers.get("content-type")
        )

    def has_blob(self, reference: Reference, digest: str, *, actions: Iterable[str] = ()) -> bool:
        """Whether the reference's repository has the blob.

        Raises:
            SourceError: the registry does not say.
        """
        answer = self.call(reference, "HEAD", f"blobs/{digest}", actions=actions)
        if answer.status == 404:
            return False
        self.expect(answer, reference, (200,))
        return True

    def blob(self, reference: Reference, digest: str, size: int) -> Path:
        """The blob's file in the content-addressed store, fetched if it is not there.

        A transfer that is cut goes on where it broke, in this run or the next.

        Args:
            reference: where it is asked for.
            digest: ``sha256:…``.
            size: in bytes, as its descriptor says.

        Raises:
            SourceError: the registry does not give it (``MissingError``: it is gone).
            VerificationError: it has other bytes.
        """
        return self.fetch_blob(reference, digest, size, lambda _: None)

    def fetch_blob(
        self, reference: Reference, digest: str, size: int, on_size: Callable[[int], None]
    ) -> Path:
        """``blob``, telling how many bytes are there each time that it changes."""
        if not DIGEST.fullmatch(digest):
            raise SourceError(
                f"a blob's digest is {digest[:80]!r}; only sha256 is known", where=str(reference)
            )
        sha256 = digest.partition(":")[2]
        if has_stored(sha256, size):
            on_size(size)
            return stored(sha256)
        with Part(sha256) as part:
            try:
                sink = FileSink(part.path, file=part.file, limit=size, on_size=on_size)
                if sink.digest() != sha256:
                    if sink.size >= size:
                        sink.restart()
                    self._fill(reference, digest, sink)
                if sink.overlong or (sink.digest(), sink.size) != (sha256, size):
                    more = "more than " if sink.overlong else ""
                    raise VerificationError(
                        f"the blob {digest} has other bytes: {more}{sink.size} of them,"
                        f" sha256 {sink.digest()}; it must have {size}",
                        where=str(reference),
                        remedy="do not use this image; ask who runs the registry",
                    )
            except VerificationError:
                part.discard()
                raise
            return part.settle()

    def _fill(self, reference: Reference, digest: str, sink: FileSink) -> None:
        url = f"{self.base(reference)}/{reference.repository}/blobs/{digest}"

        def send(headers: Mapping[str, str]) -> Response:
            return self.http.try_fill(url, sink, sha256=digest.partition(":")[2], headers=headers)

        answer = self._authorized(reference, (scope(reference.repository, "pull"),), send)
        # 416: all of it is there already, and is judged by its digest.
        self.expect(answer, reference, (200, 206, 416), what=f"the blob {digest}")

    def call(
        self,
        reference: Reference,
        method: str,
        path: str,
        *,
        actions: Iterable[str] = (),
        also: Iterable[str] = (),
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        once: bool = False,
        max_bytes: int = MAX_MANIFEST_BYTES,
    ) -> Response:
        """One request on the reference's repository, authorized as the registry wants it.

        Args:
            reference: the registry and repository.
            method: of HTTP.
            path: below the repository (``tags/list``), or a whole URL that the registry gave.
            actions: what a token must allow; ``pull`` when empty.
            also: more scopes.
            headers: more request headers.
            body: what is sent.
            once: as for ``Http.request``.
            max_bytes: a longer answer is an error.

        Raises:
            SourceError: no answer.
        """
        base = self.base(reference)
        url = path if "://" in path else f"{base}/{reference.repository}/{path}"
        scopes = (scope(reference.repository, *(actions or ("pull",))), *also)

        def send(extra: Mapping[str, str]) -> Response:
            # Credentials are the registry's own: a session of an upload may lie elsewhere.
            own = _origin(url) == _origin(base)
            return self.http.request(
                method,
                url,
                headers={**(headers or {}), **(extra if own else {})},
                body=body,
                once=once,
                max_bytes=max_bytes,
            )

        return self._authorized(reference, scopes, send)

    def base(self, reference: Reference) -> str:
        """The registry's address: ``https://registry-1.docker.io/v2``."""
        if not reference.loopback:
            return f"https://{reference.host}/v2"
        with self._guard:
            if reference.host not in self._bases:
                self._bases[reference.host] = self._scheme(reference.host)
            return f"{self._bases[reference.host]}://{reference.host}/v2"

    def expect(
        self,
        answer: Response,
        reference: Reference,
        statuses: tuple[int, ...],
        *,
        what: str = "",
        doing: str = "gives",
    ) -> None:
        """Let pass an answer with one of the statuses.

        Raises:
            SourceError: another one; says what the registry said and what to do.
        """
        if answer.status in statuses:
            return
        where = str(reference)
        told = self._authorizer.redact(_told(answer))[:_MAX_ERROR_TEXT]
        because = f" ({told})" if told else ""
        named = what or "this image"
        if answer.status == 401:
            whose = "the stored credentials" if self._authorizer.has_login(reference) else "a login"
            wants = "does not accept" if whose.startswith("the") else "wants"
            raise SourceError(
                f"{reference.registry} {wants} {whose} for {reference.name}{because}",
                where=where,
                remedy=f"{log_in_remedy(reference)}; Docker Hub says so of repositories, too, that"
                " do not exist",
            )
        if answer.status == 403:
            raise SourceError(
                f"{reference.registry} does not allow this{because}",
                where=where,
                remedy=f"use an account that may, {log_in_remedy(reference)}",
            )
        if answer.status in (404, 410):
            raise MissingError(
                f"{reference.registry} does not have {named}{because}",
                where=where,
                remedy="check name, tag and digest; it may have been deleted there",
            )
        raise SourceError(
            f"{reference.registry} answered {answer.status} instead of what it {doing}{because}",
            where=where,
            remedy="try again later" if answer.status >= 429 else "ask who runs the registry",
        )

    def _authorized(
        self,
        reference: Reference,
        scopes: tuple[str, ...],
        send: Callable[[Mapping[str, str]], Response],
    ) -> Response:
        """``send`` with the right headers. A token may have expired: it is renewed."""
        for _ in range(3):
            headers = self._authorizer.headers(reference, scopes)
            try:
                answer = send(headers)
            except DiskError:
                raise
            except SourceError as error:
                # Not its URL: a session's or a redirect's may hold what is nobody's business.
                raise SourceError(
                    f"{reference.registry}: {self._authorizer.redact(error.what)}",
                    where=str(reference),
                    remedy=error.remedy,
                ) from None
            if answer.status != 401:
                break
            challenge = answer.headers.get("www-authenticate", "")
            if not self._authorizer.learn(reference, scopes, headers, challenge):
                break
        return answer

    def _scheme(self, host: str) -> str:
        """Whether a registry on this machine speaks HTTP or HTTPS; nothing secret is sent."""
        for scheme in ("http", "https"):
            try:
                answer = self.http.request("GET", f"{scheme}://{host}/v2/", once=True)
            except SourceError:
                continue
            if scheme == "https" or answer.status != 400:  # 400: HTTP to a server of HTTPS
                return scheme
        return "http"


def read_manifest(content: bytes, *, where: str, media_type: str | None = None) -> Manifest:
    """The index or manifest in ``content``.

    Args:
        content: JSON, by the OCI image specification or Docker's v2 schema 2.
        where: for errors.
        media_type: what its source calls it; decides where the content does not.

    Raises:
        VerificationError: it is neither, or two things at once.
    """

    def wrong(what: str) -> EnvlockError:
        return VerificationError(what, where=where, remedy="the image must be made anew")

    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise wrong("not a manifest: no JSON object")
    outer = (media_type or "").partition(";")[0].strip().lower()
    inner = document.get("mediaType")
    known = INDEXES | MANIFESTS
    kind = inner if isinstance(inner, str) else outer
    if kind not in known and not isinstance(inner, str):
        kind = OCI_INDEX if "manifests" in document else OCI_MANIFEST
    if kind not in known:
        raise wrong(f"neither an index nor a manifest of an image: {str(kind)[:80]!r}")
    if outer in known and outer != kind:
        raise wrong(f"it says that it is {kind}, and came as {outer}")
    listed, other = ("manifests", "layers") if kind in INDEXES else ("layers", "manifests")
    if not isinstance(document.get(listed), list) or other in document:
        raise wrong(f"not a valid {kind}")
    return Manifest(
        content=content,
        digest="sha256:" + hashlib.sha256(content).hexdigest(),
        media_type=kind,
        document=document,
    )


def _told(answer: Response) -> str:
    """What the registry says of its refusal, as text."""
    try:
        first = json.loads(answer.body)["errors"][0]
        return ": ".join(str(first[key]) for key in ("code", "message") if first.get(key))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3]).lower()
