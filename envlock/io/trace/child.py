"""The first steps of a supervised program, between fork and exec, and how they can fail."""

from __future__ import annotations

import errno
import os
import signal

from envlock.errors import EnvlockError

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import NoReturn

_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR)
# What Python ignores for itself and a program does not expect to find ignored.
_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")


class StartError(EnvlockError):
    """A program cannot be started; the exit code is what ``env(1)`` and shells give then.

    127: there is no such program. 126: it is there and cannot be run.
    """

    exit_code = 126
    number = errno.EINVAL
    """``errno`` of the refusal."""


class Command:
    """A program to start, as ``execve(2)`` wants it, and where.

    ``stdio`` are the descriptors to become 0, 1 and 2; None leaves what this process has. All
    other inheritable descriptors stay open, as if a shell had started the program itself.
    """

    def __init__(
        self,
        *,
        program: str,
        argv: Sequence[str],
        cwd: Path | None,
        env: Mapping[str, str],
        stdio: tuple[int | None, int | None, int | None],
    ) -> None:
        self.program = program
        self.argv = tuple(argv)
        self.cwd = cwd
        self.env = env
        self.stdio = stdio


def candidates(command: Command) -> tuple[str, ...]:
    """The files to try for the program, by the ``PATH`` of the program's own environment."""
    name = command.program
    if "/" in name:
        return (name,)
    folders = command.env.get("PATH", os.defpath).split(os.pathsep)
    return tuple(f"{folder or '.'}/{name}" for folder in folders)


def start(command: Command, *, before: Callable[[], None]) -> tuple[int, int]:
    """Fork; the child does ``before``, then becomes the program.

    Returns:
        The child's process id, and a descriptor that ends without a byte when the program started;
        ``failure`` reads it.
    """
    told, tell = os.pipe()
    paths = candidates(command)
    pid = os.fork()
    if pid == 0:
        try:
            _become(command, paths, before)
        except OSError as error:
            os.write(tell, b"%d" % (error.errno or errno.EINVAL))
        except ValueError:
            # A NUL in an argument.
            os.write(tell, b"%d" % errno.EINVAL)
        finally:
            os._exit(127)
    os.close(tell)
    return pid, told


def failure(command: Command, said: bytes) -> StartError:
    """The error for what the descriptor of ``start`` said."""
    number = int(said)
    cwd = command.cwd
    if cwd is not None and not cwd.is_dir():
        error = StartError(f"cannot start {command.program} there: no such folder", where=str(cwd))
    elif number in _NOT_FOUND:
        error = StartError(
            f"no such program: {command.program}", remedy="check its name and the PATH"
        )
        error.exit_code = 127
    else:
        error = StartError(f"cannot start {command.program}: {os.strerror(number)}")
    error.number = number
    return error


def _become(command: Command, paths: Sequence[str], before: Callable[[], None]) -> NoReturn:
    if command.cwd is not None:
        os.chdir(command.cwd)
    _place(command.stdio)
    for name in _IGNORED_BY_PYTHON:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    before()
    worst = OSError(errno.ENOENT, "not found")
    for path in paths:
        try:
            os.execve(path, command.argv, command.env)  # noqa: S606 - this is the one that runs it
        except OSError as error:
            # As execvp(3): what is there and refused is a better answer than what is missing.
            if error.errno not in _NOT_FOUND:
                worst = error
            if error.errno not in (*_NOT_FOUND, errno.EACCES):
                break
    raise worst


def _place(stdio: tuple[int | None, int | None, int | None]) -> None:
    """Descriptors first move out of the way, so that none is overwritten before it is used."""
    moved = [None if fd is None else _above_stdio(fd) for fd in stdio]
    for number, fd in enumerate(moved):
        if fd is not None:
            os.dup2(fd, number, inheritable=True)


def _above_stdio(fd: int) -> int:
    below = []
    while (copy := os.dup(fd)) <= 2:
        below.append(copy)
    for one in below:
        os.close(one)
    return copy
