"""Bundles: ``envlock bundle`` with all files in the store against ``cp -r`` of the same files.

Both are on the disk at the end: ``cp`` leaves that to later, so ``sync`` of that file system
follows it, as envlock does not say that a bundle is whole before it is. What others left to be
written is written before each.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Contender, caches, envlock, peak_of, run_once, with_peak
from benchmarks.report import Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench

SIZE = 250
_LIMIT = 1 / 0.8


def bundles(bench: Bench) -> Iterator[Row]:
    """Time of a folder, of an archive, and of a folder that is there already."""
    folder = bench.project(SIZE, "bundle")
    environment = caches(folder.with_name(folder.name + "-caches"))
    bench.say("bundles: locking and fetching")
    for command in (("lock",), ("bundle", "--output", "first"), ("bundle", "--output", "f.tar")):
        run_once(envlock(folder, *command), environment)
    size = sum(path.stat().st_size for path in (folder / "first").rglob("*") if path.is_file())
    work = f"bundle of {size / 1e9:.1f} GB in the store"
    for what, output, source in (("a folder", "out", "first"), ("one archive", "out.tar", "f.tar")):
        bench.say(f"bundles: {what} against cp")
        ours, theirs = [], []
        for _ in range(bench.repeat):
            _forget(folder / output)
            os.sync()
            ours.append(run_once(envlock(folder, "bundle", "--output", output), environment))
            _forget(folder / output)
            os.sync()
            theirs.append(run_once(_copy(folder, source, output), environment))
        yield Row(
            work=f"{work}: {what}",
            ours=median(ours),
            peer="cp -r, sync",
            theirs=median(theirs),
            limit=_LIMIT,
        )
    for output in ("out", "out.tar"):
        _forget(folder / output)
        measured = with_peak(envlock(folder, "bundle", "--output", output))
        run_once(measured, environment)
        yield Row(
            work=f"peak memory of bundle, --output {output}",
            ours=peak_of(measured),
            limit=100,
            unit="MB",
        )
    ours, theirs = [], []
    for _ in range(bench.repeat):
        ours.append(run_once(envlock(folder, "bundle", "--output", "first"), environment))
        check = "cd first && sha256sum --check --quiet SHA256SUMS"
        peer = Contender(name="sha256sum", argv=("sh", "-c", check), folder=folder)
        theirs.append(run_once(peer, environment))
    yield Row(
        work=f"{work}: nothing to do",
        ours=median(ours),
        peer="sha256sum --check",
        theirs=median(theirs),
        limit=1.0,
    )


def _forget(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _copy(folder: Path, source: str, target: str) -> Contender:
    script = f"cp -r {source} {target} && sync -f {target}"
    return Contender(name="cp", argv=("sh", "-c", script), folder=folder)
