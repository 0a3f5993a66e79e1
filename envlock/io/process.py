"""The one door for subprocesses: argv lists, no shell, captured output, one error type."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import SourceError


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

    Raises:
        SourceError: the program cannot be started.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if show else subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
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
    errors: list[str] = []

    def read_errors() -> None:
        assert process.stderr is not None  # noqa: S101 - narrows the type; PIPE was asked for
        for line in process.stderr:
            errors.append(line)
            if on_stderr is not None:
                on_stderr(line.rstrip("\n"))

    reader = None if show else threading.Thread(target=read_errors, daemon=True)
    with process:
        try:
            if reader is not None:
                reader.start()
            if stdin is not None and process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(stdin)
                    process.stdin.close()
            if meanwhile is not None:
                meanwhile()
            assert process.stdout is not None  # noqa: S101 - narrows the type; PIPE was asked for
            output = process.stdout.read()
            process.wait()
            if reader is not None:
                reader.join()
        except BaseException:
            process.kill()
            raise
    return Completed(
        argv=tuple(argv), code=process.returncode, stdout=output, stderr="".join(errors)
    )


def clean_environment(*drop_prefixes: str, **extra: str) -> dict[str, str]:
    """This process's environment without variables that start with one of ``drop_prefixes``.

    A fixed ``LC_ALL=C.UTF-8`` and ``TZ=UTC`` keep tools' output the same everywhere.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(drop_prefixes)}
    return kept | {"LC_ALL": "C.UTF-8", "TZ": "UTC"} | extra
