"""``import envlock`` in an environment that holds the wheel and nothing of what it depends on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.runs import Folder
from support.tools import UV, run, script


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with the wheel alone."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    run([UV, "venv", "--quiet", "--python", sys.executable, folder])
    made = folder / "bin" / "python"
    run([UV, "pip", "install", "--quiet", "--no-deps", "--offline", "--python", made, wheel])
    listed = run([UV, "pip", "list", "--quiet", "--format=freeze", "--python", made]).stdout
    assert listed.split("==")[0] == "envlock"
    assert listed.count("\n") == 1
    return str(made)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / ".envlock").mkdir()
    return Folder(tmp_path)


def execute(folder: Folder, python: str, code: str) -> subprocess.CompletedProcess[str]:
    (folder.root / "job.py").write_text(code)
    return subprocess.run(
        [python, "-W", "error", "job.py"],
        cwd=folder.root,
        env={**os.environ, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


JOB = """
import os, subprocess, sys
import envlock
assert [name for name in sys.modules if name.startswith("envlock")] == ["envlock"]
before = dict(os.environ)
class Scalar:
    def item(self): return 7
with envlock.run({"lr": 0.1}, why="why", tags=["a"], group="g", inputs=["job.py"]) as run:
    run.metric({"loss": 1}); run.metric("loss", 0.5); run.metric(loss=float("nan"), n=Scalar())
    run.param(net={"depth": 3}, path=sys); run.tag("b", "a"); run.log("a line\\n\\x1b[1m")
    with open(run.output("out.txt"), "w") as file: file.write("x")
    with open("changed", "w") as file: file.write("1")
    run.input("changed")
    with open("changed", "w") as file: file.write("22")
    with envlock.run({"inner": True}) as inner:
        assert (inner.id, inner.own, run.own) == (run.id, False, True)
    more = "import envlock; envlock.current().metric(child=1)"
    subprocess.run([sys.executable, "-c", more], check=True)
    if os.fork() == 0:
        run.metric(fork=1); run.end(); os._exit(0)
    os.wait()
    try: run.metric(wrong=[1])
    except TypeError: pass
    else: raise AssertionError
run.metric(late=1)
run.end()
assert dict(os.environ) == before
assert envlock.current() is None
print(run.id)
"""


def test_a_run_of_its_own(folder: Folder, python: str) -> None:
    done = execute(folder, python, JOB)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    [made] = folder.records()
    assert made["id"] == done.stdout.strip()
    assert made["command"]["argv"] == [python, "-W", "error", "job.py"]
    assert (made["why"], made["group"], made["tags"]) == ("why", "g", ["a", "b"])
    assert made["exit"] == {"code": 0}
    assert made["metrics"] == {"loss": "nan", "n": 7, "child": 1, "fork": 1}
    parameters = {name: one["value"] for name, one in made["parameters"].items()}
    assert parameters.pop("path").startswith("<module 'sys'")
    assert parameters == {"lr": 0.1, "net.depth": 3, "inner": True}
    assert [one["text"] for one in made["log"]] == ["a line\n\x1b[1m"]
    inputs = {one["path"]: one for one in made["inputs"]}
    assert "changed-during-run" not in inputs["job.py"]
    assert inputs["changed"]["changed-during-run"] is True
    [output] = made["outputs"]
    assert (output["path"], output["written"], output["size"]) == ("out.txt", True, 1)
    assert made["environment"]["python"]["packages"] == 1
    assert made["trace"]["complete"] is False
    assert folder.files("started") == []
    assert "problems" not in made
    shown = folder.envlock("runs", "show", "last").stdout.decode()
    assert "a line\\n\\x1b[1m" in shown


def test_how_it_ends(folder: Folder, python: str) -> None:
    begin = "import envlock, sys, os, signal\nwith envlock.run() as run: "
    for code, ended in [
        ("raise ValueError('no <hidden> reason')", 1),
        ("sys.exit(3)", 3),
        ("sys.exit()", 0),
        ("raise KeyboardInterrupt", 130),
    ]:
        execute(folder, python, begin + code)
        made = folder.last()
        assert made["exit"] == {"code": ended}, code
    assert folder.records()[0]["log"][0]["text"] == "ValueError: no <hidden> reason"
    execute(folder, python, "import envlock; envlock.run(tags=['open'])")
    assert (folder.last()["tags"], folder.last()["exit"]) == (["open"], {"code": 0})
    kill = "run.metric(loss=2); run.log('so far'); os.kill(os.getpid(), signal.SIGKILL)"
    done = execute(folder, python, begin + kill)
    assert done.returncode == -signal.SIGKILL
    shown = folder.json("runs", "show", "last")
    assert (shown["state"], shown["metrics"]) == ("killed", {"loss": 2})
    assert shown["log"][0]["text"] == "so far"


MANY = """
import envlock, multiprocessing
def work(n):
    with envlock.run() as run:
        for step in range(50): run.metric({f"m{n}": step})
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(4) as pool: pool.map(work, range(8))
    with envlock.run(params={"a": 1}, tags=["in"], why="no") as run:
        run.log("end"); assert not run.own; print(run.id, envlock.hash())
