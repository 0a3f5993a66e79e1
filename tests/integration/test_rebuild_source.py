"""``envlock rebuild --from-source``: wheels from locked sdists, beside the published ones.

The oracles are wheels that pip builds of the same sdists, and the published files of real packages.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.install import contents, works
from support.project import PYTHON, Project
from support.source_trees import OLDER
from support.source_trees import add_sdist as sdist
from support.tools import PIP, run

NETWORK = """
import socket
try:
    socket.create_connection(("127.0.0.1", PORT), timeout=5)
    raise SystemExit("there is a network")
except OSError:
    pass
"""
INSIDE = """
import os, pathlib, helper
assert os.environ["SOURCE_DATE_EPOCH"] == "1580601600" and os.environ["TZ"] == "UTC"
assert not {"SECRET", "UV_DEFAULT_INDEX"} & set(os.environ)
pathlib.Path(__file__).parent.parent.joinpath("needs", "made.py").write_text(
    "MADE_WITH = %r" % helper.__version__)
"""


def published(index: LoopbackIndex, name: str, folder: Path) -> None:
    """The wheel that pip builds of the sdist, on the index, too."""
    [source] = index.files(name)
    folder.mkdir(exist_ok=True)
    (folder / source.name).write_bytes(source.content)
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check"]
    run([*PIP, "wheel", "--quiet", *options, "-w", folder, folder / source.name])
    [wheel] = folder.glob(f"{name}-*.whl")
    index.add_file(name, "1.0", OLDER, wheel.name, wheel.read_bytes())


def from_source(project: Project, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = project.run("rebuild", "--from-source", "--json", *arguments, SECRET="1")
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_wheels_are_built_alone_in_order_and_compared(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    port = index.base.rpartition(":")[2]
    sdist(index, "plain", before=NETWORK.replace("PORT", port))
    sdist(index, "helper")
    published(index, "helper", tmp_path / "wheels")
    # Installers take the wheel with compiled parts; what is built of the sdist has none.
    tag = f"cp{PYTHON.replace('.', '')}-cp{PYTHON.replace('.', '')}-manylinux_2_17_x86_64"
    index.add("helper", "1.0", OLDER, tag=tag, files={"helper/_fast.so": b"\x7fELF"})
    sdist(index, "needs", requires=["helper"], before=INSIDE)
    index.add("needs", "1.0", OLDER)
    sdist(index, "broken", before="print('the reason'); raise SystemExit(7)")
    index.add("broken", "1.0", OLDER)
    index.add("plain", "1.0", OLDER, files={"plain/more.py": "1"})
    index.add("declared", "1.0", OLDER)
    sdist(index, "declared", before="raise SystemExit(1)")
    names = ["plain", "helper", "needs", "broken", "declared"]
    settings: dict[str, Any] = {"sources": True, "build-exceptions": ["declared"]}
    project.write(*names, settings=settings)
    project.lock()

    done = project.run("rebuild", "--from-source")
    assert done.returncode == 3
    assert "broken 1.0 was not built" in done.stderr
    assert "ended with exit code 7:\n    the reason" in done.stderr
    assert not (project.root / ".venv-rebuilt").exists()

    # What was declared is left alone; the others are there already.
    reasons = {"build-exceptions": {"broken": "it fails", "declared": ""}}
    project.write(*names, settings=settings | reasons)
    project.lock()
    told = from_source(project)
    built = {one["name"]: one for one in told["built"]}
    assert [one["name"] for one in told["not-built"]] == ["broken", "declared"]
    why = "declared in build-exceptions"
    assert [one["why"] for one in told["not-built"]] == [f"{why}: it fails", why]
    assert all(one["cached"] and one["without-network"] for one in built.values())
    order = [one["name"] for one in told["built"]]
    assert order.index("helper") < order.index("needs")
    assert built["helper"]["state"] in ("identical", "content-equal")
    assert built["helper"]["published-file"] == "helper-1.0-py3-none-any.whl"
    assert built["plain"]["state"] == "different"
    assert "- plain/more.py" in built["plain"]["differences"]
    assert built["needs"]["differences"][-1] == "+ needs/made.py"
    python = project.root / ".venv-rebuilt" / "bin" / "python"
    said = run([python, "-c", "import needs.made; print(needs.made.MADE_WITH)"]).stdout
    assert said == "1.0\n"
    assert works(python, "declared") == "1.0"
    check = ("check", "--python-only", "--prefix", ".venv-rebuilt")
    done = project.run(*check)
    assert done.returncode == 0, done.stderr
    assert "from the locked sdists, by envlock: 3 packages (helper, needs, plain)" in done.stderr
    assert "not known" not in done.stderr
    note = json.loads(next(python.parents[1].rglob("plain-*/envlock.json")).read_text())
    [source] = [file for file in index.files("plain") if file.name.endswith(".gz")]
    assert note["sha256"] == hashlib.sha256(source.content).hexdigest()
    assert note["built"]["sha256"] == built["plain"]["sha256"]
    # What another tool built says nothing of where it came from.
    digest = built["needs"]["sha256"]
    kept = Path(os.environ["XDG_CACHE_HOME"], "envlock", "sha256", digest[:2], digest)
    (tmp_path / "needs-1.0-py3-none-any.whl").write_bytes(kept.read_bytes())
    options = ["--no-index", "--no-deps", "--force-reinstall", "--disable-pip-version-check"]
    run([*PIP, "--python", python, "install", "-q", *options, "-f", tmp_path, "needs"])
    done = project.run(*check)
    assert done.returncode == 0
    assert "from which locked file 1 package was installed (needs)" in done.stderr
    # The published wheels in place of what was built, and the other way round.
    assert project.run("rebuild").returncode == 0
    assert "by envlock" not in project.run(*check).stderr
    assert list(python.parents[1].rglob("plain/more.py"))
    from_source(project)
    assert "3 packages (helper, needs, plain)" in project.run(*check).stderr
    # The same from nothing: every byte, and in any order.
    project.variables["ENVLOCK_CACHE_DIR"] = str(tmp_path / "again")
    again = {one["name"]: one for one in from_source(project, "--jobs", "1")["built"]}
    assert {n: one["sha256"] for n, one in again.items()} == {
        n: one["sha256"] for n, one in built.items()
    }
    assert not any(one["cached"] for one in again.values())
    # Of another sdist of the same version: no file of the lock.
    sdist(index, "plain", before="pass")
    project.lock_path.unlink()
    project.lock(UV_CACHE_DIR=str(tmp_path / "uv"), ENVLOCK_CACHE_DIR=str(tmp_path / "new"))
    done = project.run(*check)
    assert done.returncode == 1
    assert "plain-1.0-py3-none-any.whl, built from plain-1.0.tar.gz" in done.stdout


def test_a_build_that_hangs_or_is_killed_leaves_nothing(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    before = f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(60)"
    sdist(index, "slow", before=before)
    index.add("slow", "1.0", OLDER)
    project.write("slow", settings={"sources": True})
    project.lock()
    done = project.run("rebuild", "--from-source", ENVLOCK_BUILD_TIMEOUT="0.5")
    assert done.returncode == 3
    assert "did not end within 0.5 seconds" in done.stderr
    started.unlink()
    process = project.start("rebuild", "--from-source")
    while not started.exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    process.communicate()
    left = subprocess.run(
        ["pgrep", "-f", str(started)], capture_output=True, text=True, check=False
    ).stdout
    assert left == ""
    assert not (project.root / ".venv-rebuilt").exists()
    assert project.run("rebuild", "--from-source", ENVLOCK_BUILD_TIMEOUT="no").returncode == 2


STARTS = """
import pathlib, subprocess, time
here = pathlib.Path({folder!r})
out = pathlib.Path(__import__("os").environ["HOME"]).parent / "out"
(here / "started").touch()
if (here / "hold").exists():
    write = 'while :; do date > "$0"; sleep 0.05; done'
    subprocess.Popen(["sh", "-c", write, str(out / "junk")])
    time.sleep(60)
