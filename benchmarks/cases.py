"""What is measured: each case turns into rows of the table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.bundles import bundles
from benchmarks.content import content
from benchmarks.images import images
from benchmarks.jobs import pandas_job, trackers
from benchmarks.measure import (
    BIN,
    Contender,
    Timing,
    cold_caches,
    peak_of,
    race_cold,
    race_warm,
    run_once,
    with_peak,
)
from benchmarks.os_packages import os_packages
from benchmarks.rebuilds import from_source, rebuilds
from benchmarks.report import Row
from benchmarks.runs import many, overhead
from benchmarks.sets import AS_OF

HERE = Path(__file__).parent


def envlock_lock(folder: Path, *options: str) -> Contender:
    """``envlock lock`` from nothing."""
    return Contender(
        name="envlock",
        argv=(str(BIN / "envlock"), "--quiet", "lock", "--as-of", AS_OF, *options),
        folder=folder,
        before=lambda: (folder / "pylock.toml").unlink(missing_ok=True),
    )


def uv_compile(folder: Path) -> Contender:
    """``uv pip compile`` with its defaults, for the same Python and instant."""
    output = folder / "requirements.txt"
    return Contender(
        name="uv pip compile",
        argv=(
            *(str(BIN / "uv"), "pip", "compile", "--quiet", "pyproject.toml"),
            *("--python", sys.executable, "--exclude-newer", AS_OF, "--output-file", str(output)),
        ),
        folder=folder,
        before=lambda: output.unlink(missing_ok=True),
    )


def through_view(folder: Path, tool: str) -> Contender:
    """``uv`` or ``pip-compile`` reading a dated view that lives as long as the run."""
    output = folder / f"through-{tool}.txt"
    return Contender(
        name=f"{tool} through the view",
        argv=(sys.executable, "-m", "benchmarks.through_view", tool, str(folder), str(output)),
        folder=HERE.parent,
        before=lambda: output.unlink(missing_ok=True),
    )


def lock_against_uv(bench: Bench) -> Iterator[Row]:
    """Locking, cold and warm, against ``uv pip compile``."""
    for size in bench.sizes:
        folder = bench.project(size, "uv")
        contenders = (envlock_lock(folder), uv_compile(folder))
        bench.say(f"lock, cold, {size} packages, against uv pip compile")
        cold = race_cold(contenders, repeat=bench.repeat, scratch=bench.scratch)
        yield _pair(f"lock, cold, {size} packages", cold, limit=1.15)
        bench.say(f"lock, warm, {size} packages, against uv pip compile")
        warm = race_warm(contenders, repeat=bench.repeat, scratch=bench.scratch)
        yield _pair(f"lock, warm, {size} packages", warm, limit=0.2)


def lock_against_pip_compile(bench: Bench) -> Iterator[Row]:
    """Locking, cold and warm, against ``pip-compile`` through the dated view."""
    for size in bench.sizes:
        folder = bench.project(size, "pip")
        contenders = (envlock_lock(folder), through_view(folder, "pip-compile"))
        bench.say(f"lock, cold, {size} packages, against pip-compile through the view")
        cold = race_cold(contenders, repeat=bench.repeat, scratch=bench.scratch)
        yield _pair(f"lock, cold, {size} packages", cold, limit=0.3)
        bench.say(f"lock, warm, {size} packages, against pip-compile through the view")
        warm = race_warm(contenders, repeat=bench.repeat, scratch=bench.scratch)
        yield _pair(f"lock, warm, {size} packages", warm, limit=0.05)


def view_against_direct(bench: Bench) -> Iterator[Row]:
    """uv with the dated view in its path, against uv alone, cold."""
    for size in bench.sizes:
        folder = bench.project(size, "view")
        viewed, direct = through_view(folder, "uv"), uv_compile(folder)
        bench.say(f"the dated view in uv's path, cold, {size} packages")
        cold = race_cold((viewed, direct), repeat=bench.repeat, scratch=bench.scratch)
        yield Row(
            work=f"uv through the dated view, cold, {size} packages",
            ours=cold[viewed.name].median,
            peer="uv pip compile",
            theirs=cold[direct.name].median,
            limit=1.4,
        )


def check_against_uv(bench: Bench) -> Iterator[Row]:
    """``lock --check`` with nothing to do."""
    for size in bench.sizes:
        folder = bench.project(size, "check")
        uv = str(BIN / "uv")
        uv_lock = (uv, "lock", "--python", sys.executable, "--exclude-newer", AS_OF)
        ours = Contender(
            name="envlock",
            argv=(str(BIN / "envlock"), "--quiet", "lock", "--check"),
            folder=folder,
            first=(envlock_lock(folder),),
        )
        theirs = Contender(
            name="uv lock --check",
            argv=(*uv_lock, "--check"),
            folder=folder,
            first=(Contender(name="uv lock", argv=uv_lock, folder=folder),),
        )
        bench.say(f"lock --check, {size} packages")
        found = race_warm((ours, theirs), repeat=2 * bench.repeat, scratch=bench.scratch)
        yield _pair(f"lock --check, nothing to do, {size} packages", found, limit=2.0)


def help_page(bench: Bench) -> Iterator[Row]:
    """``envlock --help``: what every start costs."""
    bench.say("envlock --help")
    contender = Contender(
        name="envlock", argv=(str(BIN / "envlock"), "--help"), folder=bench.scratch
    )
    found = race_warm((contender,), repeat=max(10, bench.repeat), scratch=bench.scratch)
    yield Row(work="envlock --help", ours=found["envlock"].median, limit=0.080)


def peak_memory(bench: Bench) -> Iterator[Row]:
    """The largest resident size of envlock's own process while it locks the largest set, cold."""
    size = max(bench.sizes)
    folder = bench.project(size, "peak")
    bench.say(f"peak memory, {size} packages")
    peaks = []
    for engine in ("uv", "pip-tools"):
        with cold_caches(bench.scratch) as environment:
            measured = with_peak(envlock_lock(folder, "--engine", engine))
            run_once(measured, environment)
        peaks.append((engine, peak_of(measured)))
    for engine, peak in peaks:
        yield Row(
            work=f"peak memory of envlock itself, engine {engine}, {size} packages",
            ours=peak,
            limit=300,
            unit="MB",
        )


CASES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "help": help_page,
    "uv": lock_against_uv,
    "check": check_against_uv,
    "content": content,
    "view": view_against_direct,
    "memory": peak_memory,
    "os": os_packages,
    "image": images,
    "pip-compile": lock_against_pip_compile,
    "run": overhead,
    "pandas": pandas_job,
    "runs": many,
    "trackers": trackers,
    "bundle": bundles,
    "rebuild": rebuilds,
    "source": from_source,
}
"""Every case by name, quick ones first."""
ON_REQUEST = ("trackers",)
"""Cases that are left out unless they are asked for: they install what others wrote."""


def _pair(work: str, found: dict[str, Timing], *, limit: float) -> Row:
    (peer,) = found.keys() - {"envlock"}
    return Row(
        work=work,
        ours=found["envlock"].median,
        peer=peer,
        theirs=found[peer].median,
        limit=limit,
    )
