"""The one door for subprocesses, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envlock.errors import SourceError
from envlock.io.process import TimeLimitError, clean_environment, run


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def test_output_and_code_come_back() -> None:
    done = run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"))
    assert (done.code, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert done.argv[0] == sys.executable


def test_a_signal_is_a_negative_code() -> None:
    done = run(python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)"))
    assert done.code == -signal.SIGTERM


def test_arguments_meet_no_shell(tmp_path: Path) -> None:
    hostile = ["$(touch x)", "`touch x`", "; touch x", "a b", "*", "", "'\"", "é\n"]
    done = run(python("import sys; print(sys.argv[1:])", *hostile), cwd=tmp_path)
    assert done.stdout == f"{hostile}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_working_directory_and_environment_are_what_was_given(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), sorted(os.environ))"
    done = run(python(code), cwd=tmp_path, env={"LC_ALL": "C.UTF-8", "ONLY": "this"})
    assert done.stdout == f"{tmp_path.resolve()} ['LC_ALL', 'ONLY']\n"


def test_the_environment_is_inherited_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARK", "here")
    assert run(python("import os; print(os.environ['MARK'])")).stdout == "here\n"


def test_nothing_waits_for_input() -> None:
    assert run(python("import sys; print(repr(sys.stdin.read()))")).stdout == "''\n"


def test_much_output_on_both_sides_does_not_block() -> None:
    code = (
        "import sys\n"
        "for _ in range(3000):\n"
        "    sys.stderr.write('e' * 200 + '\\n'); sys.stdout.write('o' * 200 + '\\n')\n"
    )
    done = run(python(code))
    assert (len(done.stdout), len(done.stderr)) == (3000 * 201, 3000 * 201)


def test_odd_bytes_are_replaced() -> None:
    done = run(python("import os; os.write(1, b'a\\xffb'); os.write(2, b'\\xfe')"))
    assert (done.stdout, done.stderr) == ("a\ufffdb", "\ufffd")


def test_lines_are_told_as_they_come() -> None:
    told: list[tuple[float, str]] = []
    code = (
        "import sys, time\n"
        "print('first', file=sys.stderr, flush=True); time.sleep(0.5)\n"
        "print('second', file=sys.stderr)\n"
    )
    run(python(code), on_stderr=lambda line: told.append((time.monotonic(), line)))
    assert [line for _, line in told] == ["first", "second"]
    assert told[1][0] - told[0][0] > 0.2


def test_shown_errors_go_to_our_own_stderr() -> None:
    inner = "import sys; print('seen', file=sys.stderr); print('kept')"
    code = (
        "import sys; from envlock.io.process import run\n"
        f"done = run([sys.executable, '-c', {inner!r}], show=True)\n"
        "assert (done.stdout, done.stderr) == ('kept\\n', '')\n"
    )
    done = subprocess.run(python(code), capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "seen\n")


def test_a_missing_program_is_named_with_a_remedy() -> None:
    with pytest.raises(SourceError, match="cannot start no-such-program") as caught:
        run(["no-such-program"])
    assert caught.value.remedy == "install no-such-program"
    with pytest.raises(SourceError) as caught:
        run(["no-such-program"], remedy="pip install it")
    assert caught.value.remedy == "pip install it"


def test_a_missing_folder_is_not_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder") as caught:
        run(python(""), cwd=tmp_path / "absent")
    assert caught.value.where == str(tmp_path / "absent")


def test_a_file_that_is_no_program_cannot_start(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(SourceError, match="Permission denied"):
        run([str(tmp_path / "data")])


def test_a_nul_in_an_argument_is_an_error() -> None:
    with pytest.raises(SourceError, match="null byte"):
        run(python("", "a\0b"))


def test_an_interrupt_ends_the_child(tmp_path: Path) -> None:
    inner = (
        "import os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "print('started', flush=True); time.sleep(60)\n"
    )
    code = (
        f"import sys; from envlock.io.process import run\nrun([sys.executable, '-c', {inner!r}])\n"
    )
    outer = subprocess.Popen(python(code), stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 20
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    outer.send_signal(signal.SIGINT)
    _, errors = outer.communicate(timeout=20)
    assert b"KeyboardInterrupt" in errors
    child = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def running(process: int) -> bool:
    """Whether it is; one that ended may wait for its new parent to take note."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def test_what_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    script = 'trap "touch tidied; exit" TERM; sleep 62.5 & echo $! >pid; wait'
    with pytest.raises(TimeLimitError, match=r"sh did not end within 0\.3 seconds"):
        run(["sh", "-c", script], cwd=tmp_path, seconds=0.3)
    assert (tmp_path / "tidied").exists()
    left = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 20
    while running(left):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert run(["sh", "-c", "exit 3"], seconds=60).code == 3


def test_a_clean_environment_drops_and_fixes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX_URL", "x")
    monkeypatch.setenv("PIP_INDEX_URL", "x")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("KEPT", "y")
    found = clean_environment("UV_", "PIP_", MORE="z")
    assert not [name for name in found if name.startswith(("UV_", "PIP_"))]
    assert (found["TZ"], found["LC_ALL"], found["KEPT"], found["MORE"]) == (
        "UTC", "C.UTF-8", "y", "z",
    )  # fmt: skip
