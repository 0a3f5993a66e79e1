"""A tool's progress on our terminal: it believes in one, its words are shown and kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envlock.errors import SourceError
from envlock.io.terminal import run_shown


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_tool_sees_a_terminal_and_its_words_are_shown_and_kept(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = "import sys; print('result'); print(sys.stderr.isatty(), file=sys.stderr)"
    done = run_shown(python(code), stop_at=())
    assert (done.code, done.stdout) == (0, "result\n")
    assert done.stderr == "True\n"
    assert capfd.readouterr().err == "True\r\n"


def test_control_sequences_are_shown_and_not_kept(capfd: pytest.CaptureFixture[str]) -> None:
    code = r"import sys; sys.stderr.write('\x1b[2K\x1b[32mgreen\x1b[0m\r\x1b[?25hdone\n')"
    assert run_shown(python(code), stop_at=()).stderr == "greendone\n"
    assert "\x1b[32mgreen" in capfd.readouterr().err


@pytest.mark.parametrize("pause", ["", "sys.stderr.flush(); time.sleep(0.05);"])
def test_from_the_marker_on_nothing_is_shown_but_all_is_kept(
    capfd: pytest.CaptureFixture[str], pause: str
) -> None:
    # With a pause, the marker comes in two pieces.
    code = (
        "import sys, time; sys.stderr.write('bars e');"
        f"{pause} sys.stderr.write('rror: bad\\nmore error: things\\n'); sys.exit(3)"
    )
    done = run_shown(python(code), stop_at=("Prepared ", "error: "))
    assert (done.code, done.stderr) == (3, "bars error: bad\nmore error: things\n")
    assert capfd.readouterr().err == "bars "


def test_the_beginning_of_a_marker_that_never_comes_is_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = "import sys; sys.stderr.write('all is well, no err')"
    run_shown(python(code), stop_at=("error: ",))
    assert capfd.readouterr().err == "all is well, no err"


def test_more_than_a_buffer(capfd: pytest.CaptureFixture[str]) -> None:
    code = "import sys; sys.stderr.write('x' * 300_000); print('y' * 300_000)"
    done = run_shown(python(code), stop_at=("error: ",))
    assert (len(done.stderr), len(done.stdout)) == (300_000, 300_001)
    assert len(capfd.readouterr().err) == 300_000


def test_folder_and_variables(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), os.environ['WORD'])"
    done = run_shown(python(code), stop_at=(), cwd=tmp_path, env={"WORD": "w"})
    assert done.stdout == f"{tmp_path} w\n"


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="cannot start"):
        run_shown(["/nowhere/tool"], stop_at=(), remedy="install it")
