"""Starts a program, lets everything of it through, and watches what it does."""

from __future__ import annotations

import os
import select

from envlock.io.trace.child import Command, failure, start
from envlock.io.trace.kinds import SCANNED, Method
from envlock.io.trace.signals import Signals
from envlock.io.trace.tracer import Tracer

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from envlock.io.trace.model import Supervised
    from envlock.io.trace.sampler import Sampler


def supervise(
    argv: Sequence[str],
    *,
    program: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdio: tuple[int | None, int | None, int | None] = (None, None, None),
    trace: bool = True,
) -> Supervised:
    """Run ``argv`` to its end as if a shell had started it, and say what it did.

    It keeps this process's terminal, process group, descriptors and, unless ``stdio`` says
    otherwise, standard streams. Signals sent to this process reach it. Call this from the main
    thread, before other threads are started: it forks, and other work would keep the program
    waiting. ``between.Between`` is for callers that have other work.

    Args:
        argv: program and arguments; the program is looked for in the ``PATH`` of ``env``.
        program: the file to run where it is not what ``argv`` says.
        cwd: working directory.
        env: the whole environment; None inherits this process's.
        stdio: descriptors for standard input, output and error; None inherits.
        trace: watch files, programs and connections, too. Where that cannot be done the result's
            ``trace`` says why; the program runs all the same.

    Raises:
        StartError: the program cannot be started (exit code 126 or 127, as shells give).
    """
    from envlock.io.trace.model import supervised

    return supervised(
        report(
            Command(
                program=program or argv[0],
                argv=argv,
                cwd=cwd,
                env=os.environ if env is None else env,
                stdio=stdio,
            ),
            Signals(),
            trace=trace,
        )
    )


def report(
    command: Command,
    signals: Signals,
    *,
    trace: bool = True,
    seccomp: bool = True,
    started: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """As ``supervise``, with plain values: ``model.Report``.

    Args:
        command: what to run.
        signals: what holds back signals already; closed at the end.
        trace: as for ``supervise``.
        seccomp: False has the next best way taken, as where the system refuses this one.
        started: called when the program has become itself.
    """
    try:
        return _run(command, signals, started or _nothing, trace=trace, seccomp=seccomp)
    finally:
        signals.close()


def _nothing() -> None:
    pass


def _run(
    command: Command,
    signals: Signals,
    started: Callable[[], None],
    *,
    trace: bool,
    seccomp: bool,
) -> dict[str, Any]:
    tracer, why = _tracer() if trace and seccomp else (None, "tracing was switched off")
    if trace and not seccomp:
        why = "watching system calls was switched off"

    def before() -> None:
        signals.release()
        if tracer is not None:
            tracer.attach()

    pid, told = start(command, before=before)
    signals.started(pid)
    if tracer is not None:
        tracer.attached()
    ended = _exit_descriptor(pid)
    sampler = None
    if trace and (tracer is None or tracer.fd is None):
        from envlock.io.trace.sampler import Sampler

        sampler = Sampler(pid, command.argv)
    said = _serve(ended, told, signals, started, tracer, sampler)
    _, status, used = os.wait4(pid, 0)
    os.close(ended)
    seen: dict[str, Any] = {"method": Method.NONE, "gaps": [why]}
    running: bool | None = None
    if tracer is not None:
        seen, running = tracer.finish()
    if sampler is not None:
        seen = _sampled(sampler, seen)
    if said:
        raise failure(command, said)
    return {
        "pid": pid,
        "status": status,
        "usage": list(used),
        "trace": seen,
        "left_running": running,
    }


def _sampled(sampler: Sampler, seen: dict[str, Any]) -> dict[str, Any]:
    """A trace of what was seen now and then; a parent that sees it all stays named."""
    method = Method.PARENT if seen["method"] == Method.PARENT else Method.SCAN
    return {
        "method": method,
        "gaps": [*seen["gaps"], SCANNED],
        "events": sampler.events,
        "libraries": list(sampler.libraries),
        "processes": len(sampler.processes),
    }


def _tracer() -> tuple[Tracer | None, str]:
    try:
        return Tracer(), ""
    except OSError as error:
        return None, str(error)


def _serve(
    ended: int,
    told: int,
    signals: Signals,
    started: Callable[[], None],
    tracer: Tracer | None,
    sampler: Sampler | None,
) -> bytes:
    """Attend to everything until the process has ended; what ``told`` said of a failed start."""
    said = b""
    poll = select.poll()
    listener = None if tracer is None else tracer.fd
    for fd in (ended, told, listener, signals.fd):
        if fd is not None:
            poll.register(fd, select.POLLIN)
    while True:
        ready = poll.poll(None if sampler is None else sampler.look())
        for fd, what in ready:
            if fd == listener and tracer is not None:
                if not what & select.POLLIN or not tracer.serve():
                    poll.unregister(fd)
            elif fd == told:
                said = os.read(told, 64)
                poll.unregister(told)
                os.close(told)
                if not said:
                    started()
            elif fd == signals.fd:
                signals.deliver()
        # A daemon may go on asking: that is for the end to settle.
        if ended in (quiet := {fd for fd, _ in ready} - {listener}) and len(quiet) == 1:
            return said


def _exit_descriptor(pid: int) -> int:
    """A descriptor that can be read once the process has ended; it is not yet waited for."""
    if hasattr(os, "pidfd_open"):
        try:
            return os.pidfd_open(pid)
        except OSError:
            # Linux before 5.3, or a profile that refuses it.
            pass
    import threading

    reads, writes = os.pipe()

    def wait() -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        os.close(writes)

    threading.Thread(target=wait, daemon=True).start()
    return reads
