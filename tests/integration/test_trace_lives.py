"""Whatever happens to the supervisor, the programs it watches run on undisturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.traced import REFUSED, Seen, argv, compile_c, run

from envlock.io.trace.kinds import Method

# Opens, renames, removes and runs things for a while, and says how it went.
BUSY = textwrap.dedent("""
    import os, subprocess, sys, time
    open("started", "w").close()
    end = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < end:
        open("a", "w").close()
        os.rename("a", "b")
        open("b").close()
        os.unlink("b")
    subprocess.run(["true"], check=True)
    open("well", "w").close()
""")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    (work / "busy.py").write_text(BUSY)
    return work


def until(what: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def supervised(folder: Path, seconds: float) -> subprocess.Popen[bytes]:
    command = argv(folder / "report", sys.executable, "busy.py", str(seconds))
    process = subprocess.Popen(command, cwd=folder)
    until((folder / "started").exists)
    return process


def is_keeper(pid: int) -> bool:
    """It has a session of its own; the program has its starter's."""
    return os.getsid(pid) == pid


def test_a_daemon_runs_on_and_the_command_ends_without_it(folder: Path) -> None:
    daemon = f"setsid {sys.executable} busy.py 1.5 >/dev/null 2>&1 &"
    begun = time.monotonic()
    seen = run(folder, "sh", "-c", f"{daemon} while [ ! -e started ]; do sleep 0.01; done")
    assert time.monotonic() - begun < 1.4
    assert seen.all["left_running"] is True
    assert not seen.trace["complete"]
    assert "ran on" in seen.trace["gaps"][0]
    assert b"started" in seen.paths("write", folder)
    until((folder / "well").exists)


def test_nothing_is_left_when_all_have_ended(folder: Path) -> None:
    before = set(os.listdir("/proc"))
    seen = run(folder, "sh", "-c", "true & (true; sleep 0.05) & exit 0")
    assert seen.all["left_running"] is False
    ours = {p for p in set(os.listdir("/proc")) - before if p.isdigit()}

    def mine(pid: str) -> bool:
        try:
            return str(folder.parent).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    assert not [pid for pid in ours if mine(pid)]


def test_a_pipe_ends_though_a_daemon_runs_on(folder: Path) -> None:
    script = f"{sys.executable} busy.py 2 >/dev/null 2>&1 & echo out"
    begun = time.monotonic()
    done = subprocess.run(
        argv(folder / "report", "sh", "-c", script), cwd=folder, stdout=subprocess.PIPE
    )
    assert done.stdout == b"out\n"
    assert time.monotonic() - begun < 1.9
    until((folder / "well").exists)


def test_the_supervisor_is_killed(folder: Path) -> None:
    process = supervised(folder, 0.7)
    process.kill()
    process.wait()
    assert not (folder / "well").exists()
    until((folder / "well").exists)


def test_the_supervisor_is_killed_again_and_again(folder: Path) -> None:
    """Whatever it was doing at that instant, a call it had received included."""
    for number in range(8):
        work = folder / str(number)
        work.mkdir()
        (work / "busy.py").write_text(BUSY)
        process = supervised(work, 0.15)
        time.sleep(0.011 * number)
        process.kill()
        process.wait()
    for number in range(8):
        until((folder / str(number) / "well").exists)


def test_the_keeper_is_killed(folder: Path) -> None:
    process = supervised(folder, 0.5)
    keepers = [pid for pid in children(process.pid) if is_keeper(pid)]
    assert len(keepers) == 1
    os.kill(keepers[0], signal.SIGKILL)
    assert process.wait(20) == 0
    seen = Seen(folder / "report")
    assert seen.trace["complete"]
    assert b"well" in seen.paths("write", folder)


def test_children_that_are_killed_are_seen_until_then(folder: Path) -> None:
    (folder / "in").write_text("x")
    seen = run(folder, "sh", "-c", "sh -c 'read x < in; : > out; kill -KILL $$'; exit 0")
    assert seen.trace["complete"]
    assert seen.paths("read", folder) == {b"in"}
    assert seen.paths("write", folder) == {b"out"}


def test_frequent_signals_do_not_hold_it_up(folder: Path) -> None:
    script = textwrap.dedent("""
        import signal
        count = 0
        def tick(*_):
            global count
            count += 1
        signal.signal(signal.SIGALRM, tick)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for n in range(2000):
            open(f"f{n}", "w").close()
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert count
    """)
    seen = run(folder, sys.executable, "-c", script)
    assert len(seen.paths("write", folder)) == 2000


def test_a_nested_one_says_that_its_parent_sees_it(folder: Path) -> None:
    inner = argv(folder / "inner", "sh", "-c", ": > out")
    seen = run(folder, *inner)
    assert b"out" in seen.paths("write", folder)
    nested = Seen(folder / "inner")
    assert (nested.trace["method"], nested.trace["complete"]) == (Method.PARENT, False)
    assert nested.all["code"] == 0


def test_where_the_system_refuses_the_program_runs_and_the_trace_says_so(folder: Path) -> None:
    inner = argv(folder / "inner", "sh", "-c", ": > out; exit 5")
    done = subprocess.run([sys.executable, "-c", REFUSED, *inner], cwd=folder)
    assert done.returncode == 5
    assert (folder / "out").exists()
    seen = Seen(folder / "inner")
    assert (seen.trace["method"], seen.trace["complete"]) == (Method.SCAN, False)
    assert "refuses to trace: Operation not permitted" in seen.trace["gaps"][0]
    assert "open files now and then" in seen.trace["gaps"][1]


def test_as_an_ordinary_user(folder: Path) -> None:
    """No rights are needed; setuid programs get none, which is said."""
    (folder / "in").write_text("x")
    tool = compile_c("int main(void) { return 0; }", folder / "tool")
    tool.chmod(0o4755)
    for place in (folder, *folder.parents):
        if place.stat().st_uid == os.getuid() and place != Path("/tmp"):
            place.chmod(place.stat().st_mode | 0o755)
    folder.chmod(0o777)
    command = argv(folder / "inner", "sh", "-c", "cat in > out; ./tool")
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = subprocess.run([*(become if os.getuid() == 0 else []), *command], cwd=folder)
    assert done.returncode == 0
    seen = Seen(folder / "inner")
    assert seen.trace["method"] == Method.SECCOMP
    assert seen.paths("read", folder) == {b"in"}
    assert b"out" in seen.paths("write", folder)
    assert [gap for gap in seen.trace["gaps"] if "setuid" in gap and str(tool) in gap]
