"""Files by digest, brought into the content-addressed store.

A file is asked for at several places in order: whoever has the bytes will do. Downloads are
parallel, continued when they are cut (by this run or the next), and verified before they have a
name in the store.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import DiskError, EnvlockError, MissingError, SourceError, VerificationError
from envlock.io.http.client import MAX_FILE_BYTES, Http, Login
from envlock.io.http.sinks import FileSink
from envlock.io.progress import Reporter, SilentReporter
from envlock.io.store import Part, has_stored, stored, sweep

PARALLEL = 8
"""How many downloads run at once: as many as ``Http`` opens connections to one host."""
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file by content: sha256 (lower-case hex), size in bytes, and where it may be had.

    Args:
        name: for messages.
        urls: places, most preferred first.
        before: called before each request (a bound on their rate).
        login: user and password for a URL.
        further: more places, asked for when none of ``urls`` served.
    """

    name: str
    sha256: str
    size: int | None
    urls: tuple[str, ...]
    before: Callable[[str], None] | None = None
    login: Callable[[str], Login | None] | None = None
    further: Callable[[], Iterable[str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A place that was asked for a file; ``failure`` is None where it served."""

    url: str
    failure: str | None = None


def fetch(http: Http, wanted: Wanted) -> Path:
    """The file in the store, fetched if it is not there.

    Raises:
        SourceError: nobody has it (``MissingError``), or the disk cannot take it (``DiskError``).
        VerificationError: those who have a file of this name have other bytes.
    """
    return _Run(http).fetch(wanted)


def fetch_all(
    http: Http, wanted: Iterable[Wanted], reporter: Reporter | None = None
) -> dict[str, Path]:
    """All files, in parallel: digest → path in the store. Progress is told in bytes.

    What nobody has, or has with other bytes, does not keep the rest from being fetched. Any other
    failure ends it, since it would meet every file; then ``http`` gives up all its transfers. Parts
    stay, to be continued, unless the disk was the failure.

    Raises:
        SourceError: as for ``fetch``; no answer from any place that has a file.
        VerificationError: as for ``fetch``.
    """
    _, paths, failures = _fetch_all(http, wanted, reporter, (MissingError, VerificationError))
    if failures:
        raise _all_failed(failures)
    return paths


def fetch_each(
    http: Http, wanted: Iterable[Wanted], reporter: Reporter | None = None
) -> dict[str, tuple[Attempt, ...]]:
    """As ``fetch_all``, but no file's failure keeps another one from being fetched.

    Returns:
        Of each digest the places that were asked, in order; a file that is in the store now has a
        last one without failure, or none where it was there.

    Raises:
        DiskError: the disk cannot take a file.
    """
    run, _, _ = _fetch_all(http, wanted, reporter, (SourceError, VerificationError))
    return {sha256: tuple(attempts) for sha256, attempts in run.attempts.items()}


def _fetch_all(
    http: Http,
    wanted: Iterable[Wanted],
    reporter: Reporter | None,
    bearable: tuple[type[EnvlockError], ...],
) -> tuple[_Run, dict[str, Path], list[EnvlockError]]:
    files = list({file.sha256: file for file in wanted}.values())
    sweep()
    run = _Run(http, reporter or SilentReporter(), sum(file.size or 0 for file in files))
    paths: dict[str, Path] = {}
    failures: list[EnvlockError] = []
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="envlock-fetch") as pool:
        pending = {pool.submit(run.fetch, file): file.sha256 for file in files}
        try:
            for future in as_completed(pending):
                try:
                    paths[pending[future]] = future.result()
                except DiskError:
                    raise
                except bearable as error:
                    failures.append(error)
        except BaseException as error:
            run.disk_failed = isinstance(error, DiskError)
            run.stopped = True
            pool.shutdown(wait=False, cancel_futures=True)
            http.abandon()
            raise
    return run, paths, failures


class _Run:
    """Fetches of one go: what they know of the places, and how far they got."""

    def __init__(self, http: Http, reporter: Reporter | None = None, total: int = 0) -> None:
        self._http = http
        self._reporter = reporter or SilentReporter()
        self._total = total
        self._guard = threading.Lock()
        self._sizes: dict[str, int] = {}
        self._done = 0
        self._silent: set[str] = set()
        self.attempts: dict[str, list[Attempt]] = {}
        self.disk_failed = False
        self.stopped = False

    def fetch(self, wanted: Wanted) -> Path:
        """As the function of that name."""
        path = stored(wanted.sha256)
        if has_stored(wanted.sha256, wanted.size):
            self._tell(wanted, wanted.size or 0)
            return path
        with self._part(wanted) as part:
            if has_stored(wanted.sha256, wanted.size):  # another process was faster
                part.discard()
                return path
            sink = FileSink(
                part.path,
                file=part.file,
                limit=MAX_FILE_BYTES if wanted.size is None else wanted.size,
                on_size=lambda size: self._tell(wanted, size),
            )
            if not self._whole(sink, wanted):
                self._download(wanted, sink, part)
            return part.settle()

    @contextmanager
    def _part(self, wanted: Wanted) -> Iterator[Part]:
        with Part(wanted.sha256) as part:
            try:
                yield part
            except BaseException as error:
                if self.disk_failed or isinstance(error, (DiskError, VerificationError)):
                    part.discard()
                raise

    def _whole(self, sink: FileSink, wanted: Wanted) -> bool:
        """Whether an earlier run left all of it; what cannot become the file is thrown away."""
        if sink.digest() == wanted.sha256:
            return wanted.size is None or sink.size == wanted.size
        if wanted.size is None or sink.size >= wanted.size:
            sink.restart()
        return False

    def _download(self, wanted: Wanted, sink: FileSink, part: Part) -> None:
        failures: list[EnvlockError] = []
        attempts = self.attempts.setdefault(wanted.sha256, [])
        for url in self._places(wanted):
            if wanted.before is not None:
                wanted.before(url)
            if self.stopped:
                raise CancelledError
            login = None if wanted.login is None else wanted.login(url)
            try:
                self._http.fill(url, sink, sha256=wanted.sha256, credentials=login)
                sink.verify(wanted.sha256, wanted.size, url)
                attempts.append(Attempt(url=url))
                return
            except DiskError:
                raise
            except VerificationError as error:
                failures.append(error)
                attempts.append(Attempt(url=url, failure="other bytes"))
                sink.restart()
            except SourceError as error:
                failures.append(error)
                attempts.append(Attempt(url=url, failure=error.what))
                if not isinstance(error, MissingError):
                    self._silent.add(_origin(url))
        raise _failed(wanted, failures)

    def _places(self, wanted: Wanted) -> Iterator[str]:
        """Where to ask, in order; those that did not answer before come last."""
        asked = set()
        for url in sorted(wanted.urls, key=lambda url: _origin(url) in self._silent):
            asked.add(url)
            yield url
        if wanted.further is not None:
            yield from (url for url in wanted.further() if url not in asked)

    def _tell(self, wanted: Wanted, size: int) -> None:
        with self._guard:
            self._done += size - self._sizes.get(wanted.sha256, 0)
            self._sizes[wanted.sha256] = size
            self._reporter.progress(self._done, max(self._total, self._done))


def _origin(url: str) -> str:
    """Scheme, host and port."""
    return "/".join(url.split("/", 3)[:3])


def _failed(wanted: Wanted, failures: Sequence[EnvlockError]) -> EnvlockError:
    wrong = [error for error in failures if isinstance(error, VerificationError)]
    if wrong:
        size = "" if wanted.size is None else f", {wanted.size} bytes"
        return VerificationError(
            f"{wanted.name} has other bytes than it must have (sha256 {wanted.sha256}{size})",
            where=wrong[0].where,
            remedy="do not use this mirror; try another one",
        )
    if not failures:
        return MissingError(
            f"no place to fetch {wanted.name} from", remedy="give a mirror of the archive"
        )
    # What may come back counts for more than what is gone.
    told = [error for error in failures if not isinstance(error, MissingError)] or failures
    kind = MissingError if told is failures else SourceError
    places = f" at {len(failures)} places" if len(failures) > 1 else ""
    return kind(
        f"cannot fetch {wanted.name}{places}: {told[-1].what}",
        where=told[-1].where,
        remedy=told[-1].remedy,
    )


def _all_failed(failures: Sequence[EnvlockError]) -> EnvlockError:
    """One error for all: wrong bytes count for more than missing ones."""
    wrong = [error for error in failures if isinstance(error, VerificationError)]
    first = (wrong or failures)[0]
    if len(failures) == 1:
        return first
    told = sorted(error.what for error in wrong or failures)
    rest = len(failures) - min(len(told), _NAMED)
    listed = [*told[:_NAMED], *([f"and {rest} more"] if rest else [])]
    return type(first)(
        f"{len(failures)} files cannot be fetched:\n" + "\n".join(f"  {text}" for text in listed),
        where=first.where,
        remedy=first.remedy,
    )


def verify_local(path: Path, sha256: str, *, remedy: str) -> None:
    """Hold a file that is on this disk already to the digest that the lock says.

    Raises:
        SourceError: it cannot be read.
        VerificationError: it has other bytes.
    """
    try:
        with path.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"cannot read: {error.strerror}", where=str(path)) from None
    if found != sha256:
        raise VerificationError(
            f"sha256 is {found}, the lock says {sha256}", where=str(path), remedy=remedy
        )
