"""``envlock check`` of every installed file against ``sha256sum`` of the same files.

The environment is that of examples/data-science; sha256sum gets as many processes as there are
cores. The made-up environments show what memory and time do when files are larger, or more.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import (
    BIN,
    MEGABYTE,
    Contender,
    cold_caches,
    envlock,
    peak_of,
    race_warm,
    run_once,
    with_peak,
)
from benchmarks.report import Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench

EXAMPLE = Path(__file__).parents[1] / "examples" / "data-science"
LARGE = 5_000_000_000
FEW, MANY = 20_000, 200_000


def content(bench: Bench) -> Iterator[Row]:
    """Everything read, nothing touched, and nothing to install."""
    folder = Path(tempfile.mkdtemp(dir=bench.scratch, prefix="content-"))
    shutil.copy(EXAMPLE / "pyproject.toml", folder)
    bench.say("check: making the environment of examples/data-science")
    with cold_caches(bench.scratch) as caches:
        for command in ("lock", "sync"):
            one = Contender(
                name=f"envlock {command}", argv=(str(BIN / "envlock"), command), folder=folder
            )
            run_once(one, caches)
    files = [path for path in (folder / ".venv").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    told = f"{len(files)} files, {size / MEGABYTE:.0f} MB"
    (folder / "files").write_bytes(b"\0".join(os.fsencode(path) for path in files))
    cores = str(len(os.sched_getaffinity(0)))
    hashing = ("xargs", "-0", "-a", "files", "-n", "500", "-P", cores, "sha256sum")
    peer = Contender(name="sha256sum", argv=hashing, folder=folder)
    check: tuple[str, ...] = (str(BIN / "envlock"), "check")
    works: tuple[tuple[str, tuple[str, ...], float], ...] = (
        (f"check, everything read, {told}", (*check, "--paranoid"), 1.0),
        (f"check, nothing touched, {told}", check, 0.1),
    )
    for work, argv, limit in works:
        bench.say(work)
        ours = Contender(name="envlock", argv=argv, folder=folder)
        found = race_warm((ours, peer), repeat=bench.repeat, scratch=bench.scratch)
        yield Row(
            work=work,
            ours=found["envlock"].median,
            peer=peer.name,
            theirs=found[peer.name].median,
            limit=limit,
        )
    yield Row(work="check, nothing touched, as a whole", ours=found["envlock"].median, limit=0.25)
    bench.say("sync, nothing to do")
    nothing = Contender(name="envlock", argv=(check[0], "sync"), folder=folder)
    found = race_warm((nothing,), repeat=bench.repeat, scratch=bench.scratch)
    yield Row(work=f"sync, nothing to do, {told}", ours=found["envlock"].median, limit=0.25)
    yield from _made_up(bench, folder)


def _made_up(bench: Bench, folder: Path) -> Iterator[Row]:
    bench.say("check, one file of 5 GB")
    large = _environment(folder / "large")
    # A hole: reading it gives zeros and takes no place on the disk.
    with (large / "many-1.dist-info" / "large").open("wb") as file:
        file.truncate(LARGE)
    digest = hashlib.sha256()
    for _ in range(LARGE // MEGABYTE):
        digest.update(bytes(MEGABYTE))
    _record(large, [("many-1.dist-info/large", digest.digest(), LARGE)])
    measured = with_peak(envlock(folder, "check", "--prefix", "large", "--paranoid"))
    with cold_caches(bench.scratch) as caches:
        run_once(replace(measured, codes=(1,)), caches)
    peak = peak_of(measured)
    yield Row(work="peak memory of check, one file of 5 GB", ours=peak, limit=100, unit="MB")
    bench.say(f"check, {FEW} and {MANY} files")
    times = {}
    for count in (FEW, MANY):
        site = _environment(folder / f"made-{count}")
        rows = []
        for number in range(count):
            path = Path("many", str(number // 1000), f"{number}.txt")
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            data = f"{number}\n".encode()
            (site / path).write_bytes(data)
            rows.append((path.as_posix(), hashlib.sha256(data).digest(), len(data)))
        _record(site, rows)
        argv = (str(BIN / "envlock"), "check", "--prefix", f"made-{count}", "--paranoid")
        ours = Contender(name="envlock", argv=argv, folder=folder, codes=(1,))
        found = race_warm((ours,), repeat=bench.repeat, scratch=bench.scratch)
        times[count] = found["envlock"].median
    yield Row(
        work=f"check, everything read, {MANY} files, for each file",
        ours=times[MANY] * FEW / MANY,
        peer=f"{FEW} files",
        theirs=times[FEW],
        limit=1.2,
    )


def _environment(prefix: Path) -> Path:
    """A virtual environment with one distribution; gives its site-packages."""
    argv = (str(BIN / "uv"), "venv", "--quiet", "--python", sys.executable, str(prefix))
    run_once(Contender(name="uv venv", argv=argv, folder=prefix.parent), {})
    [site] = prefix.glob("lib/python*/site-packages")
    info = site / "many-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: many\nVersion: 1\n")
    return site


def _record(site: Path, rows: list[tuple[str, bytes, int]]) -> None:
    lines = [
        f"{path},sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()},{size}"
        for path, digest, size in rows
    ]
    (site / "many-1.dist-info" / "RECORD").write_text("\n".join(lines) + "\n")