time.sleep(0.5)
assert not list(out.iterdir()), "somebody else writes here"
"""


def test_builds_of_one_sdist_do_not_meet(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    """What a killed envlock left running is ended; two at once, who share nothing, take turns."""
    sdist(index, "slow", before=STARTS.format(folder=str(tmp_path)))
    index.add("slow", "1.0", OLDER)
    project.write("slow", settings={"sources": True})
    project.lock()
    (tmp_path / "hold").touch()
    killed = project.start("rebuild", "--from-source")
    while not (tmp_path / "started").exists():
        time.sleep(0.02)
    time.sleep(0.2)
    killed.kill()
    killed.communicate()
    (tmp_path / "hold").unlink()
    assert not (project.root / ".venv-rebuilt").exists()

    def start(name: str) -> subprocess.Popen[str]:
        variables = {"ENVLOCK_CACHE_DIR": str(tmp_path / name)}
        return project.start(
            "rebuild", "--from-source", "--json", "--into", str(tmp_path / name / "v"), **variables
        )

    both = [start("one"), start("two")]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    built = [json.loads(stdout)["built"][0] for stdout, _ in said]
    assert built[0]["sha256"] == built[1]["sha256"]
    assert not any(one["cached"] for one in built)
    place = f"envlock-build-{Path(built[0]['log']).stem[-16:]}"
    left = run(["pgrep", "-f", "-c", f"{place}/out/junk"], check=False).stdout.strip()
    assert left == "0", "what the killed one had started is gone"
    assert not list(Path("/tmp").glob(f"{place}*"))


MADE = """
import locale, os, pathlib, time
os.umask(0o022)
for number, text in enumerate({texts}):
    pathlib.Path("{name}", "made%d.py" % number).write_text("x = 1\\ny = %r" % (eval(text),))
