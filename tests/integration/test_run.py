"""``envlock run``: the program notices nothing, and the record says what happened."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.runs import PY, Folder
from support.small_disk import small_disk
from support.tools import run, script


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    root = tmp_path / "work"
    (root / ".envlock").mkdir(parents=True)
    return Folder(root)


def until(condition: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


# --- the program notices nothing ---


@pytest.mark.parametrize("code", [0, 1, 3, 126, 255])
def test_the_exit_code_is_the_programs(folder: Folder, code: int) -> None:
    assert folder.run("sh", "-c", f"exit {code}").returncode == code
    assert folder.last()["exit"] == {"code": code}


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGSEGV", "SIGPIPE"])
def test_a_signal_that_ends_the_program_ends_envlock(folder: Folder, name: str) -> None:
    done = folder.run("sh", "-c", f"kill -{name[3:]} $$")
    assert done.returncode == -getattr(signal, name)
    assert folder.last()["exit"]["name"] == name


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_a_signal_for_envlock_reaches_the_program(folder: Folder, name: str) -> None:
    said = f"trap 'echo got it; exit 7' {name[3:]}; echo ready; while :; do sleep 0.02; done"
    started = folder.start("bash", "-c", said, stdout=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n"
    started.send_signal(getattr(signal, name))
    assert started.stdout.read() == b"got it\n"
    started.stdout.close()
    assert started.wait(30) == 7
    assert folder.last()["exit"] == {"code": 7}


def test_what_is_ignored_stays_ignored(folder: Folder) -> None:
    done = folder.envlock(
        *("run", "--", "sh", "-c", "kill -HUP $$; echo alive"),
        through=("sh", "-c", 'trap "" HUP; exec "$@"', "sh"),
    )
    assert done.stdout == b"alive\n"


def test_signals_have_their_defaults(folder: Folder) -> None:
    """A Python as parent ignores SIGPIPE and may block others; a program must not inherit that."""
    show = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
    own = 3 << 31  # signals 32 and 33 are the C library's
    said = folder.run("sh", "-c", show).stdout.split()
    assert [int(said[n], 16) & ~own for n in (1, 3)] == [0, 0]


def test_input_and_output_pass(folder: Folder) -> None:
    data = os.urandom(3_000_000)
    done = folder.run("sh", "-c", "tee /dev/stderr", input=data)
    assert (done.stdout, done.stderr) == (data, data)
    output = folder.last()["output"]
    for name in ("stdout", "stderr"):
        assert output[name]["bytes"] == len(data)
        assert output[name]["sha256"] == hashlib.sha256(data).hexdigest()


def test_one_file_for_both_streams_keeps_their_order(folder: Folder) -> None:
    log = folder.root / "log"
    said = "for i in $(seq 50); do echo $i; echo $i >&2; done"
    with log.open("wb") as file:
        folder.run("sh", "-c", said, stdout=file, stderr=subprocess.STDOUT)
    assert log.read_text().split() == [str(i) for i in range(1, 51) for _ in "oe"]
    assert folder.last()["output"]["both"]["sha256"] == sha256sum(log)


def sha256sum(path: Path) -> str:
    return run(["sha256sum", path]).stdout.split()[0]


def test_a_reader_that_goes_away_ends_the_program(folder: Folder) -> None:
    started = folder.start("yes", stdout=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stdout.read(4) == b"y\ny\n"
    started.stdout.close()
    assert started.wait(30) == -signal.SIGPIPE
    assert folder.last()["exit"]["name"] == "SIGPIPE"


def test_nobody_waits_for_what_lives_on(folder: Folder) -> None:
    said = "(sleep 0.6; echo later) & echo now"
    started = folder.start("sh", "-c", said, stdout=subprocess.PIPE)
    assert started.stdout is not None
    assert started.wait(30) == 0
    assert started.stdout.read() == b"now\nlater\n", "it is not cut off either"
    started.stdout.close()
    assert "another process" in folder.last()["output"]["stdout"]["problem"]


def test_no_program(folder: Folder) -> None:
    missing = folder.run("no-such-program")
    assert missing.returncode == 127
    (folder.root / "plain").write_text("text")
    assert folder.run("./plain").returncode == 126
    assert b"cannot start" in missing.stderr
    assert "error" in folder.last()["exit"]
    assert not folder.files("started")


def test_a_script_without_a_first_line_is_the_shells(folder: Folder) -> None:
    path = folder.root / "job"
    path.write_text("echo from sh: $1\n")
    path.chmod(0o755)
    assert folder.run("./job", "one").stdout == b"from sh: one\n"


def on_terminal(folder: Folder, *arguments: str, keys: bytes = b"", after: bytes = b"") -> bytes:
    """What a terminal shows of a command that was started on it, in the foreground."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder.root)
        os.execv(script("envlock"), ["envlock", *arguments])
    shown = b""
    while True:
        ready, _, _ = select.select([terminal], [], [], 30)
        assert ready, shown
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the last one closed it
            break
        if not piece:
            break
        shown += piece
        if keys and after in shown:
            os.write(terminal, keys)
            keys = b""
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown


