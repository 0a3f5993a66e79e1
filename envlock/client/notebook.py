"""``%load_ext envlock``: cells and sessions of IPython and Jupyter as recorded runs.

- ``%envlock``                 the environment's hash, and the run
- ``%envlock start [options]`` a run from here, each cell noted, until ``%envlock stop``
- ``%envlock cells [options]`` from here, each cell is a run of its own, until ``%envlock stop``
- ``%%envlock [options]``      this cell is a run

Options: ``-m WHY``, ``--param K=V``, ``--tag T``, ``--group G``, ``--input P``, ``--output P``.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from envlock import client
from envlock.client.lock import locked_hash
from envlock.client.session import Session, exit_code
from envlock.errors import EnvlockError
from envlock.runs.parameters import given


def load_ipython_extension(shell: Any) -> None:
    """What ``%load_ext envlock`` calls."""
    magics = _Magics(shell)
    shell.register_magics(magics)
    shell.events.register("pre_run_cell", magics.before_cell)
    shell.events.register("post_run_cell", magics.after_cell)
    shell.user_ns.setdefault("envlock", sys.modules["envlock"])
    magics.show()


def unload_ipython_extension(shell: Any) -> None:
    """What ``%unload_ext envlock`` calls: a run that goes on is ended."""
    magics = shell.magics_manager.registry.get("_Magics")
    if magics is not None:
        magics.stop()
        shell.events.unregister("pre_run_cell", magics.before_cell)
        shell.events.unregister("post_run_cell", magics.after_cell)


class _FailedError(Exception):
    """A cell within ``%%envlock`` failed, and IPython has shown how: what follows is not run."""

    def _render_traceback_(self) -> list[str]:
        return []


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%envlock: {message}")


def _parser() -> _Parser:
    parser = _Parser(prog="%envlock", add_help=False, allow_abbrev=False)
    parser.add_argument("-m", "--message", metavar="WHY")
    parser.add_argument("--group")
    for name in ("--param", "--tag", "--input", "--output"):
        parser.add_argument(name, action="append", default=[])
    return parser


@magics_class
class _Magics(Magics):  # type: ignore[misc]
    """The state of a notebook: what is recorded, and which options new runs get."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._session: Session | None = None
        self._each: list[str] | None = None
        self._cell: Session | None = None

    @line_cell_magic  # type: ignore[untyped-decorator]
    def envlock(self, line: str, cell: str | None = None) -> None:
        """Record a notebook's cells as runs: see ``envlock.client.notebook``."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"%envlock: {error}") from None
        try:
            self._do(words, cell)
        except EnvlockError as error:
            raise UsageError(f"envlock: {error}") from None

    def _do(self, words: list[str], cell: str | None) -> None:
        if cell is not None:
            self._run_cell(words, cell)
        elif not words:
            self.show()
        elif words[0] == "start":
            self._require_none()
            self._session = _begin(words[1:])
            _tell(f"recording: run {self._session.id}, until %envlock stop")
        elif words[0] == "cells":
            self._require_none()
            _options(words[1:])
            self._each = words[1:]
            _tell("each cell from here is a run, until %envlock stop")
        elif words == ["stop"]:
            if not self.stop():
                raise UsageError("%envlock: nothing is recorded: %envlock start")
        else:
            raise UsageError("%envlock, %envlock start|cells [options], %envlock stop, %%envlock")

    def show(self) -> None:
        """Tell the environment's hash, and the run."""
        try:
            found = client.hash()
            _tell(f"environment {found}")
            self._compare(found)
        except EnvlockError as error:
            _tell(f"environment not known: {error}")
        session = client.current()
        _tell(f"run {session.id}" if session else "no run: %envlock start, or %%envlock in a cell")

    def _compare(self, found: str) -> None:
        """A kernel has the hash of the lock that it was made for."""
        try:
            now = locked_hash()
        except EnvlockError:
            return
        if now != found:
            _tell(f"the lock here is another one by now: {now} (envlock kernel install)")

    def stop(self) -> bool:
        """End what is recorded; False where nothing was."""
        session, each = self._session, self._each
        self._session = self._each = None
        if session is not None:
            session.end()
            _tell(f"recorded: {session.id}")
        return session is not None or each is not None

    def before_cell(self, info: Any) -> None:
        """IPython's ``pre_run_cell``."""
        source, number = info.raw_cell or "", self.shell.execution_count
        if self._session is not None:
            self._session.cell(source, number)
        elif self._each is not None and not source.lstrip().startswith(("%envlock", "%%envlock")):
            try:
                self._cell = _begin(self._each).cell(source, number)
            except EnvlockError as error:
                _tell(f"not recorded: {error}")

    def after_cell(self, result: Any) -> None:
        """IPython's ``post_run_cell``."""
        session, self._cell = self._cell, None
        if session is not None:
            _end(session, result)

    def _require_none(self) -> None:
        if self._session is not None or self._each is not None:
            raise UsageError("%envlock: it is recording already: %envlock stop")

    def _run_cell(self, words: list[str], cell: str) -> None:
        session = _begin(words)
        session.cell(cell, self.shell.execution_count)
        # The run's own events would record the cell within itself once more.
        each, self._each = self._each, None
        try:
            result = self.shell.run_cell(cell)
        except BaseException:
            session.end(1)
            raise
        finally:
            self._each = each
        _end(session, result)
        if result.error_before_exec or result.error_in_exec:
            raise _FailedError


def _begin(words: list[str]) -> Session:
    options = _options(words)
    return client.run(
        given(options.param),
        why=options.message,
        tags=options.tag,
        group=options.group,
        inputs=options.input,
        outputs=options.output,
    )


def _options(words: list[str]) -> argparse.Namespace:
    return _parser().parse_args(words)


def _end(session: Session, result: Any) -> None:
    error = result.error_before_exec or result.error_in_exec
    if error is not None and session.own:
        session.log(f"{type(error).__name__}: {error}")
    session.end(exit_code(error))
    _tell(f"recorded: {session.id}")


def _tell(text: str) -> None:
    sys.stdout.write(f"envlock: {text}\n")
