"""The one door for subprocesses: argv lists, no shell, captured output, one error type."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from envlock.errors import SourceError
from envlock.io.environment import clean_environment as clean_environment

if TYPE_CHECKING:
    from typing import IO

_LOOK = 0.2
"""Seconds after which a wait looks whether it was interrupted."""


_GRACE = 10.0
"""Seconds that a program gets to clean up when it is ended."""


class TimeLimitError(SourceError):
    """A program took longer than it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A finished process: exit code (negative: signal) and decoded output."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_stderr: Callable[[str], None] | None = None,
    show: bool = False,
    meanwhile: Callable[[], None] | None = None,
    remedy: str | None = None,
    stdin: str | None = None,
    seconds: float | None = None,
) -> Completed:
    """Run ``argv`` to its end and give back what it said; a non-zero exit is not an error here.

    Args:
        argv: program and arguments; never a shell line.
        cwd: working directory.
        env: the whole environment; None inherits this process's.
        on_stderr: called with each line of stderr as it comes (without its newline).
        show: let stderr through to this process's own (for a tool's progress bars).
        meanwhile: done once, while the program runs.
        remedy: what to say when the program is missing.
        stdin: what it is told there, less than a pipe takes at once; nothing when None.
        seconds: how long it may take; then it runs in a session of its own, and is ended with all
            that it started there.

    Raises:
        SourceError: the program cannot be started.
        TimeLimitError: it took longer.
    """
    process = _start(
        argv,
        cwd=cwd,
        env=env,
        told=stdin is not None,
        show=show,
        remedy=remedy,
        apart=seconds is not None,
    )
    output: list[str] = []
    errors: list[str] = []

    def read_output(stream: IO[str]) -> None:
        output.append(stream.read())

    def read_errors(stream: IO[str]) -> None:
        for line in stream:
            errors.append(line)
            if on_stderr is not None:
                on_stderr(line.rstrip("\n"))

    streams = ((process.stdout, read_output), (process.stderr, read_errors))
    open_streams = [(stream, read) for stream, read in streams if stream is not None]
    readers = [Thread(target=read, args=(stream,), daemon=True) for stream, read in open_streams]
    try:
        for reader in readers:
            reader.start()
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin as given:
                given.write(stdin or "")
        if meanwhile is not None:
            meanwhile()
        if not _wait(process, readers, seconds):
            raise TimeLimitError(f"{argv[0]} did not end within {seconds:g} seconds")
    except BaseException:
        _end(process, apart=seconds is not None)
        _close(open_streams, readers)
        raise
    _close(open_streams, readers)
    return Completed(
        argv=tuple(argv), code=process.returncode, stdout="".join(output), stderr="".join(errors)
    )


def _start(
    argv: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    told: bool,
    show: bool,
    remedy: str | None,
    apart: bool,
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.PIPE if told else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if show else subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=apart,
        )
    except OSError as error:
        if cwd is not None and not cwd.is_dir():
            raise SourceError(
                f"cannot start {argv[0]} there: no such folder", where=str(cwd)
            ) from None
        raise SourceError(
            f"cannot start {argv[0]}: {error.strerror}", remedy=remedy or f"install {argv[0]}"
        ) from None
    except ValueError as error:
        # A NUL in an argument that came from a file.
        raise SourceError(f"cannot start {argv[0]}: {error}") from None


def _close(streams: Sequence[tuple[IO[str], object]], readers: Sequence[Thread]) -> None:
    """Close what nobody reads any more; a program of another session may hold the other end."""
    for (stream, _), reader in zip(streams, readers, strict=True):
        if reader.ident is not None:
            reader.join(_LOOK)
        if not reader.is_alive():
            stream.close()


def _end(process: subprocess.Popen[str], *, apart: bool) -> None:
    """Kill it; one with a session of its own is asked to end first, which lets it clean up, and
    then killed with all that it started."""
    if apart:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _wait(process: subprocess.Popen[str], readers: Sequence[Thread], seconds: float | None) -> bool:
    """Wait for its end, and for all that it said; False: that took longer.

    Waits have an end, and are begun again: an interrupt that comes just before a system call is
    seen by Python only when the call returns.
    """
    end = None if seconds is None else time.monotonic() + seconds
    for reader in readers:
        while reader.is_alive():
            if end is not None and time.monotonic() > end:
                return False
            reader.join(_LOOK)
    while process.poll() is None:
        if end is not None and time.monotonic() > end:
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK)
    return True