def test_a_terminal_is_the_programs(folder: Folder) -> None:
    shown = on_terminal(
        *(folder, "run", "--", *PY),
        "import os;print([os.isatty(i) for i in (0,1,2)], os.getpgrp() == os.tcgetpgrp(0))",
    )
    assert b"[True, True, True] True" in shown
    assert folder.last()["output"] == {
        "stdout": {"not-kept": "a terminal"},
        "stderr": {"not-kept": "a terminal"},
    }
    assert folder.last()["id"].encode() in shown


def test_ctrl_c_reaches_the_program_once(folder: Folder) -> None:
    program = """
import signal, time
count = 0
def hit(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, hit)
print("ready", flush=True)
while not count:
    time.sleep(0.01)
time.sleep(0.3)
print("times:", count)
"""
    shown = on_terminal(folder, "run", "--", *PY, program, keys=b"\x03", after=b"ready")
    assert b"times: 1" in shown
    assert folder.last()["exit"] == {"code": 0}


def test_a_terminals_output_is_kept_when_asked(folder: Folder) -> None:
    assert b"hello" in on_terminal(folder, "run", "--capture", "always", "--", "echo", "hello")
    assert folder.last()["output"]["both"]["tail"] == "hello\n"
    assert folder.run("echo", "x", options=["--capture", "never"]).stdout == b"x\n"
    assert folder.last()["output"]["stdout"] == {"not-kept": "not asked for"}


# --- what the record says ---


def test_what_is_given_is_written_down(folder: Folder) -> None:
    (folder.root / "data").mkdir()
    (folder.root / "data" / "a.csv").write_text("1\n")
    (folder.root / "p.yaml").write_text("model: {depth: 3}\nlr: 1\n")
    program = (
        "import json, os; open('out.bin','wb').write(b'x'*9);"
        "json.dump({'auc': 0.9}, open('m.json','w'));"
        "print('ENVLOCK {\"loss\": 2}'); print('ENVLOCK {\"loss\": 1}'); print('  ENVLOCK {bad}');"
        "print(os.environ['ENVLOCK_RUN'])"
    )
    options = "-m why --tag b --tag a --group g --param lr=0.1 --params p.yaml --metrics m.json"
    more = ["--input", "data", "--output", "out.bin", "--output", "none"]
    done = folder.run(*PY, program, "--seed", "7", "--fast", options=[*options.split(), *more])
    assert done.returncode == 0
    record = folder.last()
    assert (record["why"], record["tags"], record["group"]) == ("why", ["a", "b"], "g")
    assert {name: p["value"] for name, p in record["parameters"].items()} == {
        "lr": 0.1,
        "model.depth": 3,
        "seed": 7,
        "fast": True,
    }
    assert record["parameters"]["lr"]["from"] == "given"
    assert record["metrics"] == {"loss": 1, "auc": 0.9}
    assert json.loads(folder.blob(record["series-sha256"])) == {"loss": [2, 1]}
    assert done.stdout.decode().splitlines()[-1] == record["id"]
    listed = run(["sh", "-c", "cd data && sha256sum a.csv | sha256sum"], cwd=folder.root)
    [data] = record["inputs"]
    assert (data["sha256"], data["files"], data["size"]) == (listed.stdout.split()[0], 1, 2)
    out, none = (o for o in record["outputs"] if o["found"] == "declared")
    assert (out["sha256"], out["written"]) == (sha256sum(folder.root / "out.bin"), True)
    assert none["problem"] == "missing"
    assert b"output none: missing" in done.stderr


def test_an_input_that_changes_is_flagged(folder: Folder) -> None:
    (folder.root / "in").write_text("a")
    folder.run("sh", "-c", "echo more >> in", options=["--input", "in"])
    [fact] = folder.last()["inputs"]
    assert fact["changed-during-run"] is True


