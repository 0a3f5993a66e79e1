"""Resolving OS packages against apt: the resolver alone, and the whole ``envlock lock``.

The resolver alone is a process that opens its cache and prints names. The whole command locks a
project without Python packages from nothing, with the Releases and indexes in its cache; what it
takes beyond the same project without OS packages is the OS part. A lock asked for again is not
worked out again (ADR 28); `--dry-run` always is: it stands for a question that is new.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import BIN, Contender, Timing, peak_of, race_cold, race_warm, with_peak
from benchmarks.os_ground import AS_OF, Ground, prepare, run_apt, serving, simulation
from benchmarks.report import Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench

_CLOSE = """
import json, sys
from pathlib import Path
from envlock.resolve.os.closure.close import close
from envlock.resolve.os.archive.index import IndexPart, PackageIndex

parts = [
    IndexPart(suite=suite, component="main", architecture="amd64", sha256=digest, priority=500,
              packages=Path(file).read_bytes)
    for suite, digest, file in json.loads(Path(sys.argv[1]).read_text())
]
with PackageIndex(parts, architecture="amd64") as index:
    solution = close(index, sys.argv[2:])
print(" ".join(chosen.package.name for chosen in solution.packages if not chosen.base))
"""
# Some 200 packages on top of the base, and a thousand; and a lock of 200, the base included.
USUAL = ("ffmpeg",)
MANY = ("gdal-bin", "gnome-core", "libopencv-dev", "octave", "postgresql", "r-base", "texlive")


def os_packages(bench: Bench) -> Iterator[Row]:
    """The OS layer, first time and cached, in time and memory, small and large."""
    bench.say("OS packages: fetching this machine's indexes")
    ground = prepare(Path(tempfile.mkdtemp(dir=bench.scratch, prefix="os-")))
    yield from _resolver(bench, ground)
    with serving(ground) as template:
        yield from _whole(bench, ground, template)


def _resolver(bench: Bench, ground: Ground) -> Iterator[Row]:
    bench.say("OS closure, first time, index in hand, against apt")
    first = race_cold(
        (_closure(ground, USUAL), _update_and_simulate(ground, USUAL)),
        repeat=bench.repeat,
        scratch=bench.scratch,
    )
    yield _pair("OS closure, first time, index in hand", first, "apt-get update + -s install", 0.5)
    yield Row(work="OS closure, first time, index in hand", ours=first["envlock"].median, limit=1.0)
    for packages in (USUAL, MANY):
        added = len(_answer(bench, ground, packages))
        bench.say(f"OS closure, {added} packages, index cached, against apt")
        cached = race_warm(
            (_closure(ground, packages), _simulate(ground, packages)),
            repeat=2 * bench.repeat,
            scratch=bench.scratch,
        )
        work = f"OS closure, {added} packages, index cached"
        yield _pair(work, cached, "apt-get -s install", 0.2)


def _whole(bench: Bench, ground: Ground, template: str) -> Iterator[Row]:
    folders = {name: _project(bench, ground, template, name) for name in (*_REQUESTS, "none")}
    bench.say("envlock lock with OS packages, all cached")
    found = race_warm(
        [_lock(folder, name) for name, folder in folders.items()],
        repeat=2 * bench.repeat,
        scratch=bench.scratch,
    )
    whole = found["usual"].median
    counts = {name: _locked(folders[name]) for name in _REQUESTS}
    bench.say("envlock lock --dry-run with OS packages, all cached")
    found = race_warm(
        [_lock(folder, name, "--dry-run") for name, folder in folders.items()],
        repeat=2 * bench.repeat,
        scratch=bench.scratch,
    )
    times = {name: timing.median for name, timing in found.items()}
    usual = f"lock, {counts['usual']} OS packages, cached"
    yield Row(work=f"{usual}: whole command", ours=whole, limit=0.1)
    yield Row(work=f"{usual}: whole command, a new question", ours=times["usual"], limit=0.1)
    yield Row(work=f"{usual}: OS part", ours=times["usual"] - times["none"], limit=0.1)
    # Linear, at most: as many times the time as there are packages.
    yield Row(
        work=f"lock, {counts['many']} OS packages, cached: OS part",
        ours=times["many"] - times["none"],
        peer=f"{counts['usual']} OS packages",
        theirs=times["usual"] - times["none"],
        limit=round(counts["many"] / counts["usual"], 1),
    )
    yield Row(work=f"{usual}: peak", ours=_peak(bench, folders["usual"]), limit=60, unit="MB")


_REQUESTS = {"usual": ("default-jre",), "many": MANY}


def _project(bench: Bench, ground: Ground, template: str, name: str) -> Path:
    folder = Path(tempfile.mkdtemp(dir=bench.scratch, prefix=f"os-{name}-"))
    lines = [
        "[project]",
        'name = "bench"',
        'version = "1"',
        "[tool.envlock]",
        'python = "3.11"',
        'targets = ["linux/amd64"]',
        f'as-of = "{AS_OF}"',
        'interpreter = "base-image"',
    ]
    if name in _REQUESTS:
        (folder / "archive.pgp").write_bytes((ground.served / "archive.pgp").read_bytes())
        lines += [
            "[tool.envlock.os]",
            'base = "debian:bookworm"',
            f"packages = {list(_REQUESTS[name])}",
            'keyring = "archive.pgp"',
            f'mirrors = ["{template}"]',
        ]
    (folder / "pyproject.toml").write_text("\n".join(lines) + "\n")
    return folder


def _lock(folder: Path, name: str, *options: str) -> Contender:
    return Contender(
        name=name,
        argv=(str(BIN / "envlock"), "--quiet", "lock", *options),
        folder=folder,
        before=lambda: (folder / "pylock.toml").unlink(missing_ok=True),
    )


def _locked(folder: Path) -> int:
    return (folder / "pylock.toml").read_text().count("[[tool.envlock.os.packages]]")


def _peak(bench: Bench, folder: Path) -> float:
    """The largest resident size of the command's process, with everything cached."""
    measured = with_peak(_lock(folder, "envlock"))
    race_warm((measured,), repeat=1, scratch=bench.scratch)
    return peak_of(measured)