"""


def test_under_envlock_run(folder: Folder, python: str) -> None:
    (folder.root / "job.py").write_text(MANY)
    hashed = "env1-" + "0" * 64
    for trace in ("auto", "never"):
        options = ["--tag", "out", "--trace", trace]
        shell = f"ENVLOCK_HASH={hashed} exec {python} job.py"
        done = folder.run("sh", "-c", shell, options=options)
        assert done.returncode == 0, done.stderr
        made = folder.last()
        assert done.stdout.decode().split() == [made["id"], hashed]
        assert made["metrics"] == {f"m{n}": 49 for n in range(8)}
        kept = json_of(folder, made["series-sha256"])
        assert kept == {f"m{n}": list(range(50)) for n in range(8)}
        assert made["tags"] == ["in", "out"]
        assert made["parameters"]["a"] == {"from": "program", "value": 1}
        assert "why" not in made
        assert not any(".notes" in fact["path"] for fact in made["outputs"])
    assert len(folder.records()) == 2
    assert list((folder.root / ".envlock" / "started").iterdir()) == []


def test_a_full_disk_stops_no_program(folder: Folder, python: str) -> None:
    code = """
import envlock, resource
with envlock.run() as run:
    run.metric(n=1)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most[1]))
    for _ in range(3): run.metric(n=2)
    resource.setrlimit(resource.RLIMIT_FSIZE, most)
    run.metric(last=3)
"""
    done = execute(folder, python, code)
    assert done.returncode == 0
    assert done.stderr.count("is not kept: File too large") == 1
    assert folder.last()["metrics"] == {"n": 1, "last": 3}


def test_it_is_repeated(folder: Folder, python: str) -> None:
    """What the program said of parameters, inputs and outputs is no hindrance, and is judged."""
    (folder.root / "data").write_text("1")
    (folder.root / "part.py").write_text("factor = 3")
    code = """
import envlock, part
with envlock.run({"a": 1}, inputs=["data"], outputs=["out"]) as run:
    run.metric(n=part.factor)
    with open("out", "w") as file: file.write("x" * part.factor)
"""
    execute(folder, python, code)
    made = folder.last()
    assert {fact["path"] for fact in made["inputs"]} == {"data", "job.py", "part.py"}
    folder.run(python, "job.py")
    for named in ("last", made["id"]):
        done = folder.envlock("runs", "repeat", named)
        assert done.returncode == 0, done.stdout + done.stderr
        assert b"identical  metric n" in done.stdout


def json_of(folder: Folder, sha256: str) -> object:
    import json

    return json.loads(folder.blob(sha256))


def test_a_shell_says_something(folder: Folder) -> None:
    code = """echo '{"metrics": {"n": 3}}' >> "$ENVLOCK_NOTES"; echo no >> "$ENVLOCK_NOTES" """
    folder.run("sh", "-c", code)
    assert folder.last()["metrics"] == {"n": 3}
    assert folder.last()["problems"] == ["lines of its notes that cannot be read: 1"]


def test_the_hash_is_examined_or_an_error(folder: Folder, python: str, programs: Path) -> None:
    code = "import envlock\ntry: print(envlock.hash())\nexcept Exception as e: print(e)"
    assert "there is no lock" in execute(folder, python, code).stdout
    from support.samples import full_lock

    from envlock.lock import codec
    from envlock.lock.hashing import environment_hash

    (folder.root / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    lock = full_lock()
    (folder.root / "pylock.toml").write_text(codec.dump(lock))
    assert "has not been examined" in execute(folder, python, code).stdout
    asked = f"import os\nos.environ['PATH'] = {str(programs)!r}\n{code}"
    expected = environment_hash(lock).root
    assert execute(folder, python, asked).stdout.strip() == expected
    assert execute(folder, python, code).stdout.strip() == expected, "from now on it is known"
    told = f"import envlock\nwith envlock.run() as r: print(r.hash)\n{code}"
    assert execute(folder, python, told).stdout.split()[:1] == [expected]
    assert folder.last()["environment-hash"] == expected
    assert any("drift" in problem for problem in folder.last()["problems"])


def test_the_program_without_its_dependencies_says_so(python: str, tmp_path: Path) -> None:
    program = Path(python).with_name("envlock")

    def ran(path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "PATH": path}
        return subprocess.run(
            [program, *arguments],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )

    alone = f"{program.parent}:/usr/bin:/bin"
    done = ran(alone, "lock")
    assert done.returncode == 3
    assert done.stderr.startswith("error: envlock was installed without what it depends on")
    # In the active environment it is the first; the whole one is further on PATH.
    done = ran(f"{alone}:{Path(script('envlock')).parent}", "hash", "--help")
    assert (done.returncode, done.stdout[:6]) == (0, "Usage:")
    said = "echo ${ENVLOCK_HANDED_OVER-nothing}"
    done = ran(f"{alone}:{Path(script('envlock')).parent}", "run", "--", "sh", "-c", said)
    assert (done.returncode, done.stdout) == (0, "nothing\n")
