"""The command line: one file per command; parses, wires, prints, exits. Nothing else does.

What is too long for a command's own file stands in a folder: ``locking``, ``checking``,
``rebuilding``, ``repeating``; ``runs`` has the commands below ``envlock runs``.

``main`` loads a command's module only when that command runs, so that ``envlock --help`` and
each command pay for nothing they do not use. Each module ``envlock.cli.<name>`` has a
``command`` (``click.Command``); its one-line summary stands in ``COMMANDS``.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder

_LARGE = ("check", "lock", "rebuild", "sync")
"""Commands that hold what all files of an environment, or all packages, say."""

_HANDED = "ENVLOCK_HANDED_OVER"
"""Said to an envlock that another one became: it does not hand over once more."""


def main() -> None:
    """Entry point of the ``envlock`` program."""
    try:
        _main()
    except KeyboardInterrupt:  # before there is anything that could be cleared up
        sys.stderr.write("error: interrupted\n")
        exec("")  # noqa: S102 - see below
        sys.exit(130)


def _main() -> None:
    handed = os.environ.pop(_HANDED, None)
    from envlock.cli.fresh import answer

    if answer(sys.argv[1:]):
        _end(0)
    if "run" in sys.argv[1:]:
        if handed is None and PathFinder.find_spec("click") is None:
            _hand_over()  # a run can do without, but then nobody looks for drift
        from envlock.cli.quick_run import attempt

        ended = attempt(sys.argv[1:])
        if ended is not None:
            _leave(ended)
    if "lock" in sys.argv[1:]:
        _lock_ahead(sys.argv[1:])
    try:
        from envlock.cli.app import run
    except ModuleNotFoundError as error:
        if handed is None:
            _hand_over()
        sys.stderr.write(
            f"error: envlock was installed without what it depends on ({error.name}); so, only"
            " `import envlock` works\n  help: pip install envlock\n"
        )
        sys.exit(3)

    try:
        code = run(sys.argv[1:])
    finally:
        if "envlock.resolve.python.engines.uv_runs" in sys.modules:
            from envlock.resolve.python.engines import uv_runs

            uv_runs.drop()
    # CPython remembers an interrupt that left an `exec`, as dataclasses have at import, even once
    # it is caught, and then dies of the signal in place of this exit code; a new `exec` forgets it.
    exec("")  # noqa: S102
    if next((word for word in sys.argv[1:] if word[:1] != "-"), None) in _LARGE:
        _end(code)  # 30 ms, where an environment is large
    sys.exit(code)


def _lock_ahead(arguments: list[str]) -> None:
    """A lock that only has to be written again; otherwise uv at work before all else is loaded."""
    from envlock.cli.locking import again, ahead

    try:
        ended = again.attempt(arguments)
        if ended is None:
            ahead.begin(arguments)
    except KeyboardInterrupt:
        from envlock.resolve.python.engines import uv_runs

        uv_runs.drop()
        sys.stderr.write("error: interrupted; nothing was half-written\n")
        ended = 130
    if ended is not None:
        _end(ended)


def _hand_over() -> None:
    """Become the whole envlock that is further on ``PATH``, where there is one.

    In an active environment that has envlock for ``import envlock`` alone, that one's program is
    the first.
    """
    from pathlib import Path

    own = Path(sys.argv[0]).resolve().parent
    for folder in map(Path, os.environ.get("PATH", "").split(os.pathsep)):
        other = folder / "envlock"
        if folder.is_absolute() and folder.resolve() != own and os.access(other, os.X_OK):
            variables = {**os.environ, _HANDED: "1"}
            os.execve(other, [str(other), *sys.argv[1:]], variables)  # noqa: S606 - this very command


def _end(code: int) -> None:
    """``_leave`` where this is the program, and nothing else is in its process."""
    if sys.argv[0].endswith("/envlock"):
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> None:
    """End without taking everything apart, which costs a run milliseconds that nobody gains by."""
    import os

    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed by whoever started this
                stream.flush()
    except OSError:
        sys.exit(code)  # which says so
    os._exit(code)
