"""Runs code that is not trusted to end: with a time limit, output in a file, and all it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from envlock.errors import SourceError, UsageError

_POLL = 0.1

WITHOUT_NETWORK = r"""
def without_network():
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes
        new_user, new_net = 0x10000000, 0x40000000
        user, group = os.geteuid(), os.getegid()
        libc = ctypes.CDLL(None)
        if libc.unshare(new_net) == 0:
            return True
        if libc.unshare(new_user | new_net) != 0:
            return False
        for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (user, user)),
                           ("gid_map", "%d %d 1" % (group, group))):
            with open("/proc/self/" + name, "w") as file:
                file.write(text)
        return True
    except Exception:
        return False
"""
"""Text of a Python function (3.6 or later, ``os`` and ``sys`` imported) that takes the network away
from its process and those that it starts, where the system lets it; whether it did."""


OTHER_USER = r"""
def other_user(user):
    import ctypes
    own, group = os.geteuid(), os.getegid()
    if ctypes.CDLL(None).unshare(0x10000000) != 0:
        raise SystemExit("the system allows no other user")
    for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (user, own)),
                       ("gid_map", "%d %d 1" % (user, group))):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)
"""
"""Text of a Python function like that one: its process is another user in its own eyes and those of
what it starts (a user namespace); to the system it stays who it is."""

END_WITH_PARENT = r"""
def end_with_parent(parent):
    if sys.platform.startswith("linux"):
        import ctypes
        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
        if os.getppid() != parent:
            os._exit(1)
"""
"""Text of a Python function like that one: from then on its process is killed when the one that
started it ends, however that ends. What it starts itself is not."""


def may_be_other_user() -> bool:
    """Whether the system allows what ``OTHER_USER`` does."""
    text = "import os, sys\n" + OTHER_USER + f"other_user({os.geteuid() + 1})"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", text],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def end_left(variable: str, value: str) -> None:
    """Kill the processes that have a variable with that value: what a killed envlock left running.

    Only where the system shows it (Linux), and only those that this user may kill.
    """
    wanted = f"{variable}={value}".encode()
    while found := [pid for pid in _processes() if wanted in _variables(pid)]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _processes() -> list[int]:
    try:
        return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        return []


def _variables(pid: int) -> list[bytes]:
    """What a process was started with; none where it is not ours, or has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def seconds_allowed(variable: str, default: float) -> float:
    """What an environment variable allows, else ``default``.

    Raises:
        UsageError: it is not a number of seconds.
    """
    text = os.environ.get(variable) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise UsageError(
            f"{variable}={text} is not a number of seconds",
            where="environment",
            remedy=f"for example {2 * default:.0f}",
        )
    return seconds


def run_confined(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    seconds: float,
    stop: threading.Event | None = None,
) -> int | None:
    """Run ``argv`` in a session of its own; its exit code (negative: signal), None when cut off.

    At the end, whatever it started and left running in that session is killed.

    Args:
        argv: program and arguments.
        cwd: working directory.
        env: the whole environment.
        log: gets stdout and stderr, in the order of writing.
        seconds: how long it may take.
        stop: when set, by another thread, it is killed at once.

    Raises:
        SourceError: the program cannot be started.
    """
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise SourceError(f"cannot start {argv[0]}: {error.strerror}") from None
    try:
        return _wait(process, time.monotonic() + seconds, stop or threading.Event())
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], end: float, stop: threading.Event) -> int | None:
    while time.monotonic() < end and not stop.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL)
    return None


def last_lines(log: Path, count: int) -> str:
    """The last ``count`` lines of a log that are not empty; reads no more than its end."""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 64 * 1024))
        text = file.read().decode("utf-8", "replace")
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:])
