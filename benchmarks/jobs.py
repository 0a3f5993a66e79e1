"""Real jobs under ``envlock run``: one with pandas, and a small one beside other trackers."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import caches, surroundings
from benchmarks.report import Row
from benchmarks.runs import ENVLOCK, spend

if TYPE_CHECKING:
    from benchmarks.bench import Bench

UV = str(Path(sys.executable).parent / "uv")
OVER = 1.15
_TABLES = """
import numpy, pandas
for n in range(8):
    rows = 200_000
    table = pandas.DataFrame({
        "group": numpy.arange(rows) % 97,
        "x": numpy.arange(rows) * 0.5 + n,
        "y": numpy.sin(numpy.arange(rows)),
    })
    table.to_parquet(f"in{n}.parquet")
    again = pandas.read_parquet(f"in{n}.parquet")
    again.groupby("group").agg(["mean", "std"]).to_csv(f"out{n}.csv")
    again.head(40_000).to_csv(f"rows{n}.csv")
    pandas.read_csv(f"rows{n}.csv").describe().to_json(f"told{n}.json")
"""
_SMALL = "import random\nopen('out', 'w').write(str(random.random()))\n"


def pandas_job(bench: Bench) -> Iterator[Row]:
    """Tables read and written with pandas, bare and under ``envlock run``."""
    bench.say("a job with pandas: its environment is made")
    folder = Path(tempfile.mkdtemp(dir=bench.scratch, prefix="pandas-"))
    (folder / ".envlock").mkdir()
    python = _environment(folder / "environment", "pandas", "pyarrow")
    (folder / "job.py").write_text(_TABLES)
    variables = {**surroundings(), **caches(folder / "caches")}
    bare = (python, "job.py")
    commands = {"bare": bare, "run": (ENVLOCK, "run", "--", *bare)}
    found = _in_turns(commands, folder, variables, bench.repeat)
    for number, what in enumerate(("wall clock", "CPU")):
        ours, theirs = (statistics.median(one[number] for one in found[n]) for n in ("run", "bare"))
        yield Row(
            work=f"a job with pandas, {what}", ours=ours, peer="bare", theirs=theirs, limit=OVER
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tracker:
    """Another recorder: what to install, what makes a project of a folder, what runs a script."""

    name: str
    packages: tuple[str, ...]
    prepare: tuple[tuple[str, ...], ...]
    run: tuple[str, ...]


_GIT = (("git", "init", "--quiet", "."), ("git", "add", "main.py"))
_TRACKERS = (
    _Tracker(
        name="smt run",
        packages=("sumatra", "gitpython"),
        prepare=(
            *_GIT,
            ("git", "commit", "--quiet", "-m", "one"),
            ("smt", "init", "-e", "python", "-m", "main.py", "bench"),
        ),
        run=("smt", "run"),
    ),
    _Tracker(
        name="datalad run",
        packages=("datalad", "git-annex"),
        prepare=(
            ("datalad", "-l", "error", "create", "--force", "."),
            ("datalad", "-l", "error", "save", "-m", "one"),
        ),
        run=("datalad", "-l", "error", "run", "-m", "run", "-o", "out", "python main.py"),
    ),
    _Tracker(name="now run", packages=("noworkflow",), prepare=(), run=("now", "run", "main.py")),
)


def trackers(bench: Bench) -> Iterator[Row]:
    """A script that writes one number, recorded by others and by envlock; wall clock."""
    for tracker in _TRACKERS:
        bench.say(f"{tracker.name}: its environment is made")
        folder = Path(tempfile.mkdtemp(dir=bench.scratch, prefix="tracker-"))
        try:
            yield _beside(tracker, folder, bench.repeat)
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout or "").strip().splitlines() or ["no word"]
            work = f"a small script: {tracker.name} does not work here: {said[-1]}"
            yield Row(work=work, ours=math.nan, limit=math.inf)


def _beside(tracker: _Tracker, folder: Path, repeat: int) -> Row:
    programs = Path(_environment(folder / "environment", *tracker.packages)).parent
    theirs, ours = folder / "theirs", folder / "ours"
    variables = {
        **surroundings(),
        **caches(folder / "caches"),
        "HOME": str(folder),
        "PATH": f"{programs}:{surroundings()['PATH']}",
        "VIRTUAL_ENV": str(folder / "environment"),
        **{
            f"GIT_{who}_{what}": "a@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    for project in (theirs, ours):
        project.mkdir()
        (project / "main.py").write_text(_SMALL)
    for command in tracker.prepare:
        _must(command, theirs, variables)
    for command in (*_GIT, ("git", "commit", "--quiet", "-m", "one")):
        _must(command, ours, variables)
    _must(tracker.run, theirs, variables)
    python = str(programs / "python")
    own = (ENVLOCK, "run", "--", python, "main.py")
    _must(own, ours, variables)
    times: dict[str, list[float]] = {"theirs": [], "ours": []}
    program = str(programs / tracker.run[0])
    for _ in range(max(5, repeat)):
        times["theirs"].append(spend((program, *tracker.run[1:]), theirs, variables)[0])
        times["ours"].append(spend(own, ours, variables)[0])
    return Row(
        work="a small script",
        ours=statistics.median(times["ours"]),
        peer=tracker.name,
        theirs=statistics.median(times["theirs"]),
        limit=1,
    )


def _environment(folder: Path, *packages: str) -> str:
    """A new virtual environment with these; its Python."""
    _must((UV, "venv", "--quiet", "--python", sys.executable, str(folder)))
    python = str(folder / "bin" / "python")
    _must((UV, "pip", "install", "--quiet", "--python", python, *packages))
    return python


def _must(
    command: tuple[str, ...], folder: Path | None = None, variables: dict[str, str] | None = None
) -> None:
    argv = list(command)
    if variables is not None and folder is not None:
        own = folder.parent / "environment" / "bin" / command[0]
        argv[0] = str(own) if own.exists() else command[0]
    subprocess.run(
        argv, cwd=folder, env=variables, check=True, capture_output=True, text=True, timeout=600
    )


def _in_turns(
    commands: dict[str, tuple[str, ...]], folder: Path, variables: dict[str, str], repeat: int
) -> dict[str, list[tuple[float, float]]]:
    """Seconds of wall clock and CPU of each, one after the other, the first time not counted."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for argv in commands.values():
        spend(argv, folder, variables)
    for _ in range(repeat):
        for name, argv in commands.items():
            found[name].append(spend(argv, folder, variables))
    return found