def test_what_cannot_be_right_is_refused_before(folder: Folder) -> None:
    for options in (["--input", "missing"], ["--param", "x"], ["--params", "missing.json"]):
        done = folder.run("touch", "ran", options=options)
        assert done.returncode == 2
        assert done.stderr.startswith(b"error: ")
    assert not (folder.root / "ran").exists()
    assert not folder.files() + folder.files("started")


def test_runs_within_runs(folder: Folder) -> None:
    envlock = script("envlock")
    folder.run("sh", "-c", f"{envlock} run -- true; {envlock} run -- true")
    outer, *inner = folder.records()
    assert [record["parent"] for record in inner] == [outer["id"]] * 2
    assert "parent" not in outer
    folder.run("true", variables={"ENVLOCK_RUN": "../../etc/passwd"})
    assert "parent" not in folder.last()


def git(folder: Folder, *arguments: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return run(["git", *names, *arguments], cwd=folder.root).stdout.strip()


def test_the_code_can_be_had_again(folder: Folder, tmp_path: Path) -> None:
    git(folder, "init", "--quiet", "-b", "main")
    script_, binary = folder.root / "s.py", folder.root / "b.bin"
    script_.write_text("print(1)\n")
    binary.write_bytes(bytes(range(256)))
    folder.run("true")
    assert folder.last()["code"]["commit"] is None, "no commit is demanded"
    git(folder, "add", "s.py", "b.bin")
    git(folder, "commit", "--quiet", "-m", "one")
    folder.run("true")
    code = folder.last()["code"]
    head = git(folder, "rev-parse", "HEAD")
    assert (code["commit"], code["tree"]) == (head, git(folder, "rev-parse", "HEAD^{tree}"))
    assert (code["dirty"], code["swhid"]) == (False, f"swh:1:rev:{head}")
    script_.write_text("print(2)\n")
    binary.write_bytes(b"\0changed")
    new = folder.root / "new ümlaut\n.py"
    new.write_text("new")
    (folder.root / ".env").write_text("A=1")
    (folder.root / "huge").write_bytes(b"0" * 2_000_000)
    folder.run("sh", "-c", "echo result > result.txt")
    code = folder.last()["code"]
    assert code["changed"] == ["b.bin", "s.py"]
    kept = {entry["path"]: entry for entry in code["untracked"]}
    assert set(kept) == {".env", "huge", new.name}, "not what the run itself wrote"
    assert folder.blob(kept[new.name]["sha256"]) == b"new"
    assert "secrets" in kept[".env"]["not-kept"]
    assert "larger" in kept["huge"]["not-kept"]
    other = Folder(tmp_path / "other")
    run(["git", "clone", "--quiet", folder.root, other.root])
    git(other, "checkout", "--quiet", head)
    (tmp_path / "diff").write_bytes(folder.blob(code["diff"]))
    git(other, "apply", str(tmp_path / "diff"))
    assert (other.root / "s.py").read_text() == "print(2)\n"
    assert (other.root / "b.bin").read_bytes() == b"\0changed"


def test_git_is_not_disturbed(folder: Folder) -> None:
    """A lock of the index that somebody holds does not matter, and none is taken."""
    git(folder, "init", "--quiet")
    (folder.root / ".git" / "index.lock").touch()
    folder.run("true")
    assert "problem" not in folder.last()["code"]


@pytest.mark.parametrize(
    "argument",
    [
        b"\xff\xfe",
        "\N{GRINNING FACE}".encode(),
        b"a\nb\r\x1b[31m",
        b'"\\',
        b"--x=\xe9",
        b"{}" * 999,
    ],
)
def test_hostile_arguments(folder: Folder, argument: bytes) -> None:
    name = os.fsdecode(argument)
    done = folder.run(
        "printf", "%s", name, options=["-m", name, "--tag", name, "--param", f"p={name}"]
    )
    assert done.stdout == argument
    assert os.fsencode(folder.last()["command"]["argv"][-1]) == argument
    shown = folder.envlock("runs", "list")
    assert shown.returncode == 0
    assert b"\x1b" not in shown.stdout
    assert folder.envlock("runs", "show", "last").returncode == 0


def test_hostile_output(folder: Folder) -> None:
    program = r"""
import os
os.write(1, b'\xff\x00\x1b]0;x\x07' + b'A' * 200000 + b'ENVLOCK {"no": 1}\n')
os.write(1, b'ENVLOCK {"a": NaN, "b": {"c": 1e999}}\nENVLOCK ' + b'{' * 70000 + b'\n')
os.write(1, b'ENVLOCK [1]\nENVLOCK {"d": "\xe2\x82')
"""
    folder.run(*PY, program)
    record = folder.last()
    assert record["metrics"] == {"a": "nan", "b.c": "inf"}


# --- many at once, and what goes wrong ---


def test_32_at_once(folder: Folder) -> None:
    log = folder.root / "log"
    with log.open("ab") as shared:
        started = [
            folder.start(
                *("sh", "-c", f'echo "ENVLOCK {{\\"n\\": {n}}}"; printf {n} > out{n}; exit {n}'),
                options=["--output", f"out{n}", "--param", f"n={n}"],
                stdout=shared,
            )
            for n in range(32)
        ]
        assert [process.wait(120) for process in started] == list(range(32))
    records = folder.records()
    assert len({record["id"] for record in records}) == 32
    assert sorted(record["exit"]["code"] for record in records) == list(range(32))
    for record in records:
        n = record["exit"]["code"]
        assert record["metrics"] == {"n": n}
        assert record["parameters"]["n"]["value"] == n
        [output] = record["outputs"]
        assert output["sha256"] == hashlib.sha256(str(n).encode()).hexdigest()
        assert output["path"] == f"out{n}"
        assert record["output"]["stdout"]["tail"] == f'ENVLOCK {{"n": {n}}}\n'
    assert not folder.files("started")
    assert len(folder.json("runs", "list", "--all")["runs"]) == 32


def test_a_killed_run_leaves_a_note(folder: Folder) -> None:
    started = folder.start("sh", "-c", "echo ready; sleep 30", stdout=subprocess.PIPE)
    assert started.stdout is not None
    started.stdout.readline()
    [note] = folder.files("started")
    [listed] = folder.json("runs", "list")["runs"]
    assert (listed["state"], listed["id"]) == ("running", note.stem)
    started.kill()
    started.wait()
    started.stdout.close()
    [listed] = folder.json("runs", "list")["runs"]
    assert listed["state"] == "killed"
    assert listed["argv"] == ["sh", "-c", "echo ready; sleep 30"]
    shown = folder.envlock("runs", "show", "last").stdout.decode()
    assert "the recorder was killed" in shown


def test_killed_at_any_moment_nothing_is_torn(folder: Folder) -> None:
    for step in range(16):
        started = folder.start("true", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.012 * step)
        started.kill()
        started.wait()
    for path in [*folder.files(), *folder.files("started")]:
        if not path.name.startswith("."):
            assert json.loads(path.read_bytes())["id"] == path.stem
    done = folder.envlock("runs", "list", "--all", "--json")
    assert done.stderr == b""
    ids = [one["id"] for one in json.loads(done.stdout)["runs"]]
    assert len(ids) == len(set(ids))


def test_a_project_that_cannot_be_written(folder: Folder) -> None:
    """A file in the folder's place refuses everybody, root included."""
    (folder.root / ".envlock").rmdir()
    (folder.root / ".envlock").write_text("")
    done = folder.run("echo", "ran")
    assert (done.returncode, done.stdout) == (0, b"ran\n")
    assert b"record goes to" in done.stderr
    [listed] = folder.json("runs", "list")["runs"]
    assert listed["argv"] == ["echo", "ran"]
    state = Path(os.environ["HOME"]) / ".local" / "state"
    state.parent.mkdir(exist_ok=True)
    run(["rm", "-rf", state])
    state.write_text("")
    done = folder.run("touch", "ran")
    assert done.returncode == 3
    assert b"nothing was run" in done.stderr
    assert not (folder.root / "ran").exists()


def test_a_disk_that_fills_meanwhile(tmp_path: Path) -> None:
    with small_disk(tmp_path, 200_000) as disk:
        command = 'mkdir .envlock; "$@"'
        fill = "head -c 1000000 /dev/zero > fill 2>/dev/null; exit 5"
        argv = ["sh", script("envlock"), "run", "--", "sh", "-c", fill]
        done = subprocess.run(
            [*disk.prefix, "sh", "-c", f"cd {disk.folder}; {command}", *argv],
            capture_output=True,
            check=False,
        )
    assert done.returncode == 5, done.stderr
    kept = list((Path(os.environ["HOME"]) / ".local" / "state").rglob("runs/*/*/*.json"))
    if disk.prefix[0] == "unshare":
        assert b"the program ran, and its record is in" in done.stderr
        assert json.loads(kept[0].read_text())["exit"] == {"code": 5}
