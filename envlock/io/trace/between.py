"""Tracing by a process between this one and the program, which answers while this one works.

Light on purpose, as its caller stands before every program that is run: what tracing needs is
loaded by the process between, while the caller does its work.

A caller that has threads, or much to do meanwhile, would keep every watched call of the program
waiting for its interpreter lock. The process between has nothing else to do, and stands above the
program, as looking into it demands.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import NoReturn

    from envlock.io.trace.model import Supervised

    Stdio = tuple[int | None, int | None, int | None]


class Between:
    """A started program and the process that traces it.

    ``pid`` is that process: wait for it and send it what is for the program; it ends as the program
    ends, by the same signal or with the same exit code. Closed by ``result``.
    """

    def __init__(
        self,
        program: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        stdio: Stdio,
        mask: Iterable[int],
        seccomp: bool = True,
    ) -> None:
        """Start; call it before any thread is started (it forks).

        Args:
            program: its path, or its name, looked for in the ``PATH`` of ``env``.
            argv: what it is called and its arguments.
            env: the program's whole environment.
            stdio: as for ``supervise``.
            mask: the signals that the program shall find blocked.
            seccomp: as for ``supervise.report``.

        Raises:
            OSError: the program cannot be started.
        """
        self._report = os.memfd_create("trace")
        told, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _trace(program, argv, env, stdio, set(mask), tell, self._report, seccomp)
        os.close(tell)
        said = os.read(told, 16)
        os.close(told)
        if said:
            os.close(self._report)
            os.waitpid(self.pid, 0)
            raise OSError(int(said), os.strerror(int(said)))

    def result(self) -> Supervised | None:
        """What came of it, once ``pid`` has ended; None where that process was killed."""
        import json

        from envlock.io.trace.model import supervised

        with open(self._report, "rb") as file:
            file.seek(0)
            data = file.read()
        return supervised(json.loads(data)) if data else None


def _trace(
    program: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    stdio: Stdio,
    mask: set[int],
    tell: int,
    report: int,
    seccomp: bool,
) -> NoReturn:
    """Be the process between. Signals count when its parent sends them: the others it has, too."""
    try:
        _close_but({tell, report, *stdio})
        import gc

        from envlock.io.trace.child import Command, StartError
        from envlock.io.trace.signals import Signals
        from envlock.io.trace.supervise import report as run

        gc.enable()  # this one may live for days
        signals = Signals(mask=mask, only_from=os.getppid())
        command = Command(program=program, argv=argv, cwd=None, env=env, stdio=stdio)
        done = run(command, signals, seccomp=seccomp, started=lambda: os.close(tell))
    except StartError as error:
        os.write(tell, b"%d" % error.number)
        os._exit(error.exit_code)
    except BaseException:
        os._exit(125)
    import json

    with open(report, "w") as file:
        json.dump(done, file)
    code = os.waitstatus_to_exitcode(done["status"])
    if code < 0:
        from envlock.io.signals import die_of

        die_of(-code)
    os._exit(abs(code))


def _close_but(kept: set[int | None]) -> None:
    """Close what is the caller's own: who has the other end of a pipe waits for the last one."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            if fd > 2 and fd not in kept and not os.get_inheritable(fd):
                os.close(fd)
        except OSError:
            # The descriptor that read the list.
            continue
