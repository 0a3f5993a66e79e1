"""Sends images to container registries (OCI distribution specification 1.1, "push").

A blob that is there is not sent, one of another repository there is mounted. An upload that is
cut goes on where the registry says that it broke; a registry that cannot say gets it in pieces.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote, urljoin

from envlock.errors import DiskError, SourceError, VerificationError
from envlock.io.http.bodies import Body
from envlock.io.http.transfer import RETRIED_STATUSES, Response
from envlock.io.images.auth import scope
from envlock.io.images.reference import Reference
from envlock.io.images.registry import Manifest, Registry

CHUNK_BYTES = 16 * 1024 * 1024
"""The pieces of an upload that broke once; more where the registry wants more."""

_PUSH = ("pull", "push")
_GONE = frozenset({400, 404, 405, 416, 499})


class Sent(StrEnum):
    """What it took to have a blob in a repository."""

    THERE = "there"
    MOUNTED = "mounted"
    SENT = "sent"


def push_blob(
    registry: Registry,
    reference: Reference,
    digest: str,
    source: bytes | Path,
    *,
    mount_from: Iterable[str] = (),
) -> Sent:
    """Have the reference's repository have a blob.

    Args:
        registry: the client.
        reference: the registry and repository.
        digest: ``sha256:…`` of the bytes; the registry verifies it.
        source: the bytes, or a file that has them.
        mount_from: repositories of the same registry that may have it already.

    Raises:
        SourceError: the registry refuses, or breaks off again and again.
        VerificationError: the registry counts another digest.
    """
    if registry.has_blob(reference, digest, actions=_PUSH):
        return Sent.THERE
    session: str | None = None
    for other in mount_from:
        if other == reference.repository:
            continue
        answer = registry.call(
            reference,
            "POST",
            f"blobs/uploads/?mount={quote(digest, safe=':')}&from={quote(other, safe='')}",
            actions=_PUSH,
            also=(scope(other, "pull"),),
            body=Body(b""),
        )
        if answer.status == 201:
            return Sent.MOUNTED
        if answer.status == 202:  # not there: an upload has begun instead
            session = _location(registry, reference, answer)
            break
    _Upload(registry, reference, digest, source).run(session)
    return Sent.SENT


def push_manifest(registry: Registry, reference: Reference, manifest: Manifest) -> str:
    """Give the repository an index or manifest, under the reference's tag or by digest.

    The exact bytes are sent, so that the digest is the same everywhere; it is given back.

    Raises:
        SourceError: the registry refuses.
        VerificationError: the registry counts another digest.
    """
    answer = registry.call(
        reference,
        "PUT",
        f"manifests/{reference.target}",
        actions=_PUSH,
        headers={"Content-Type": manifest.media_type},
        body=Body(manifest.content),
    )
    registry.expect(answer, reference, (200, 201), doing="does with a manifest")
    _same_digest(answer, manifest.digest, reference)
    return manifest.digest


class _Upload:
    """One blob on its way: the session's address, and how much the registry has of it."""

    def __init__(
        self, registry: Registry, reference: Reference, digest: str, source: bytes | Path
    ) -> None:
        self._registry = registry
        self._reference = reference
        self._digest = digest
        self._source = source
        try:
            self._size = Body(source).size
        except OSError as error:
            raise DiskError(f"cannot read: {error.strerror}", where=str(source)) from None
        self._session = ""
        self._there = 0
        self._chunk: int | None = None  # all that is left, in one

    def run(self, session: str | None) -> None:
        attempt, furthest = 0, 0
        while True:
            if session is None:
                self._begin()
            else:
                self._session = session
            failure: SourceError | None = None
            try:
                answer = self._send()
            except DiskError:
                raise
            except SourceError as error:
                answer, failure = None, error
            if answer is not None and answer.status == 201:
                _same_digest(answer, self._digest, self._reference)
                return
            passing = answer is None or _passing(answer)
            if self._there > furthest:
                attempt, furthest = 0, self._there
            if not passing or attempt >= self._registry.http.retries:
                if failure is not None:
                    raise failure
                assert answer is not None  # noqa: S101 - either there is an answer or a failure
                self._refused(answer)
            time.sleep(self._registry.http.pause(attempt, answer.headers if answer else None))
            attempt += 1
            session = self._resume()

    def _begin(self) -> None:
        answer = self._registry.call(
            self._reference, "POST", "blobs/uploads/", actions=_PUSH, body=Body(b"")
        )
        self._registry.expect(answer, self._reference, (202,), doing="does for an upload")
        self._session = _location(self._registry, self._reference, answer)
        self._there = 0
        if self._chunk is not None:
            smallest = answer.headers.get("oci-chunk-min-length", "")
            if smallest.isascii() and smallest.isdigit():
                self._chunk = max(CHUNK_BYTES, min(int(smallest), self._size))

    def _send(self) -> Response:
        """All that is left; the answer that ended it: 201 where all is well."""
        if self._chunk is None and self._there == 0:
            return self._finish(Body(self._source))
        while self._there < self._size:
            end = min(self._there + (self._chunk or self._size), self._size)
            answer = self._registry.call(
                self._reference,
                "PATCH",
                self._session,
                actions=_PUSH,
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Range": f"{self._there}-{end - 1}",
                },
                body=Body(self._source, start=self._there, size=end - self._there),
                once=True,
            )
            if answer.status not in (201, 202, 204):
                return answer
            self._session = _location(self._registry, self._reference, answer)
            self._there = end
        return self._finish(Body(b""))

    def _finish(self, body: Body) -> Response:
        joint = "&" if "?" in self._session else "?"
        return self._registry.call(
            self._reference,
            "PUT",
            f"{self._session}{joint}digest={quote(self._digest, safe=':')}",
            actions=_PUSH,
            headers={"Content-Type": "application/octet-stream"},
            body=body,
            once=True,
        )

    def _resume(self) -> str | None:
        """The session, where the registry says how far it got; None: it must begin again."""
        try:
            answer = self._registry.call(
                self._reference, "GET", self._session, actions=_PUSH, once=True
            )
        except SourceError:
            answer = None
        if answer is not None and answer.status in (200, 202, 204):
            span = re.fullmatch(r"(?:bytes=)?0-([0-9]{1,18})", answer.headers.get("range", ""))
            there = 0 if span is None else int(span[1]) + 1
            # An upload without a byte is told as 0-0, and so is one of one byte.
            if 1 < there <= self._size:
                self._there = there
                return _location(self._registry, self._reference, answer, self._session)
        self._chunk = CHUNK_BYTES
        return None

    def _refused(self, answer: Response) -> None:
        if answer.status == 400 and b"DIGEST_INVALID" in answer.body:
            raise VerificationError(
                f"the registry counts another digest than {self._digest}",
                where=str(self._reference),
                remedy="the file was changed or damaged on its way; push again",
            )
        self._registry.expect(
            answer,
            self._reference,
            (201,),
            what=f"a place for the blob {self._digest}",
            doing="does with a blob",
        )


def _location(
    registry: Registry, reference: Reference, answer: Response, known: str | None = None
) -> str:
    """Where an upload goes on."""
    text = answer.headers.get("location", known or "")
    url = urljoin(registry.base(reference) + "/", text)
    own = registry.base(reference)
    if not text or not (url.startswith("https:") or own.startswith("http:")):
        raise SourceError(
            "the registry does not say where an upload goes, or names a place without encryption",
            where=str(reference),
            remedy="ask who runs the registry",
        )
    return url


def _passing(answer: Response) -> bool:
    """Whether another attempt, with another session maybe, can end better."""
    if b"DIGEST_INVALID" in answer.body:
        return False
    return answer.status in RETRIED_STATUSES or answer.status in _GONE


def _same_digest(answer: Response, digest: str, reference: Reference) -> None:
    stated = answer.headers.get("docker-content-digest", digest)
    if stated != digest:
        raise VerificationError(
            f"the registry says {stated[:80]}, what was sent is {digest}",
            where=str(reference),
            remedy="ask who runs the registry; it must not change what it is given",
        )
