"""A tool's own progress on our terminal, while its words are kept.

Tools draw bars only on a terminal, and a tool that writes to ours tells us nothing. So it gets a
pseudo-terminal for its standard error; what it writes there is passed on and kept.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from envlock.errors import SourceError
from envlock.io.process import Completed, run

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")


def run_shown(
    argv: Sequence[str],
    *,
    stop_at: tuple[str, ...],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    remedy: str | None = None,
) -> Completed:
    """Run ``argv`` and show its standard error as it comes, as on a terminal of its own.

    Args:
        argv: program and arguments.
        stop_at: texts from which on nothing is shown (``error: ``): the caller says it better.
        cwd: working directory.
        env: the whole environment; None inherits this process's.
        remedy: what to say when the program is missing.

    The kept ``stderr`` is without control sequences. Where there are no pseudo-terminals
    (Windows), nothing is shown.

    Raises:
        SourceError: the program cannot be started.
    """
    try:
        import pty
    except ImportError:
        return run(argv, cwd=cwd, env=env, remedy=remedy)
    ours, theirs = pty.openpty()
    try:
        _same_size(theirs)
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        os.close(ours)
        raise SourceError(
            f"cannot start {argv[0]}: {error.strerror}", remedy=remedy or f"install {argv[0]}"
        ) from None
    finally:
        os.close(theirs)
    kept = bytearray()
    reader = threading.Thread(target=_pass_on, args=(ours, kept, stop_at), daemon=True)
    with process:
        try:
            reader.start()
            assert process.stdout is not None  # noqa: S101 - narrows the type; PIPE was asked for
            output = process.stdout.read()
            process.wait()
            reader.join()
        except BaseException:
            process.kill()
            raise
    said = _CONTROL.sub("", kept.decode("utf-8", "replace"))
    return Completed(argv=tuple(argv), code=process.returncode, stdout=output, stderr=said)


def _same_size(terminal: int) -> None:
    """Give the pseudo-terminal the size of ours, so that bars fit."""
    import fcntl
    import termios

    with contextlib.suppress(OSError, ValueError):
        size = fcntl.ioctl(sys.stderr.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)


def _pass_on(source: int, kept: bytearray, stop_at: tuple[str, ...]) -> None:
    markers = [text.encode() for text in stop_at]
    stop = re.compile(b"|".join(re.escape(marker) for marker in markers) or b"(?!)")
    shown, end = 0, None
    while True:
        try:
            data = os.read(source, 65536)
        except OSError:  # Linux's end of file on a pseudo-terminal
            data = b""
        if not data:
            break
        kept += data
        if end is not None:
            continue
        found = stop.search(kept, shown)
        end = found.start() if found else None
        # A marker that is cut in two between reads would be half shown: so the last bytes wait.
        until = _safe_end(kept, markers) if end is None else end
        _show(bytes(kept[shown:until]))
        shown = max(shown, until)
    os.close(source)
    if end is None:
        _show(bytes(kept[shown:]))


def _safe_end(kept: bytearray, markers: list[bytes]) -> int:
    """Up to where ``kept`` cannot be the beginning of a marker."""
    longest = max((len(marker) for marker in markers), default=1) - 1
    for length in range(min(longest, len(kept)), 0, -1):
        if any(m.startswith(kept[-length:]) for m in markers if len(m) > length):
            return len(kept) - length
    return len(kept)


def _show(data: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.stderr.fileno(), data)
