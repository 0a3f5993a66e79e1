"""One program run in place of another: same terminal, process group, descriptors and signals.

What ``time(1)`` does: the program stays in this process's group, so that the terminal's keys and
job control reach it as if envlock were not there. Light on purpose (no ``subprocess``, no
``threading``): it stands between a user and every program they run.
"""

from __future__ import annotations

import _thread
import errno
import os
import select
import signal
import stat
import sys
import time

from envlock.io.signals import ENDING, PASSED, has_it_already, pass_on

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from resource import struct_rusage

    from envlock.io.trace.between import Between
    from envlock.io.trace.model import Supervised

GRACE = 0.1
"""Seconds without a byte after which a pipe that outlives its program is left to whoever has it."""
LONGEST = 1.0
"""Seconds after which that is so even if bytes keep coming."""

# What Python ignores for itself and programs do not expect to be ignored.
_DEFAULT = (signal.SIGPIPE, signal.SIGXFSZ)
_PIECE = 65536


class Stream:
    """A stream of a program that passes through here: ``names`` are ``stdout``, ``stderr`` or both.

    ``take`` gets every piece; ``problem`` says why passing on ended early, ``open_after`` that
    another process still held the stream when the program had ended.
    """

    def __init__(self, names: tuple[str, ...], target: int, take: Callable[[bytes], None]) -> None:
        self.names = names
        self.target = target
        self.take = take
        self.reading, self.writing = os.pipe()
        self.problem: str | None = None
        self.open_after = False


def streams(capture: str, take: Callable[[str], Callable[[bytes], None]]) -> list[Stream]:
    """The streams that pass through here: by ``capture`` all, none, or those that are no terminal.

    A program behaves differently on a terminal (colours, buffering, progress bars), so ``auto``
    leaves one alone. Two streams that lead to one file share a pipe: their order stays.

    Args:
        capture: ``always``, ``never`` or ``auto``.
        take: by the stream's name (``stdout``, ``stderr``, ``both``), what gets its bytes.
    """
    caught = [] if capture == "never" else [fd for fd in (1, 2) if _catches(fd, capture)]
    if caught == [1, 2] and os.path.sameopenfile(1, 2):
        return [Stream(("stdout", "stderr"), 1, take("both"))]
    names = {1: "stdout", 2: "stderr"}
    return [Stream((names[fd],), fd, take(names[fd])) for fd in caught]


def _catches(fd: int, capture: str) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False  # closed: it stays so
    return capture == "always" or not os.isatty(fd)