def _answer(bench: Bench, ground: Ground, packages: tuple[str, ...]) -> list[str]:
    """The names that both add; a difference ends the run: what is wrong needs no time."""
    environment = os.environ | {"ENVLOCK_CACHE_DIR": str(bench.scratch / "os-answers")}
    done = subprocess.run(
        _closure(ground, packages).argv,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    ours = sorted(done.stdout.split())
    theirs = sorted(re.findall(r"^Inst (\S+)", run_apt(ground.apt, *simulation(packages)), re.M))
    if ours != theirs:
        sys.exit(f"the answers differ: {sorted(set(ours) ^ set(theirs))}")
    return ours


def _closure(ground: Ground, packages: tuple[str, ...]) -> Contender:
    argv = (sys.executable, "-c", _CLOSE, str(ground.manifest))
    return Contender(name="envlock", argv=(*argv, *packages), folder=Path.cwd())


def _simulate(ground: Ground, packages: tuple[str, ...]) -> Contender:
    argv = ("env", f"APT_CONFIG={ground.apt}", *simulation(packages))
    return Contender(name="apt", argv=argv, folder=ground.apt.parent)


def _update_and_simulate(ground: Ground, packages: tuple[str, ...]) -> Contender:
    script = f"apt-get update -q && {shlex.join(simulation(packages))}"
    argv = ("env", f"APT_CONFIG={ground.apt}", "sh", "-c", script)
    return Contender(name="apt", argv=argv, folder=ground.apt.parent, before=ground.forget)


def _pair(work: str, found: dict[str, Timing], peer: str, limit: float) -> Row:
    ours, theirs = found["envlock"].median, found["apt"].median
    return Row(work=work, ours=ours, peer=peer, theirs=theirs, limit=limit)
