"""Printing: results on stdout, everything for people on stderr, colours only where wanted.

rich is imported only when something needs its layout (tables, trees, progress), since importing
it costs more than most commands take.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import click

from envlock.cli.context import Context
from envlock.cli.style import style
from envlock.io.progress import Reporter, SilentReporter

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


_said: ContextVar[list[str] | None] = ContextVar("_said", default=None)


@contextmanager
def noting_said() -> Iterator[list[str]]:
    """The lines that are said to people meanwhile."""
    lines: list[str] = []
    token = _said.set(lines)
    try:
        yield lines
    finally:
        _said.reset(token)


def say(context: Context, text: str) -> None:
    """One line for people, on stderr; nothing under ``--quiet``."""
    if not context.quiet:
        noted = _said.get()
        if noted is not None:
            noted.append(text)
        click.echo(text, err=True)


def result(text: str) -> None:
    """A command's result, on stdout."""
    click.echo(text)


def result_json(value: Any) -> None:
    """A command's result as JSON, on stdout: keys sorted, two spaces, one final newline.

    What UTF-8 cannot carry (bytes of a file's name, as Python decodes them) is escaped.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def console(*, stderr: bool = False) -> Console:
    """A rich console on stdout (or stderr) that keeps text as it is: no markup, no highlighting."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, soft_wrap=True)


class _Bar:
    """A Reporter that draws one rich progress line on stderr."""

    def __init__(self, context: Context, progress: Progress, task: TaskID) -> None:
        self._context = context
        self._progress = progress
        self._task = task

    def step(self, text: str) -> None:
        self._progress.update(self._task, description=text, completed=0, total=None)

    def progress(self, done: int, total: int | None) -> None:
        self._progress.update(self._task, completed=done, total=total)

    def note(self, text: str) -> None:
        say(self._context, f"{style('note', 'bold cyan')}: {text}")


class _Plain(SilentReporter):
    """A Reporter for logs and pipes: notes always, steps under ``--verbose``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def step(self, text: str) -> None:
        if self._context.verbose:
            say(self._context, f"{text}…")

    def note(self, text: str) -> None:
        say(self._context, f"{style('note', 'bold cyan')}: {text}")


@contextmanager
def notes(context: Context) -> Iterator[Reporter]:
    """A reporter without a bar, for work during which a tool draws its own."""
    yield _Plain(context)


@contextmanager
def reporting(context: Context, *, in_bytes: bool = False) -> Iterator[Reporter]:
    """A reporter for long work: a bar on a terminal, plain notes elsewhere.

    ``in_bytes`` says that progress is told in bytes; then the bar has sizes, speed and time left.
    """
    if context.quiet or not sys.stderr.isatty():
        yield _Plain(context)
        return
    from rich import progress as parts

    amount: tuple[parts.ProgressColumn, ...] = (parts.MofNCompleteColumn(),)
    if in_bytes:
        amount = (
            parts.DownloadColumn(),
            parts.TransferSpeedColumn(),
            parts.TimeRemainingColumn(compact=True),
        )
    columns = (parts.SpinnerColumn(), parts.TextColumn("{task.description}"), parts.BarColumn())
    with parts.Progress(
        *columns, *amount, console=console(stderr=True), transient=True
    ) as progress:
        yield _Bar(context, progress, progress.add_task("starting", total=None))
