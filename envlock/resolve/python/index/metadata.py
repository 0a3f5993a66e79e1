"""Core metadata of wheels, whether the index offers it or only claims to.

The index's own ``.metadata`` (PEP 658) is believed when it states a digest that verifies.
Otherwise the metadata is read from the wheel, by a range request or two; a server without ranges
gives the whole wheel, whose SHA-256 is verified.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from envlock.errors import SourceError
from envlock.io.cache import DiskCache
from envlock.io.http.client import Http, Login, expect_ok
from envlock.resolve.python.index.page import PageFile
from envlock.resolve.python.index.wheel import (
    MAX_METADATA,
    TAIL_BYTES,
    OddZipError,
    Part,
    info_from_file,
    info_from_tail,
)


def wheel_metadata(http: Http, file: PageFile, *, credentials: Login | None = None) -> bytes:
    """The wheel's METADATA as its maker wrote it; remembered by address and digest.

    The address is part of the key: a range of a file proves nothing about its digest, so that
    what one server says must not speak for another's file.

    Raises:
        SourceError: the file cannot be had, or holds no metadata.
        VerificationError: the whole wheel had to be read, and is not what its digest says.
    """
    cache = DiskCache("metadata-v1")
    key = f"{file.sha256} {file.url}"
    known = cache.get(key) if file.sha256 else None
    if known is not None:
        return known
    content = _claimed(http, file, credentials)
    if content is None:
        content = _read(http, file, credentials, "METADATA")
    if file.sha256:
        cache.put(key, content)
    return content


def wheel_description(http: Http, file: PageFile, *, credentials: Login | None = None) -> bytes:
    """The wheel's WHEEL file, which says what made it; remembered as ``wheel_metadata``.

    Raises:
        SourceError: the file cannot be had, or is no wheel.
        VerificationError: the whole wheel had to be read, and is not what its digest says.
    """
    cache = DiskCache("wheel-descriptions-v1")
    key = f"{file.sha256} {file.url}"
    known = cache.get(key)
    if known is None:
        known = _read(http, file, credentials, "WHEEL")
        cache.put(key, known)
    return known


def _read(http: Http, file: PageFile, credentials: Login | None, name: str) -> bytes:
    try:
        return _from_ranges(http, file, credentials, name)
    except OddZipError:
        return _from_whole(http, file, credentials, name)


def _claimed(http: Http, file: PageFile, credentials: Login | None) -> bytes | None:
    """The index's ``.metadata``, when it states a digest and the answer has it."""
    if file.core_metadata_sha256 is None:
        return None
    response = http.get(f"{file.url}.metadata", credentials=credentials, max_bytes=MAX_METADATA)
    found = hashlib.sha256(response.body).hexdigest()
    return response.body if response.status == 200 and found == file.core_metadata_sha256 else None


def _from_ranges(http: Http, file: PageFile, credentials: Login | None, name: str) -> bytes:
    def read(span: str, limit: int) -> Part:
        # Whoever ignores the range sends everything: one byte more than asked for is enough to see.
        response = http.get(file.url, credentials=credentials, span=span, first=limit)
        if response.status == 416:
            raise OddZipError("the server cannot give a part")
        expect_ok(response, file.url)
        if response.status == 200 and response.complete:
            return Part(start=0, data=response.body, total=len(response.body))
        bounds = response.headers.get("content-range", "").removeprefix("bytes ").partition("/")
        start, total = bounds[0].partition("-")[0], bounds[2]
        if response.status != 206 or not (start.isdigit() and total.isdigit()):
            raise OddZipError("the server gives no parts")
        return Part(start=int(start), data=response.body, total=int(total))

    def between(start: int, end: int) -> Part:
        part = read(f"{start}-{end - 1}", end - start)
        if part.start != start or len(part.data) != end - start:
            raise OddZipError("the server gives other parts than asked for")
        return part

    tail = read(f"-{TAIL_BYTES}", TAIL_BYTES)
    if tail.start + len(tail.data) != tail.total:
        raise OddZipError("the server gives other parts than asked for")
    return info_from_tail(tail, between, name)


def _from_whole(http: Http, file: PageFile, credentials: Login | None, name: str) -> bytes:
    if file.sha256 is None:
        raise SourceError(
            f"the metadata of {file.filename} cannot be read: the server gives no parts of files,"
            " and the index states no SHA-256 to verify the whole file",
            where=file.url,
            remedy="use an index that states digests",
        )
    with tempfile.TemporaryDirectory(prefix="envlock-wheel-") as folder:
        wheel = Path(folder, "wheel.whl")
        http.download(file.url, wheel, sha256=file.sha256, credentials=credentials)
        try:
            return info_from_file(wheel, name)
        except OddZipError as error:
            raise SourceError(
                f"{file.filename} is not a readable wheel: {error}",
                where=file.url,
                remedy="exclude this version by a constraint",
            ) from None
