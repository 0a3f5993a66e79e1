"""Running one contender, and running several in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

_CACHES = {
    "UV_CACHE_DIR": "uv",
    "ENVLOCK_CACHE_DIR": "envlock",
    "PIP_CACHE_DIR": "pip",
    "PIP_TOOLS_CACHE_DIR": "pip-tools",
    "XDG_CACHE_HOME": "xdg",
}
# (Not getrusage: that starts from the parent's size.)
_PEAK = """
import sys
from envlock.cli.app import run
code = run(sys.argv[2:])
status = open("/proc/self/status").read()
peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
open(sys.argv[1], "w").write(peak.split()[1])
sys.exit(code)
"""
MEGABYTE = 1_000_000
BIN = Path(sys.executable).parent


class ContenderFailedError(Exception):
    """A measured command exited with an error, which makes its time worthless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One measured command.

    ``argv`` runs in ``folder``; ``before`` (untimed) puts the folder into its starting state.
    ``first`` runs once, unmeasured, before the warm runs. ``codes`` are the exit codes of success.
    """

    name: str
    argv: tuple[str, ...]
    folder: Path
    before: Callable[[], None] = lambda: None
    first: tuple[Contender, ...] = ()
    codes: tuple[int, ...] = (0,)


def envlock(folder: Path, *arguments: str) -> Contender:
    """envlock in a folder, with no word but its result."""
    argv = (str(BIN / "envlock"), "--quiet", *arguments)
    return Contender(name="envlock", argv=argv, folder=folder)


def with_peak(contender: Contender) -> Contender:
    """A command of envlock that leaves its own process's largest resident size for ``peak_of``."""
    argv = (sys.executable, "-c", _PEAK, "peak", *contender.argv[1:])
    return replace(contender, argv=argv)


def peak_of(contender: Contender) -> float:
    """What that was, in megabytes."""
    return int((contender.folder / "peak").read_text()) * 1024 / MEGABYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of wall clock of each run."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle run, in seconds."""
        return statistics.median(self.runs)


def caches(root: Path) -> dict[str, str]:
    """Environment variables that put every contender's cache under ``root``."""
    return {variable: str(root / name) for variable, name in _CACHES.items()}


@contextmanager
def cold_caches(scratch: Path) -> Iterator[dict[str, str]]:
    """Caches that nobody has used, gone afterwards."""
    with tempfile.TemporaryDirectory(dir=scratch, prefix="cold-") as folder:
        yield caches(Path(folder))


def run_once(contender: Contender, environment: Mapping[str, str]) -> float:
    """Seconds that one run takes.

    Raises:
        ContenderFailedError: it exited with another code than it should.
    """
    contender.before()
    start = time.perf_counter()
    done = subprocess.run(
        contender.argv,
        cwd=contender.folder,
        env={**surroundings(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode not in contender.codes:
        tail = "\n".join((done.stderr or done.stdout).splitlines()[-15:])
        raise ContenderFailedError(f"{contender.name}: exit {done.returncode}\n{tail}")
    return seconds


def surroundings() -> dict[str, str]:
    """This process's environment; all may keep bytecode, as installed programs do."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def race_cold(contenders: Sequence[Contender], *, repeat: int, scratch: Path) -> dict[str, Timing]:
    """Each contender ``repeat`` times, in turns, each run with caches of its own that are new."""
    runs: dict[str, list[float]] = {c.name: [] for c in contenders}
    for turn in range(repeat):
        for contender in _in_turn(contenders, turn):
            with cold_caches(scratch) as environment:
                runs[contender.name].append(run_once(contender, environment))
    return {name: Timing(runs=tuple(seconds)) for name, seconds in runs.items()}


def race_warm(contenders: Sequence[Contender], *, repeat: int, scratch: Path) -> dict[str, Timing]:
    """Each contender once unmeasured to fill caches of its own, then ``repeat`` times, in turns.

    Nobody shares a cache: envlock has its uv keep what uv alone would ask for again.
    """
    runs: dict[str, list[float]] = {c.name: [] for c in contenders}
    with ExitStack() as stack:
        own = {c.name: stack.enter_context(cold_caches(scratch)) for c in contenders}
        for contender in contenders:
            for preparation in (*contender.first, contender):
                run_once(preparation, own[contender.name])
        for turn in range(repeat):
            for contender in _in_turn(contenders, turn):
                runs[contender.name].append(run_once(contender, own[contender.name]))
    return {name: Timing(runs=tuple(seconds)) for name, seconds in runs.items()}


def _in_turn(contenders: Sequence[Contender], turn: int) -> Sequence[Contender]:
    # Going back and forth, so that nobody always runs first (or last).
    return contenders if turn % 2 == 0 else tuple(reversed(contenders))