"""
DEPENDS = {
    "path": "os.getcwd()",
    "locale": "locale.setlocale(locale.LC_CTYPE, '')",
    "time zone": "time.localtime(0).tm_mday",
    "umask": "'%o' % MASK",
    "number of processors": "os.cpu_count()",
    "user": "os.getuid()",
    "order of hashes": "list({'a', 'b', 'c', 'd', 'e', 'f', 'g'})",
    "order and times of files": "os.stat('pyproject.toml').st_mtime",
    "date": "time.strftime('%Y-%m', time.gmtime(time.time()))",
}
"""What a backend writes into its wheel, by the condition that it then depends on."""


def test_verify_says_what_a_wheel_depends_on(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    """Each condition alone makes another wheel, and is named; what is none of them, is not."""
    assert len(os.sched_getaffinity(0)) > 1, "another number of processors needs two"
    writes = {
        "steady": [],
        "zoned": [DEPENDS["time zone"]],
        "clock": ["time.time_ns()"],
        "all": list(DEPENDS.values()),
    }
    for name, texts in writes.items():
        before = "import os; MASK = os.umask(0)" + MADE.format(name=name, texts=texts)
        sdist(index, name, before=before)
        index.add(name, "1.0", OLDER)
    project.write(*writes, settings={"sources": True})
    project.lock()
    empty = str(tmp_path / "empty")
    done = project.run("verify", "--offline", ENVLOCK_CACHE_DIR=empty)
    assert done.returncode == 3
    assert "files are missing: all-1.0.tar.gz, clock-1.0.tar.gz, steady-1.0.tar.gz" in done.stderr
    done = project.run("verify", "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["not-tried"] == []
    wheels = {one["name"]: one for one in told["wheels"]}
    assert {name: (one["reproducible"], one["causes"]) for name, one in wheels.items()} == {
        "steady": (True, []),
        "zoned": (False, ["time zone"]),
        "clock": (False, ["the time, or chance"]),
        "all": (False, list(DEPENDS)),
    }
    # 1970 was a day later there: it lay on the other side of the date line.
    assert wheels["zoned"]["difference"] == "zoned/made0.py: line 2: 'y = 1', then 'y = 31'"
    assert "made0.py" in wheels["zoned"]["diffoscope"], "diffoscope is not installed"
    done = project.run("verify", "steady", "--offline")
    assert done.returncode == 0
    assert done.stderr.endswith("1 of 1 wheels are reproducible\n")
    assert project.run("verify", "unknown").returncode == 2


def test_a_lock_without_builds_cannot_be_built(project: Project, index: LoopbackIndex) -> None:
    index.add("lib", "1.0", OLDER)
    project.write("lib")
    project.lock()
    done = project.run("rebuild", "--from-source")
    assert done.returncode == 2
    assert "sources = true" in done.stderr


@pytest.mark.network
@pytest.mark.parametrize(
    ("date", "name", "seeds", "backends"),
    [
        ("2021-06-01", "six", ["wheel"], {"setuptools", "wheel"}),
        ("2025-10-01", "hatchling", [], {"flit-core", "hatchling", "setuptools", "setuptools-scm"}),
    ],
)
def test_real_backends_are_built_from_the_bottom(
    project: Project, date: str, name: str, seeds: list[str], backends: set[str]
) -> None:
    project.write(name, settings={"sources": True})
    project.variables["UV_DEFAULT_INDEX"] = ""
    lock = project.lock(as_of=date)
    # Then setuptools was built with wheel, and wheel with setuptools; later ones build themselves.
    assert [seed.package for seed in lock.bootstrap] == seeds
    assert {p.name for p in lock.build_packages} <= {build.package for build in lock.builds}
    told = from_source(project)
    built = {one["name"] for one in told["built"]}
    assert built == {build.package for build in lock.builds} >= backends
    assert [one["name"] for one in told["taken-as-wheels"]] == seeds
    run([project.root / ".venv-rebuilt" / "bin" / "python", "-c", f"import {name}"])


@pytest.mark.network
def test_real_pure_packages_come_out_as_published(project: Project) -> None:
    names = ["attrs", "click", "idna", "packaging", "six"]
    project.write(*names, settings={"sources": True})
    project.variables["UV_DEFAULT_INDEX"] = ""
    project.lock(as_of="2025-10-01")
    assert project.run("sync").returncode == 0
    told = from_source(project, "--build-with", "wheels")
    states = {one["name"]: one["state"] for one in told["built"]}
    assert states == dict.fromkeys(names, "content-equal") | {
        name: state for name, state in states.items() if state == "identical"
    }
    # Installed file by file as the published wheels are, says the wheels' own RECORD.
    assert contents(project.root / ".venv-rebuilt") == contents(project.root / ".venv")
    for one in told["built"]:
        cache = Path(os.environ["XDG_CACHE_HOME"], "envlock", "sha256")
        ours, theirs = (
            zipfile.ZipFile(cache / digest[:2] / digest)
            for digest in (one["sha256"], one["published"])
        )
        with ours, theirs:
            files = [
                {info.filename: info.CRC for info in wheel.infolist() if not info.is_dir()}
                for wheel in (ours, theirs)
            ]
        records = [{n: c for n, c in some.items() if "RECORD" not in n} for some in files]
        assert records[0] == records[1]


def test_builds_reach_the_bottom_and_say_where_they_begin(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    # ring-a and ring-b are built with one another, ring-a with a wheel without source and with a
    # packed program, too; lone needs nothing. Each looks at what it is built with.
    made = "import pathlib; pathlib.Path('{0}/made.py').touch()"
    after = "import ring_b.made;" + made.format("ring_a")
    first = "import importlib.util as u; assert u.find_spec('ring_a')\n"
    first += "assert not u.find_spec('ring_a.made'); " + made.format("ring_b")
    sdist(index, "thing", requires=["ring-a", "lone"], before="import ring_a.made, lone.made")
    sdist(index, "ring-a", requires=["ring-b", "closed", "ninja"], before=after)
    sdist(index, "ring-b", requires=["ring-a"], before=first)
    sdist(index, "lone", before=made.format("lone"))
    sdist(index, "ninja", before="raise SystemExit(1)")
    for name in ("thing", "ring-a", "ring-b", "lone", "ninja", "closed", "closed-too"):
        index.add(name, "1.0", OLDER)
    project.write("thing", "closed-too", settings={"sources": True})
    done = project.run("lock", "--as-of", "2024-06-01")
    assert (
        "no source to build it from, so its wheel is taken: closed 1.0, closed-too 1.0, ninj"
        in (done.stderr)
    )
    written = project.lock_path.read_bytes()
    lock = project.read()
    assert [build.package for build in lock.builds] == ["lone", "ring-a", "ring-b", "thing"]
    assert [(seed.package, seed.reason, seed.cycle) for seed in lock.bootstrap] == [
        ("closed", "no-sdist", ()),
        ("closed-too", "no-sdist", ()),
        ("ninja", "program", ()),
        ("ring-a", "cycle", ("ring-a==1.0", "ring-b==1.0")),
    ]
    project.lock_path.unlink()
    project.lock(ENVLOCK_CACHE_DIR=str(tmp_path / "cold"))
    assert project.lock_path.read_bytes() == written

    told = from_source(project)
    order = [one["name"] for one in told["built"]]
    assert order.index("ring-b") < order.index("ring-a") < order.index("thing")
    assert order.index("lone") < order.index("thing")
    assert {one["name"]: one["only-to-build"] for one in told["built"]} == {
        "thing": False,
        **dict.fromkeys(("lone", "ring-a", "ring-b"), True),
    }
    taken = {one["name"]: one["reason"] for one in told["taken-as-wheels"]}
    assert taken == {"closed": "no-sdist", "ninja": "program", "ring-a": "cycle"}
    assert [(one["name"], one["why"]) for one in told["not-built"]] == [
        ("closed-too", "no sdist is locked")
    ]
    done = project.run("rebuild", "--from-source", "--recreate")
    assert "ring-a 1.0, to build with: it and others are built with one another" in done.stderr
    assert done.stderr.count("built  to build with: ") == 1
    # With wheels, only what is installed is built; its backends are as they were published.
    done = project.run("rebuild", "--from-source", "--build-with", "wheels", "--recreate")
    assert done.returncode == 3
    assert "No module named 'ring_a.made'" in done.stderr
    # The same for a run that is repeated.
    assert project.run("sync").returncode == 0
    done = project.run("run", "--", ".venv/bin/python", "-c", "import thing")
    assert done.returncode == 0, done.stderr
    repeat = ("runs", "repeat", "last", "--from-source")
    for options, code, said in (
        (("--build-with", "wheels"), 3, "No module named 'ring_a.made'"),
        ((), 0, "rebuilt from source"),
    ):
        done = project.run(*repeat, *options)
        assert done.returncode == code, done.stderr
        assert said in done.stdout + done.stderr

    # What cannot be built is declared, by a pattern; without wheels there is no way in.
    project.write("thing", settings={"sources": True, "build-exceptions": ["ring-*"]})
    reasons = {seed.package: seed.reason for seed in project.lock().bootstrap}
    assert reasons == {"ring-a": "declared"}
    for name in ("cold-a", "cold-b"):
        sdist(index, name, requires=["cold-b" if name == "cold-a" else "cold-a"])
    sdist(index, "stuck", requires=["cold-a"])
    index.add("stuck", "1.0", OLDER)
    project.write("stuck", settings={"sources": True})
    said = project.refused(code=2)
    assert "cold-a 1.0, cold-b 1.0 are built with one another, and there are no wheels" in said
