"""Runs commands supervised, as envlock does, and gives back what was seen of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SUPERVISE = textwrap.dedent("""
    import json, os, signal, sys
    from envlock.io.trace.child import StartError
    from envlock.io.trace.supervise import supervise
    from envlock.io.trace.between import Between
    how = os.environ.get("TEST_TRACE", "seccomp")
    argv = sys.argv[2:]
    try:
        if how == "between":
            # As a caller that works meanwhile: it passes signals on, but for the terminal's keys.
            passed = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, passed)
            child = Between(argv[0], argv, os.environ, stdio=(None, None, None), mask=mask)
            while not (waited := os.waitpid(child.pid, os.WNOHANG))[0]:
                info = signal.sigwaitinfo(passed)
                if info.si_signo != signal.SIGCHLD and info.si_code <= 0:
                    os.kill(child.pid, info.si_signo)
            done = child.result()
            ended = os.waitstatus_to_exitcode(waited[1])
            assert ended == (done.code if done.signal is None else -done.signal)
        else:
            done = supervise(argv, trace=how != "none")
    except StartError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"{argv[0]}: {error}", file=sys.stderr)
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)
    with open(sys.argv[1], "w") as file:
        json.dump(done, file, default=lambda v: {n: getattr(v, n) for n in v.__slots__})
    sys.exit(done.code if done.signal is None else 128 + done.signal)
""")


def argv(report: Path, *command: str | Path) -> list[str]:
    """The command that runs ``command`` supervised and writes what came of it to ``report``."""
    return [sys.executable, "-c", SUPERVISE, str(report), *map(str, command)]


class Seen:
    """A report, with the questions that tests ask."""

    def __init__(self, report: Path) -> None:
        self.all: dict[str, Any] = json.loads(report.read_text())
        self.trace: dict[str, Any] = self.all["trace"]

    def paths(self, action: str, below: Path | str = "/") -> set[bytes]:
        """Where an event of this kind happened, as bytes relative to ``below``."""
        start = os.fsencode(below).rstrip(b"/") + b"/"
        found = (os.fsencode(e["path"]) for e in self.trace["events"] if e["action"] == action)
        return {path[len(start) :] for path in found if path.startswith(start)}

    def moves(self, action: str, below: Path) -> list[tuple[str, str]]:
        """The pairs of paths of events with two, relative to ``below``."""
        return [
            (os.path.relpath(e["path"], below), os.path.relpath(e["target"], below))
            for e in self.trace["events"]
            if e["action"] == action
        ]


def run(
    folder: Path, *command: str | Path, env: Mapping[str, str] | None = None, code: int = 0
) -> Seen:
    """Run ``command`` in ``folder``, traced; it must end with ``code``."""
    report = folder.parent / f"{folder.name}.report"
    done = subprocess.run(
        argv(report, *command),
        cwd=folder,
        env=os.environ | dict(env or {}),
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == code
    return Seen(report)


def compile_c(source: str, program: Path, *options: str) -> Path:
    """A C program; ``options`` are gcc's."""
    code = program.with_suffix(".c")
    code.write_text(textwrap.dedent(source))
    subprocess.run(["gcc", "-O1", *options, "-o", program, code], check=True, timeout=60)
    return program


# What a container's profile may do: seccomp(2) is refused to all that starts from here.
REFUSED = textwrap.dedent("""
    import ctypes, os, struct, sys
    number = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *s) for s in steps))
    class Program(ctypes.Structure):
        _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_void_p)]
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.byref(Program(len(steps), ctypes.addressof(code)))) == 0
    os.execv(sys.argv[1], sys.argv[1:])
""")
"""Runs the command that follows it so."""
