"""One run of uv: what it is given, what it leaves, and a run that was begun ahead of its time.

``envlock lock`` spends more on loading itself than uv, its caches warm, on resolving. So uv is
started first, on what its question will most likely be (``begin``); once all is loaded and the
question is known for certain, ``take`` gives that run away if it was asked the very same, byte for
byte, and ends it otherwise. Nothing but ``os`` is imported.
"""

from __future__ import annotations

import os

from envlock.io.started import Started, new_folder, possible, remove
from envlock.io.value import value

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = "{folder}"
"""What stands for the run's own folder in its arguments."""
LOCK = "uv.lock"
PREFIX = "envlock-uv-"
SECONDS = 3600.0
"""As long as a build may take that is asked for by name."""
_LIMIT = "ENVLOCK_BUILD_TIMEOUT"


@value
class UvOrder:
    """All that uv's answer depends on, but for caches and indexes.

    ``argv`` holds ``FOLDER`` where the run's folder is meant; ``files`` are those of that folder,
    name and text; ``env`` is the whole environment, sorted.
    """

    argv: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    env: tuple[tuple[str, str], ...]

    def arguments(self, folder: str) -> list[str]:
        """The command line for a run in that folder."""
        return [argument.replace(FOLDER, folder) for argument in self.argv]

    def write(self, folder: str) -> None:
        """Put the files there.

        Raises:
            OSError: that is not possible.
        """
        for name, text in self.files:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)


@value
class UvAnswer:
    """What a run left: exit code, words, and its ``uv.lock`` where it wrote one."""

    code: int
    stdout: str
    stderr: str
    lock: str | None


def order(
    argv: tuple[str, ...], files: Mapping[str, str], environment: Mapping[str, str]
) -> UvOrder:
    """An order of these parts."""
    return UvOrder(argv=argv, files=tuple(files.items()), env=tuple(sorted(environment.items())))


class _Ahead:
    """The run that was begun, and the list of those that are to be noted."""

    order: UvOrder | None = None
    started: Started | None = None
    answer: UvAnswer | None = None
    noted: list[tuple[UvOrder, UvAnswer]] | None = None


def begun() -> bool:
    """Whether a run is there to be taken."""
    return _Ahead.started is not None


def begin(wanted: UvOrder) -> bool:
    """Start uv on that order, to be taken later; whether that was possible."""
    drop()
    if not possible():
        return False
    folder = None
    try:
        folder = new_folder(PREFIX)
        wanted.write(folder)
        _Ahead.started = Started(folder, wanted.arguments(folder), dict(wanted.env))
    except OSError:
        if folder is not None:
            remove(folder)
        return False
    _Ahead.order = wanted
    return True


def seconds() -> float:
    """How long a run may take, as it may build: ``ENVLOCK_BUILD_TIMEOUT``, else ``SECONDS``.

    Raises:
        UsageError: it is not a number of seconds.
    """
    if not os.environ.get(_LIMIT):
        return SECONDS
    from envlock.io.confined import seconds_allowed

    return seconds_allowed(_LIMIT, SECONDS)


def finish() -> UvAnswer:
    """Wait for the run that was begun; its answer, which can still be taken.

    Raises:
        TimeLimitError: it takes too long.
        UsageError: how long it may take is no number of seconds.
    """
    started = _Ahead.started
    assert started is not None  # noqa: S101 - `begin` came before
    if _Ahead.answer is None:
        code = started.wait(seconds())
        if code is None:
            from envlock.io.process import TimeLimitError

            raise TimeLimitError("uv did not end")
        stdout, stderr = started.said()
        lock = started.read(LOCK) if code == 0 else None
        text = None if lock is None else lock.decode()
        _Ahead.answer = UvAnswer(code=code, stdout=stdout, stderr=stderr, lock=text)
    return _Ahead.answer


def take(wanted: UvOrder, meanwhile: Callable[[], None] = lambda: None) -> UvAnswer | None:
    """The answer to that order, if it is the one that was begun; otherwise that one is over.

    ``meanwhile`` is done once, while uv works.
    """
    try:
        if _Ahead.started is None or _Ahead.order != wanted:
            return None
        meanwhile()
        return finish()
    finally:
        drop()


def drop() -> None:
    """End the run that was begun, if it was not taken."""
    started, _Ahead.started, _Ahead.order, _Ahead.answer = _Ahead.started, None, None, None
    if started is not None:
        started.end()


def note(given: UvOrder, answer: UvAnswer) -> None:
    """Remember a run for whoever listens."""
    if _Ahead.noted is not None:
        _Ahead.noted.append((given, answer))


def listen() -> list[tuple[UvOrder, UvAnswer]]:
    """The list to which every run from now on is added."""
    _Ahead.noted = []
    return _Ahead.noted
