"""A program at work in a folder of its own, started before anything else is loaded.

``io.process`` runs a program and waits for it, and costs 20 ms to load; here the start comes first,
and what is to be done with the answer is loaded meanwhile. Nothing but ``os`` is imported.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LOOK = 0.2
"""Seconds after which a wait looks whether it was interrupted."""
_STDOUT, _STDERR = ".stdout", ".stderr"


def possible() -> bool:
    """Whether programs can be started in this way: on POSIX, where pidfds tell of their end."""
    return hasattr(os, "posix_spawn") and hasattr(os, "pidfd_open")


class Started:
    """A process whose files are in ``folder``, which is its own and goes with it.

    Args:
        folder: as ``new_folder`` makes it; stdout and stderr are kept there.
        argv: program and arguments; never a shell line.
        env: the whole environment.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, folder: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self.folder = folder
        self._code: int | None = None
        new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        self.pid = os.posix_spawn(
            argv[0],
            list(argv),
            dict(env),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.path.join(folder, _STDOUT), new, 0o600),
                (os.POSIX_SPAWN_OPEN, 2, os.path.join(folder, _STDERR), new, 0o600),
            ],
        )
        try:
            self._ended = os.pidfd_open(self.pid)
        except OSError:  # a kernel without
            self._ended = -1

    def wait(self, seconds: float | None = None) -> int | None:
        """Its exit code (negative: signal), once it has ended; None: not within ``seconds``.

        The wait has an end, and is begun again: an interrupt that comes just before a system call
        is seen by Python only when the call returns.
        """
        import select
        import time

        end = None if seconds is None else time.monotonic() + seconds
        while self._code is None:
            if end is not None and time.monotonic() > end:
                return None
            if self._ended >= 0 and not select.select([self._ended], [], [], _LOOK)[0]:
                continue
            self._reap(0)
        return self._code

    def said(self) -> tuple[str, str]:
        """Its stdout and stderr, decoded."""
        out, err = (self.read(name) or b"" for name in (_STDOUT, _STDERR))
        return out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def read(self, name: str) -> bytes | None:
        """A file of its folder; None where there is none."""
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def end(self) -> None:
        """Its end, however far it is, and that of its folder."""
        if self._code is None:
            self._reap(os.WNOHANG)
        if self._code is None:
            os.kill(self.pid, 9)
            self._reap(0)
        if self._ended >= 0:
            os.close(self._ended)
            self._ended = -1
        remove(self.folder)

    def _reap(self, how: int) -> None:
        try:
            pid, status = os.waitpid(self.pid, how)
        except ChildProcessError:  # where SIGCHLD is ignored, nobody learns how it ended
            pid, status = self.pid, 0
        if pid:
            self._code = os.waitstatus_to_exitcode(status)


def new_folder(prefix: str) -> str:
    """A new folder for temporary files that only this user may read.

    Raises:
        OSError: there is no place for one.
    """
    places = [os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")]
    place = next((p for p in (*places, "/tmp", "/var/tmp") if p and os.path.isdir(p)), ".")  # noqa: S108 - the folder in it is private
    folder = os.path.join(os.path.abspath(place), prefix + os.urandom(8).hex())
    os.mkdir(folder, 0o700)
    return folder


def remove(folder: str) -> None:
    """Remove such a folder. What cannot be removed is left: nothing depends on it."""
    try:
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
    except OSError:
        if os.path.isdir(folder):
            import shutil

            shutil.rmtree(folder, ignore_errors=True)
