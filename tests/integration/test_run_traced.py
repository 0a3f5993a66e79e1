"""The record of a run has what it used, without being told."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.runs import PY, Folder
from support.tools import run
from support.traced import REFUSED, compile_c

from envlock.runs.repeat.code import real_name


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    root = tmp_path / "work"
    (root / ".envlock").mkdir(parents=True)
    return Folder(root)


def by_path(files: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {file["path"]: file for file in files}


def sha256sum(path: Path) -> str:
    return subprocess.run(["sha256sum", path], capture_output=True, text=True).stdout.split()[0]


def test_inputs_and_outputs_with_their_digests(folder: Folder, tmp_path: Path) -> None:
    (folder.root / "in").write_text("b\na\n")
    (tmp_path / "elsewhere").write_text("c\n")
    (folder.root / "old").write_text("")
    done = folder.run(
        "sh", "-c", "sort in ../elsewhere > part; mv part out; ln -s out link; rm old; cat out"
    )
    assert done.stdout == b"a\nb\nc\n"
    record = folder.last()
    inputs, outputs = by_path(record["inputs"]), by_path(record["outputs"])
    outside = str(tmp_path / "elsewhere")
    assert set(inputs) == {"in", outside}
    assert inputs["in"] == {
        "path": "in",
        "found": "traced",
        "kind": "file",
        "size": 4,
        "sha256": sha256sum(folder.root / "in"),
    }
    assert set(outputs) == {"out", "link"}
    assert outputs["out"]["sha256"] == sha256sum(folder.root / "out")
    assert (outputs["link"]["kind"], outputs["link"]["target"]) == ("link", "out")
    trace = record["trace"]
    assert (trace["method"], trace["complete"]) == ("seccomp", True)
    assert trace["removed"] == ["old"]
    # dpkg's own answer to whose the programs are.
    files = [os.path.realpath(f"/usr/bin/{name}") for name in ("sh", "sort", "mv")]
    owners = [subprocess.run(["dpkg", "-S", f], capture_output=True, text=True) for f in files]
    assert {o.stdout.split(":")[0] for o in owners if o.returncode == 0} <= set(trace["packages"])


def test_show_says_what_was_removed_reached_and_not_seen(folder: Folder) -> None:
    (folder.root / "old").write_text("1")
    code = "import os, socket; os.unlink('old'); socket.socket().connect_ex(('127.0.0.1', 9))"
    folder.run("sh", "-c", f'"{sys.executable}" -c "{code}"; sleep 2 >/dev/null 2>&1 &')
    shown = folder.envlock("runs", "show", "last").stdout.decode()
    lines = [line.split(maxsplit=1) for line in shown.splitlines()]
    assert ["removed", "old"] in lines
    assert ["network", "127.0.0.1 port 9 (connect)"] in lines
    [gap] = folder.last()["trace"]["gaps"]
    assert f"{'not seen':<12} {gap}" in shown.splitlines()


def test_an_input_that_changes_meanwhile_is_marked(folder: Folder) -> None:
    for name in ("same", "replaced", "own", "gone"):
        (folder.root / name).write_text("1")
    folder.run(
        "sh",
        "-c",
        "cat same replaced own gone; touch ready; while [ ! -e changed ]; do sleep 0.01; done;"
        "echo 2 > own; rm gone",
        through=("sh", "-c", "(until [ -e ready ]; do sleep 0.01; done;"
                 'echo 22 > replaced; touch changed) & exec "$@"', "sh"),
    )  # fmt: skip
    inputs = by_path(folder.last()["inputs"])
    changed = {path for path, file in inputs.items() if file.get("changed-during-run")}
    assert changed == {"replaced", "own", "gone"}
    assert inputs["gone"]["problem"] == "missing"
    assert "sha256" in inputs["same"]


def test_a_folder_that_is_moved_brings_its_files_and_tagged_caches_are_none(
    folder: Folder,
) -> None:
    work = "mkdir -p t/sub; echo 1 > t/one; echo 2 > t/sub/two; ln -s one t/link; mv t made; "
    tag = "Signature: 8a477f597d28d172789f06886806bc55"
    cache = f"mkdir -p c/deep; echo '{tag}' > c/CACHEDIR.TAG; echo 3 > c/deep/three; mv c cache; "
    no_cache = "mkdir n; echo other > n/CACHEDIR.TAG"
    folder.run("sh", "-c", work + cache + no_cache)
    outputs = by_path(folder.last()["outputs"])
    assert set(outputs) == {"made/one", "made/sub/two", "made/link", "n/CACHEDIR.TAG"}
    assert outputs["made/sub/two"]["sha256"] == sha256sum(folder.root / "made/sub/two")
    assert not any("problem" in output for output in outputs.values())


def test_declared_files_are_listed_once(folder: Folder) -> None:
    data = folder.root / "data"
    data.mkdir()
    (data / "a").write_text("1")
    options = ("--input", "data", "--output", "out")
    folder.run("sh", "-c", "cat data/a > out; : > more", options=options)
    record = folder.last()
    assert [(f["path"], f["found"]) for f in record["inputs"]] == [("data", "declared")]
    assert {f["path"]: f["found"] for f in record["outputs"]} == {
        "out": "declared",
        "more": "traced",
    }


def test_distributions_really_used(folder: Folder) -> None:
    for how in ((), ("-B",)):
        folder.run(sys.executable, *how, "-c", "import packaging.version")
        trace = folder.last()["trace"]
        assert any(name.startswith("packaging ") for name in trace["distributions"])
        assert not any(name.startswith("click ") for name in trace["distributions"])


def test_a_module_of_the_project_is_an_input_also_when_compiled(folder: Folder) -> None:
    (folder.root / "mine.py").write_text("x = 1\n")
    (folder.root / "main.py").write_text("import mine\n")
    for _ in range(2):
        folder.run(sys.executable, "main.py")
        inputs = by_path(folder.last()["inputs"])
        assert set(inputs) == {"main.py", "mine.py"}
        assert inputs["mine.py"]["sha256"] == hashlib.sha256(b"x = 1\n").hexdigest()
        assert folder.last()["outputs"] == []


def test_tracing_can_be_left_out(folder: Folder) -> None:
    (folder.root / "in").write_text("1")
    folder.run("cat", "in", options=("--trace", "never"))
    record = folder.last()
    assert (record["inputs"], record["trace"]["method"]) == ([], "none")
    assert record["trace"]["gaps"] == ["tracing was switched off"]


def test_a_run_within_a_run_refers_to_it(folder: Folder) -> None:
    inner = folder.root.parent / "inner"
    (inner / ".envlock").mkdir(parents=True)
    script = f"cd {inner} && envlock run -- sh -c ': > made'"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    folder.run("sh", "-c", script, variables={"PATH": path})
    nested = Folder(inner).last()
    assert nested["trace"]["method"] == "parent"
    assert nested["parent"] == folder.last()["id"]
    assert str(inner / "made") in by_path(folder.last()["outputs"])


def test_what_the_tracer_uses_is_not_the_programs(folder: Folder) -> None:
    folder.run(*PY, "for n in range(3000): open('f', 'w').close()")
    traced = folder.last()["resources"]
    folder.run(*PY, "for n in range(3000): open('f', 'w').close()", options=("--trace", "never"))
    alone = folder.last()["resources"]
    assert traced["cpu-user"] < alone["cpu-user"] + 0.15


SCANNED = """
import os, time
open("read-quickly").close()
with open("held") as held, open("out", "w") as out:
    out.write(held.read())
    out.flush()
    time.sleep(0.3)
