"""An index that fails: one message, exit code 3 or 4, and the lock that was there stays.

What passes by itself (one error, one cut connection) does not even show.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.index import Fault, LoopbackIndex
from support.project import Project, errors_in, pins


@pytest.fixture(params=["uv", "pip-tools"])
def engine(request: pytest.FixtureRequest) -> str:
    """``--engine`` of the run."""
    name: str = request.param
    return f"--engine={name}"


@pytest.fixture
def shaky(project: Project, index: LoopbackIndex) -> Project:
    """A locked project that now wants one package more; short patience."""
    index.add("lib", "1.0", "2024-01-01")
    index.add("new", "1.0", "2024-01-01", sdist=True, dynamic=True)
    project.write("lib").lock()
    project.variables |= {
        "UV_HTTP_TIMEOUT": "1",
        "UV_HTTP_RETRIES": "0",
        "ENVLOCK_HTTP_TIMEOUT": "1",
        "ENVLOCK_HTTP_RETRIES": "0",
    }
    return project.write("lib", "new")


@pytest.mark.parametrize(
    ("kind", "code"),
    [("500", 3), ("503", 3), ("hang", 3), ("truncate", 3), ("html-for-json", 3), ("cut", 3)],
)
def test_a_page_that_fails_is_an_error(
    shaky: Project, index: LoopbackIndex, engine: str, kind: Fault, code: int
) -> None:
    index.fail("/simple/new/", kind)
    started = time.monotonic()
    said = shaky.refused(engine, code=code)
    assert errors_in(said) == 1
    assert index.base in said
    assert "help:" in said
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(("kind", "code"), [("500", 3), ("hang", 3), ("truncate", 3), ("cut", 3)])
def test_a_file_that_fails_is_an_error(
    shaky: Project, index: LoopbackIndex, engine: str, kind: Fault, code: int
) -> None:
    index.fail("/files/*/new-*", kind)
    said = shaky.refused(engine, code=code)
    assert errors_in(said) == 1
    named = "new-1.0.tar.gz" in said or "new==1.0" in said
    # Of a download that stalls or is cut, pip does not say which.
    assert named or (kind != "500" and engine == "--engine=pip-tools")
    assert "help:" in said


def test_a_file_with_another_digest_is_not_used(
    shaky: Project, index: LoopbackIndex, engine: str
) -> None:
    index.fail("/files/*/new-*", "flip-byte")
    said = shaky.refused(engine, code=4)
    assert "new" in said
    assert "help:" in said


@pytest.mark.parametrize("kind", ["500", "503", "429", "cut", "truncate"])
def test_what_passes_by_itself_does_not_show(
    project: Project, index: LoopbackIndex, engine: str, kind: Fault
) -> None:
    index.add("lib", "1.0", "2024-01-01", sdist=True, dynamic=True)
    index.fail("/simple/lib/", kind, times=1)
    if kind != "truncate":  # half a file is resumed or fetched anew; uv gives up on it
        index.fail("/files/*", kind, times=1)
    assert pins(project.write("lib").lock(engine)) == {"lib": "1.0"}


def test_no_index_at_all(project: Project, engine: str) -> None:
    project.write("lib").variables |= {
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
        "ENVLOCK_HTTP_RETRIES": "0",
    }
    said = project.refused(engine, code=3)
    assert "127.0.0.1:9" in said
    assert "help:" in said


def test_a_wrong_password(project: Project, engine: str) -> None:
    with LoopbackIndex("json", auth=("ann", "right")) as index:
        index.add("lib", "1.0", "2024-01-01")
        project.write("lib").variables["UV_DEFAULT_INDEX"] = index.url_for("ann", "wr0ng")
        done = project.run("lock", "--as-of=2024-06-01", engine)
        assert done.returncode == 3, done.stderr
        assert "401" in done.stderr
        assert "help: give credentials for this address" in done.stderr
        assert "wr0ng" not in done.stderr
        assert not project.lock_path.exists()


def test_a_size_that_cannot_be_learnt(project: Project, engine: str) -> None:
    with LoopbackIndex("dated-html") as index:
        index.add("lib", "1.0", "2024-01-01")
        index.fail("/files/*.whl", "500")
        project.write("lib").variables |= {
            "UV_DEFAULT_INDEX": index.url,
            "UV_HTTP_RETRIES": "0",
            "ENVLOCK_HTTP_RETRIES": "0",
        }
        said = project.refused(engine, code=3)
        assert "lib-1.0-py3-none-any.whl" in said


def test_a_full_disk_keeps_the_old_lock(shaky: Project) -> None:
    before = shaky.lock_path.read_bytes()
    # A limit on file sizes: what a full disk does, for the lock alone.
    limit = "import resource, sys, runpy, tempfile; "
    limit += "real = tempfile.mkstemp\n"
    limit += "def tight(*a, **k):\n"
    limit += "    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); return real(*a, **k)\n"
    limit += "tempfile.mkstemp = tight; sys.argv[0] = 'envlock'\n"
    limit += "runpy.run_module('envlock', run_name='__main__')\n"
    done = subprocess.run(
        [sys.executable, "-c", limit, "lock", "--as-of=2024-06-01"],
        cwd=shaky.root,
        env={**os.environ, "UV_DEFAULT_INDEX": shaky.index.url},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    assert "cannot write" in done.stderr
    assert "pylock.toml" in done.stderr
    assert shaky.lock_path.read_bytes() == before
    assert {p.name for p in shaky.root.iterdir()} == {"pylock.toml", "pyproject.toml"}


def test_an_interrupt_while_a_module_is_made_ends_with_the_same_code(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import envlock.cli, envlock.cli.app, click\n"
        "def interrupted(_arguments):\n"
        "    try:\n"
        "        exec('raise KeyboardInterrupt')\n"
        "    except KeyboardInterrupt:\n"
        "        return 130\n"
        "envlock.cli.app.run = interrupted\n"
        "envlock.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-m", "program"], cwd=tmp_path, check=False)
    assert done.returncode == 130


def test_an_interrupt_is_one_line(shaky: Project, index: LoopbackIndex) -> None:
    before = shaky.lock_path.read_bytes()
    shaky.variables |= {"UV_HTTP_TIMEOUT": "30", "ENVLOCK_HTTP_TIMEOUT": "30"}
    index.forget_requests()
    index.fail("/simple/new/", "hang")
    running = shaky.start("lock", "--as-of=2024-06-01")
    deadline = time.monotonic() + 20
    while not index.count("/simple/new/"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert output == ""
    assert errors.splitlines()[-1] == "error: interrupted; nothing was half-written"
    assert shaky.lock_path.read_bytes() == before
