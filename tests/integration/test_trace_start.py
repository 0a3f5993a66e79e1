"""A supervised program sees what it would see without a supervisor."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.traced import argv

HOW = pytest.mark.parametrize("how", ["seccomp", "between"])


def env(how: str) -> dict[str, str]:
    return os.environ | {"TEST_TRACE": how}


@HOW
@pytest.mark.parametrize("code", [0, 255])
def test_exit_code(tmp_path: Path, how: str, code: int) -> None:
    done = subprocess.run(argv(tmp_path / "r", "sh", "-c", f"exit {code}"), env=env(how))
    assert done.returncode == code
    report = json.loads((tmp_path / "r").read_text())
    assert (report["code"], report["signal"]) == (code, None)


@HOW
def test_the_signal_that_ended_it(tmp_path: Path, how: str) -> None:
    subprocess.run(argv(tmp_path / "r", "sh", "-c", "kill -KILL $$"), env=env(how))
    report = json.loads((tmp_path / "r").read_text())
    assert (report["code"], report["signal"]) == (None, signal.SIGKILL)


@HOW
def test_standard_streams_and_other_descriptors(tmp_path: Path, how: str) -> None:
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb") as extra:
        done = subprocess.run(
            argv(tmp_path / "r", "sh", "-c", f"cat; echo err >&2; echo more >/dev/fd/{writes}"),
            input=b"\x00\xff in\n",
            capture_output=True,
            pass_fds=(writes,),
            env=env(how),
        )
        os.close(writes)
        assert (done.stdout, done.stderr) == (b"\x00\xff in\n", b"err\n")
        assert extra.read() == b"more\n"


@HOW
@pytest.mark.parametrize(("program", "code"), [("no-such-program", 127), ("./plain", 126)])
def test_what_cannot_be_started(tmp_path: Path, how: str, program: str, code: int) -> None:
    (tmp_path / "plain").write_text("not a program\n")
    done = subprocess.run(
        argv(tmp_path / "r", program), cwd=tmp_path, env=env(how), capture_output=True, text=True
    )
    # A shell's own codes for the same.
    shell = subprocess.run(["sh", "-c", program], cwd=tmp_path, stderr=subprocess.DEVNULL)
    assert done.returncode == shell.returncode == code
    assert program in done.stderr
    assert len(done.stderr.splitlines()) == 1


@HOW
def test_a_pipe_that_is_closed_ends_it_as_in_a_shell(tmp_path: Path, how: str) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    subprocess.run(argv(tmp_path / "r", "yes"), stdout=writes, env=env(how))
    os.close(writes)
    assert json.loads((tmp_path / "r").read_text())["signal"] == signal.SIGPIPE


@HOW
@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_a_signal_sent_to_the_supervisor_reaches_it_once(
    tmp_path: Path, how: str, name: str
) -> None:
    script = f"n=0; trap 'echo got; n=1' {name}; echo ready; while [ $n = 0 ]; do sleep 0.05; done"
    with subprocess.Popen(
        # A shell cannot trap what was ignored when it was started, as in the background of another.
        ["env", f"--default-signal={name}", *argv(tmp_path / "r", "sh", "-c", script)],
        stdout=subprocess.PIPE,
        env=env(how),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.stdout.read() == b"got\n"
    assert process.returncode == 0


@HOW
def test_a_key_of_the_terminal_reaches_it_once(tmp_path: Path, how: str) -> None:
    program = textwrap.dedent("""
        import signal, sys, time
        count = 0
        def got(*_):
            global count
            count += 1
        signal.signal(signal.SIGINT, got)
        assert sys.stdin.isatty() and sys.stdout.isatty()
        print("ready", flush=True)
        while not count:
            time.sleep(0.01)
        time.sleep(0.3)
        print("count", count)
    """)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, argv(tmp_path / "r", sys.executable, "-c", program), env(how))
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    while not re.search(rb"count \d", said):
        said += os.read(terminal, 1000)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert b"count 1" in said
    assert os.waitstatus_to_exitcode(status) == 0


@HOW
def test_ignored_and_blocked_signals_are_what_they_were(tmp_path: Path, how: str) -> None:
    look = ["sh", "-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status"]
    bare = subprocess.run(look, capture_output=True, text=True)
    done = subprocess.run(argv(tmp_path / "r", *look), capture_output=True, text=True, env=env(how))
    assert done.stdout == bare.stdout


@HOW
def test_resources(tmp_path: Path, how: str) -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass\nx = b'x' * 100_000_000"
    subprocess.run(argv(tmp_path / "r", sys.executable, "-c", busy), env=env(how), check=True)
    user, system, kilobytes = json.loads((tmp_path / "r").read_text())["usage"][:3]
    # What the supervisor itself uses is not in it.
    assert 0.25 < user + system < 0.45
    assert 100_000 < kilobytes < 200_000


def test_without_tracing(tmp_path: Path) -> None:
    done = subprocess.run(argv(tmp_path / "r", "sh", "-c", "exit 7"), env=env("none"))
    assert done.returncode == 7
    trace = json.loads((tmp_path / "r").read_text())["trace"]
    assert (trace["method"], trace["complete"]) == ("none", False)
    assert trace["gaps"] == ["tracing was switched off"]