os.rename("old", "new")
os.symlink("out", "link")
"""


@pytest.mark.parametrize("how", ["refused", "asked for"])
def test_the_next_best_way(folder: Folder, tmp_path: Path, how: str) -> None:
    """Where system calls cannot be watched: what changed is found, of what was read a part."""
    for name in ("read-quickly", "held", "old", "named", "untouched"):
        (folder.root / name).write_text(name)
    run([sys.executable, "-m", "venv", "--without-pip", folder.root / "env"])
    time.sleep(0.05)  # what was made just before is not the run's
    command = ("run", "--", *PY, SCANNED, "--data=named")
    if how == "refused":
        folder.envlock(*command, through=(sys.executable, "-c", REFUSED))
    else:
        folder.envlock("run", "--trace", "scan", *command[1:])
    record = folder.last()
    inputs, outputs = by_path(record["inputs"]), by_path(record["outputs"])
    assert set(inputs) == {"held", "named"}
    assert set(outputs) == {"out", "new", "link"}
    assert outputs["out"]["sha256"] == sha256sum(folder.root / "out")
    trace = record["trace"]
    assert (trace["method"], trace["complete"]) == ("scan", False)
    assert ("refuses" in trace["gaps"][0]) == (how == "refused")
    assert "now and then" in trace["gaps"][1]
    assert os.path.realpath(sys.executable) in trace["programs"]


HOSTILE = r"""
import os
for n in range(10_000):
    odd = bytes([n % 255 + 1, n // 255 % 255 + 1]).replace(b"/", b"\n")
    with open(b"%d " % n + odd + b"\xff\xfe \n\x1b[31m'$(x)`\"", "wb") as file:
        file.write(b"%d" % n)
"""


def test_ten_thousand_outputs_with_hostile_names(folder: Folder) -> None:
    assert folder.run(*PY, HOSTILE).returncode == 0
    [path] = folder.files()
    record = json.loads(path.read_text())
    assert record["trace"]["complete"], record["trace"]["gaps"]
    # A byte that is no UTF-8 stands there as the escape that Python has for it.
    names = {os.fsencode(real_name(f["path"])): f["sha256"] for f in record["outputs"]}
    listed = subprocess.run(
        "find . -type f -path './[0-9]*' -print0 | xargs -0 sha256sum -z",
        shell=True,
        cwd=os.fsencode(folder.root),
        capture_output=True,
        check=True,
    ).stdout
    rows = [row.split(b"  ./", 1) for row in listed.split(b"\0") if row]
    assert len(rows) == 10_000
    assert names == {name: sha256.decode() for sha256, name in rows}
    assert b"\x1b" not in folder.envlock("runs", "show", "last").stdout


def test_the_supervisor_is_killed_and_the_record_says_so(folder: Folder) -> None:
    """The program goes on; what came of it then is found by the next best way."""
    done = folder.run("sh", "-c", "kill -9 $PPID; echo 1 > out; exec sleep 0.1")
    assert done.returncode == -9
    record = folder.last()
    assert record["exit"]["name"] == "SIGKILL"
    trace = record["trace"]
    assert (trace["method"], trace["complete"]) == ("scan", False)
    assert trace["gaps"][0] == "the process that watched it was killed"
    assert "how the program itself ended is not known" in record["problems"][0]


def test_a_project_that_is_read_only(folder: Folder, tmp_path: Path) -> None:
    (folder.root / "in").write_text("1")
    if os.geteuid() == 0:
        mount = 'mount --bind . . && mount -o remount,ro,bind "$PWD" && cd "$PWD" && "$@"'
        through = ("unshare", "--mount", "sh", "-c", mount, "sh")
    else:
        through = ()
        for path in (folder.root, folder.root / ".envlock"):
            path.chmod(0o555)
    done = folder.envlock("run", "--", "cat", "in", through=through)
    assert (done.returncode, done.stdout) == (0, b"1"), done.stderr
    assert b"record goes to" in done.stderr
    [path] = (Path(os.environ["HOME"]) / ".local" / "state").rglob("runs/*/*/*.json")
    record = json.loads(path.read_text())
    assert set(by_path(record["inputs"])) == {"in"}
    assert record["problems"] == [
        "the project's records cannot be written: "
        + ("Read-only file system" if os.geteuid() == 0 else "Permission denied")
    ]


JUMPING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(clock, now);
    if (clock == CLOCK_REALTIME && access("jump", F_OK) == 0) now->tv_sec -= 3600;
    return answer;
}
"""


def test_a_clock_that_jumps(folder: Folder, tmp_path: Path) -> None:
    library = compile_c(JUMPING, tmp_path / "jumping.so", "-shared", "-fPIC")
    clock = {"LD_PRELOAD": str(library)}
    done = folder.run("sh", "-c", "echo 1 > out; : > jump", variables=clock)
    assert done.returncode == 0, done.stderr
    record = folder.last()
    assert record["clock-jumped"] == pytest.approx(-3600, abs=2)
    assert 0 < record["duration"] < 30
    assert set(by_path(record["outputs"])) == {"out", "jump"}
    folder.run("true", variables=clock)
    first = folder.json("runs", "list")["runs"][0]
    assert first["id"] == record["id"], "by their own time"
    assert "clock-jumped" not in folder.records()[0]
