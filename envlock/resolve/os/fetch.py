"""Files of an archive, fetched by digest into the content-addressed store.

A file is asked for at several places in order: whoever has the bytes will do. The store is
``cache_dir()/sha256/xx/<digest>``; a name in it is taken only by bytes with that digest.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from envlock.errors import EnvlockError, SourceError, VerificationError
from envlock.io.http import Http
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter, SilentReporter

PARALLEL = 8
"""How many downloads run at once: as many as ``Http`` opens connections to one host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file by content: sha256 (lower-case hex), size in bytes, and where it may be had.

    ``name`` is for messages. ``before`` is called before each request (a bound on their rate).
    """

    name: str
    sha256: str
    size: int
    urls: tuple[str, ...]
    before: Callable[[str], None] | None = None


def stored(sha256: str) -> Path:
    """The store's path for a digest; it may not exist."""
    return cache_dir() / "sha256" / sha256[:2] / sha256


def has_stored(sha256: str, size: int) -> bool:
    """Whether the store has the bytes; damaged ones are thrown away."""
    path = stored(sha256)
    try:
        if path.stat().st_size == size and _digest(path) == sha256:
            return True
        path.unlink()
    except OSError:
        pass
    return False


def fetch(http: Http, wanted: Wanted) -> Path:
    """The file in the store, fetched if it is not there.

    Raises:
        SourceError: nobody has it, or the disk cannot take it.
        VerificationError: those who have a file of this name have other bytes.
    """
    path = stored(wanted.sha256)
    if has_stored(wanted.sha256, wanted.size):
        return path
    failures: list[EnvlockError] = []
    for url in wanted.urls:
        if wanted.before is not None:
            wanted.before(url)
        try:
            http.download(url, path, sha256=wanted.sha256, size=wanted.size)
            return path
        except (SourceError, VerificationError) as error:
            failures.append(error)
    raise _failed(wanted, failures)


def fetch_all(
    http: Http, wanted: Iterable[Wanted], reporter: Reporter | None = None
) -> dict[str, Path]:
    """All files, in parallel: digest → path in the store. The first failure ends it.

    Raises:
        SourceError: as for ``fetch``.
        VerificationError: as for ``fetch``.
    """
    reporter = reporter or SilentReporter()
    files = list({file.sha256: file for file in wanted}.values())
    paths: dict[str, Path] = {}
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="envlock-fetch") as pool:
        pending = {pool.submit(fetch, http, file): file.sha256 for file in files}
        try:
            for future in as_completed(pending):
                paths[pending[future]] = future.result()
                reporter.progress(len(paths), len(files))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return paths


def _failed(wanted: Wanted, failures: Sequence[EnvlockError]) -> EnvlockError:
    wrong = [error for error in failures if isinstance(error, VerificationError)]
    if wrong:
        return VerificationError(
            f"{wanted.name} has other bytes than its index says (sha256 {wanted.sha256}, "
            f"{wanted.size} bytes)",
            where=wrong[0].where,
            remedy="do not use this mirror; try another one",
        )
    if not failures:
        return SourceError(
            f"no place to fetch {wanted.name} from", remedy="give a mirror of the archive"
        )
    last = failures[-1]
    places = f" at {len(failures)} places" if len(failures) > 1 else ""
    return SourceError(
        f"cannot fetch {wanted.name}{places}: {last.what}", where=last.where, remedy=last.remedy
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Decompressor(Protocol):
    """What lzma's and bz2's decompressors have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


_MEMORY = 256 * 1024 * 1024
SUFFIXES = (".xz", ".gz", ".bz2", "")
"""How a file may be compressed, best first."""


def unpack(content: bytes, suffix: str, *, limit: int, where: str) -> bytes:
    """The content of a compressed file; several streams in a row are one.

    Args:
        suffix: one of ``SUFFIXES``.
        limit: more bytes than that are an error: a small file must not fill the memory.

    Raises:
        VerificationError: it is damaged, or larger.
    """
    if suffix == "":
        return content
    pieces: list[bytes] = []
    left, room = content, limit
    try:
        while left:
            piece, left = _stream(left, suffix, room + 1)
            pieces.append(piece)
            room -= len(piece)
            if room < 0:
                raise VerificationError(
                    f"unpacks to more than the {limit} bytes its Release says",
                    where=where,
                    remedy="do not use this mirror",
                )
    except (lzma.LZMAError, zlib.error, OSError, EOFError) as error:
        raise VerificationError(
            f"cannot be unpacked: {error}", where=where, remedy="use another mirror"
        ) from None
    return b"".join(pieces)


def _stream(content: bytes, suffix: str, limit: int) -> tuple[bytes, bytes]:
    """One stream's bytes (at most ``limit``), and what follows it."""
    if suffix == ".gz":
        inflate = zlib.decompressobj(31)
        piece = inflate.decompress(content, limit)
        if not inflate.eof and len(piece) < limit:
            raise EOFError("it is cut short")
        return piece, inflate.unused_data
    tool: _Decompressor = (
        lzma.LZMADecompressor(memlimit=_MEMORY) if suffix == ".xz" else bz2.BZ2Decompressor()
    )
    piece = tool.decompress(content, limit)
    if not tool.eof and len(piece) < limit:
        raise EOFError("it is cut short")
    return piece, tool.unused_data
