"""A run as a program sees it: what it says goes to the run's notes at once."""

from __future__ import annotations

import atexit
import errno
import json
import os
import sys
import time

from envlock.io.content import digests
from envlock.runs.ids import instant, is_id

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Any

    from envlock.runs.inside import Inside

    Path = str | os.PathLike[str]

_RUN, _NOTES, _HASH = "ENVLOCK_RUN", "ENVLOCK_NOTES", "ENVLOCK_HASH"


class Session:
    """A run that is being recorded.

    ``id`` is the run's; ``own`` whether its record is written by this process, when ``end`` is
    called, a ``with`` is left or Python ends. Otherwise ``end`` does nothing.
    """

    def __init__(self, id: str, notes: str, inside: Inside | None) -> None:
        self.id = id
        self._notes = notes
        self._inside = inside
        self._process = os.getpid()
        self._before: dict[str, str | None] = {}
        self._silent = False

    @property
    def own(self) -> bool:
        """Whether this process writes the record."""
        return self._inside is not None and self._process == os.getpid()

    @property
    def hash(self) -> str | None:
        """The environment hash; None without a lock."""
        return os.environ.get(_HASH)

    def metric(
        self, values: Mapping[str, Any] | str | None = None, value: Any = None, /, **more: Any
    ) -> None:
        """Numbers that the run says of itself: ``metric(loss=0.25)``, ``metric("loss", 0.25)``.

        The last value of each stands in the record, all of them beside it.

        Raises:
            TypeError: a value is no number, text or truth.
        """
        given = {values: value} if isinstance(values, str) else dict(values or {})
        found = {name: _plain(one) for name, one in (given | more).items()}
        for name, one in found.items():
            if not isinstance(one, bool | int | float | str):
                raise TypeError(f"metric {name}: no number, text or truth: {one!r}")
        self._add({"metrics": found})

    def param(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Parameters: ``param(lr=0.1)``."""
        self._add({"params": {**(values or {}), **more}})

    def tag(self, *tags: str) -> None:
        """Words to find the run by."""
        self._add({"tags": list(tags)})

    def log(self, text: str) -> None:
        """A line for the record, with the time."""
        self._add({"log": str(text), "at": instant(time.time())})

    def input(self, path: Path) -> Path:
        """A file or folder that is read; give it back: ``open(run.input("data.csv"))``."""
        whole = os.path.abspath(os.fspath(path))
        self._add({"input": whole, "state": digests.state(whole)})
        return path

    def output(self, path: Path) -> Path:
        """A file or folder that is written; give it back: ``open(run.output("m.npz"), "wb")``."""
        self._add({"output": os.path.abspath(os.fspath(path))})
        return path

    def cell(self, source: str, number: int | None) -> Session:
        """A cell of a notebook that is part of it."""
        told = {"source": source} if number is None else {"source": source, "number": number}
        self._add({"cell": told})
        return self

    def say(
        self,
        *,
        params: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        inputs: Iterable[Path] = (),
        outputs: Iterable[Path] = (),
    ) -> Session:
        """Several of the above."""
        if params:
            self.param(params)
        if tags:
            self.tag(*tags)
        for path in inputs:
            self.input(path)
        for path in outputs:
            self.output(path)
        return self

    def end(self, code: int = 0) -> None:
        """Write the record, where this process is the one to do it; a second time does nothing."""
        if self._inside is None or self._process != os.getpid():
            return
        inside, self._inside = self._inside, None
        atexit.unregister(self.end)
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        inside.end({"code": code})

    def start(self, variables: Mapping[str, str]) -> Session:
        """Have this process and those that it starts know the run."""
        self._before = {name: os.environ.get(name) for name in (_HASH, *variables)}
        os.environ.pop(_HASH, None)
        os.environ.update(variables)
        atexit.register(self.end)
        return self

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if error is not None and self.own and not _is_good_exit(error):
            self.log(f"{type(error).__name__}: {error}")
        self.end(exit_code(error))

    def __repr__(self) -> str:
        return f"<run {self.id}>"

    def _add(self, said: dict[str, Any]) -> None:
        """A line for the recorder. That it cannot be kept is said once, and stops no program."""
        line = json.dumps(said, default=_other) + "\n"
        if not _is_open(self._notes):
            return  # the run has ended: there is nobody to read it
        try:
            self._append(line)
        except OSError as error:
            if not self._silent:
                _say(f"note: what the program says of its run is not kept: {error.strerror}")
            self._silent = True

    def _append(self, line: str) -> None:
        handle = os.open(self._notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            data = line.encode()
            if os.write(handle, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(handle)


def running() -> Session | None:
    """The run that the environment names, while it is being recorded."""
    id_, notes = os.environ.get(_RUN, ""), os.environ.get(_NOTES, "")
    return Session(id_, notes, None) if is_id(id_) and _is_open(notes) else None


def _is_open(notes: str) -> bool:
    """Whether the run still has its first note: it goes when there is a record."""
    return notes.endswith(".notes") and os.path.exists(notes.removesuffix(".notes") + ".json")


def begin(*, why: str | None, group: str | None, name: str | None) -> Session:
    """A run of its own, of this process."""
    from envlock.client.lock import drifted, examined
    from envlock.runs.inside import Inside, own_argv
    from envlock.runs.order import Hooks, Order

    order = Order(own_argv())
    order.why, order.group, order.name = why, group, name
    inside = Inside(order, Hooks(say=_say, valid=examined, drift=drifted))
    told = inside.told
    return Session(inside.id, told[_NOTES], inside).start(told)


def _say(text: str) -> None:
    sys.stderr.write(f"envlock: {text}\n")


def _is_good_exit(error: BaseException) -> bool:
    return isinstance(error, SystemExit) and exit_code(error) == 0


def exit_code(error: BaseException | None) -> int:
    """As Python's own exit code would be."""
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if error.code is None:
            return 0
        return error.code & 0xFF if isinstance(error.code, int) else 1
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _plain(value: Any) -> Any:
    """A number of numpy, torch and their like as Python's."""
    return value.item() if hasattr(value, "item") else value


def _other(value: Any) -> Any:
    plain = _plain(value)
    return plain if isinstance(plain, bool | int | float | str) else str(value)