class Child:
    """A started program; ``trace`` has it watched by a process between, in its best way or, without
    ``seccomp``, the next best one.

    Raises:
        OSError: it cannot be started (on creation).
    """

    def __init__(
        self,
        argv: list[str],
        env: Mapping[str, str],
        passing: Sequence[Stream],
        *,
        trace: bool = False,
        seccomp: bool = True,
    ) -> None:
        self._streams = passing
        self._trace = trace
        self._seccomp = seccomp
        self._between: Between | None = None
        self.asked_to_end: int | None = None
        """The last signal by which somebody wanted to end it, if one came."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, nobody learns how it ended
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, (*PASSED, signal.SIGCHLD))
        try:
            self.pid = self._spawn(argv, env)
        except BaseException:
            self.release()
            raise
        finally:
            for stream in passing:
                os.close(stream.writing)
        self._ended, self._stop = os.pipe()
        self._pumped = _thread.allocate_lock()
        if passing:
            self._pumped.acquire()
            _thread.start_new_thread(self._pump, ())

    def _spawn(self, argv: list[str], env: Mapping[str, str]) -> int:
        targets = {
            {"stdout": 1, "stderr": 2}[name]: stream.writing
            for stream in self._streams
            for name in stream.names
        }

        def spawn(program: str, arguments: list[str]) -> int:
            if self._trace:
                from envlock.io.trace.between import Between

                stdio = (None, targets.get(1), targets.get(2))
                self._between = Between(
                    program,
                    arguments,
                    env,
                    stdio=stdio,
                    mask=self._mask,
                    seccomp=self._seccomp,
                )
                return self._between.pid
            return os.posix_spawnp(
                program,
                arguments,
                env,
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in targets.items()],
                setsigmask=self._mask,
                setsigdef=_DEFAULT,
            )

        try:
            return spawn(argv[0], argv)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without a first line that says who reads it: as shells and env(1) do.
            return spawn("/bin/sh", ["sh", find_program(argv[0], env) or argv[0], *argv[1:]])

    def wait(self) -> tuple[int, struct_rusage]:
        """Until it ends; signals that reach this process meanwhile are passed on.

        Returns:
            Its wait status and what it used, with the descendants that it waited for.
        """
        while True:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                break
            self._pass_on()
        os.write(self._stop, b".")
        self._pumped.acquire()
        for stream in self._streams:
            if stream.open_after:
                _leave_running(stream)
            os.close(stream.reading)
        os.close(self._stop)
        os.close(self._ended)
        return status, usage

    def _pass_on(self) -> None:
        awaited = (*PASSED, signal.SIGCHLD)
        if sys.platform == "darwin":
            number, code = signal.sigwait(awaited), 1
        else:
            info = signal.sigwaitinfo(awaited)
            number, code = info.si_signo, info.si_code
        if number in ENDING:
            self.asked_to_end = number
        if number != signal.SIGCHLD and not has_it_already(number, code):
            pass_on(self.pid, number)

    def traced(self) -> Supervised | None:
        """What was seen of a traced program that ended; None where its watcher was killed."""
        return None if self._between is None else self._between.result()

    def forget_signals(self) -> None:
        """What arrived while the program ended was for the program."""
        if sys.platform != "darwin":
            while signal.sigtimedwait((*PASSED, signal.SIGCHLD), 0) is not None:
                pass

    def release(self) -> None:
        """Let signals reach this process again."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _pump(self) -> None:
        """Give on what the program says until it and its pipes end."""
        try:
            poll = select.poll()
            by_fd = {stream.reading: stream for stream in self._streams}
            for fd in (*by_fd, self._ended):
                poll.register(fd, select.POLLIN)
            timeout: float | None = None
            until = float("inf")
            while by_fd and time.monotonic() < until:
                ready = [fd for fd, _ in poll.poll(timeout)]
                if not ready:
                    break
                for fd in ready:
                    if fd == self._ended:
                        poll.unregister(fd)
                        timeout, until = GRACE * 1000, time.monotonic() + LONGEST
                    elif not _give_on(by_fd[fd]):
                        poll.unregister(fd)
                        del by_fd[fd]
            for stream in by_fd.values():
                stream.open_after = True
        finally:
            self._pumped.release()


def _give_on(stream: Stream) -> bool:
    """One piece; False at the end of the stream, or when nobody takes it any more."""
    piece = os.read(stream.reading, _PIECE)
    if not piece:
        return False
    try:
        stream.take(piece)
    except Exception as error:  # whatever it is, the program goes on
        stream.problem = f"not kept from here on: {error}"
        stream.take = _let_go
    try:
        _write(stream.target, piece)
    except OSError as error:
        stream.problem = error.strerror
        # The program learns of it as it would have without us: by SIGPIPE at its next write. What
        # it may not be told so (a full disk) ends it, too, rather than go on with output lost.
        silent = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(silent, stream.reading, inheritable=False)
        os.close(silent)
        return False
    return True


def _let_go(_piece: bytes) -> None:
    return


def _write(fd: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            select.select([], [fd], [])


def _leave_running(stream: Stream) -> None:
    """A descendant still writes: a process of its own gives that on, and nobody waits for it."""
    if os.fork():
        return
    try:
        for fd in {0, 1, 2} - {stream.target}:
            os.close(fd)
        while piece := os.read(stream.reading, _PIECE):
            _write(stream.target, piece)
    finally:
        os._exit(0)


def find_program(name: str, env: Mapping[str, str]) -> str | None:
    """The file that ``name`` means to ``execvp(3)``, or None."""
    if "/" in name:
        return name if _runs(name) else None
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or ".", name)
        if _runs(path):
            return path
    return None


def _runs(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.X_OK)
    except (OSError, ValueError):
        return False


def output_of(argv: list[str], env: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """Exit code and stdout of a short helper; its stderr and stdin are nothing.

    Raises:
        OSError: it cannot be started.
    """
    reading, writing = os.pipe()
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        pid = os.posix_spawnp(
            argv[0],
            argv,
            os.environ if env is None else env,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, nothing, 0),
                (os.POSIX_SPAWN_DUP2, writing, 1),
                (os.POSIX_SPAWN_DUP2, nothing, 2),
            ],
            setsigmask=(),
            setsigdef=_DEFAULT,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
        os.close(nothing)
    with open(reading, "rb") as file:
        answer = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), answer
