"""What a run costs beside the bare program, and questions about a million of them."""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import caches, surroundings
from benchmarks.report import Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench

BIN = Path(sys.executable).parent
ENVLOCK = str(BIN / "envlock")
OVERHEAD = 0.050
MANY = int(os.environ.get("ENVLOCK_BENCH_RUNS", "1000000"))
"""Synthetic records; a smaller number for a quick look."""
_MONTHS = 24
_RATE = 10_000
_QUESTIONS = {
    "newest 20": (),
    "one tag in a thousand": ("--tag", "t7"),
    "every third, by group": ("--group", "g1"),
    "two parameters": ("--param", "lr=0.1", "--param", "seed=77"),
    "failed in a month": ("--failed", "--since", "2025-03-01", "--until", "2025-04-01"),
}


def overhead(bench: Bench) -> Iterator[Row]:
    """``envlock run -- python -c pass`` against the bare process: wall clock and CPU."""
    bench.say("envlock run, a program that does nothing")
    folder = Path(tempfile.mkdtemp(dir=bench.scratch, prefix="run-"))
    (folder / ".envlock").mkdir()
    environment = {**surroundings(), **caches(folder / "caches")}
    bare = (sys.executable, "-c", "pass")
    runs: dict[str, list[tuple[float, float]]] = {"bare": [], "run": []}
    commands = {"bare": bare, "run": (ENVLOCK, "run", "--", *bare)}
    spend(commands["run"], folder, environment)
    for _ in range(max(20, bench.repeat)):
        for name, argv in commands.items():
            runs[name].append(spend(argv, folder, environment))
    for number, what in enumerate(("wall clock", "CPU")):
        ours, theirs = (statistics.median(one[number] for one in runs[k]) for k in ("run", "bare"))
        yield Row(
            work=f"envlock run over the bare program, {what}", ours=ours - theirs, limit=OVERHEAD
        )


def spend(argv: tuple[str, ...], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of wall clock and CPU, descendants included."""
    start = time.perf_counter()
    actions = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    os.chdir(folder)
    pid = os.posix_spawn(argv[0], argv, environment, file_actions=actions)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{argv}: status {status}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime


def many(bench: Bench) -> Iterator[Row]:
    """The index of many records: made, brought up to date, asked."""
    from envlock.runs.folder import FolderStore

    folder = Path(tempfile.mkdtemp(dir=bench.scratch, prefix="runs-"))
    bench.say(f"{MANY} records are written")
    store = FolderStore(str(folder / ".envlock"))
    for number in range(MANY):
        _write(folder, number)
    environment = {**surroundings(), **caches(folder / "caches")}

    def ask(*arguments: str) -> float:
        return spend((ENVLOCK, "runs", "list", *arguments), folder, environment)[0]

    bench.say("their index is made")
    yield Row(work=f"index of {MANY} records", ours=ask(), limit=max(MANY / _RATE, 1))
    time.sleep(2.1)  # stamps settle
    ask()
    for what, arguments in _QUESTIONS.items():
        answers = statistics.median(ask(*arguments) for _ in range(max(5, bench.repeat)))
        yield Row(work=f"runs list of {MANY}: {what}", ours=answers, limit=0.100)
    seconds = []
    for number in range(bench.repeat):
        table = _record(random.Random(MANY + number), MANY + number)
        store.finish(table["id"], json.dumps(table).encode())
        seconds.append(ask())
    yield Row(
        work=f"runs list of {MANY}: one of them new", ours=statistics.median(seconds), limit=1.0
    )


def _write(folder: Path, number: int) -> None:
    table = _record(random.Random(number), number)
    name = table["id"]
    path = folder / ".envlock" / "runs" / name[:4] / name[4:6] / f"{name}.json"
    try:
        path.write_text(json.dumps(table, sort_keys=True, indent=1))
    except FileNotFoundError:
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(table, sort_keys=True, indent=1))


def _record(chance: random.Random, number: int) -> dict[str, Any]:
    """One record of the usual size (about 4 kB), the number-th of two years."""
    span = _MONTHS * 30 * 86400
    second = 1735689600 + number * span // max(MANY, 1) + chance.random()
    moment = time.gmtime(second)
    seed, rate = chance.randrange(1000), chance.choice([0.1, 0.01, 0.001])
    flags = " ".join(f"flag_{n}" for n in range(110))
    return {
        "code": {"commit": f"{number % 500:040x}", "dirty": False, "tree": f"{number % 500:040x}"},
        "command": {
            "argv": ["python", "train.py", "--lr", str(rate), "--seed", str(seed)],
            "directory": ".",
        },
        "duration": round(chance.expovariate(0.01), 6),
        "environment": {"program": "/usr/bin/python3", "python": {"found-by": "none"}},
        "environment-hash": "env1-" + f"{number % 40:064x}",
        "exit": {"code": 0 if chance.random() < 0.9 else 1},
        "format": 1,
        "group": f"g{number % 3}",
        "host": {"cpu": {"features": flags}, "hostname": "node", "variables": {"PATH": "/x" * 100}},
        "id": f"{time.strftime('%Y%m%dT%H%M%SZ', moment)}-{chance.getrandbits(48):012x}",
        "inputs": [{"found": "declared", "path": "data.csv", "sha256": "0" * 64, "size": 1}],
        "lock": {"path": "pylock.toml", "sha256": "1" * 64},
        "metrics": {"loss": chance.random()},
        "output": {"stdout": {"bytes": 400, "sha256": "2" * 64, "tail": "a line of text\n" * 25}},
        "outputs": [],
        "parameters": {
            "lr": {"from": "argv", "value": rate},
            "seed": {"from": "argv", "value": seed},
        },
        "recorder": {"envlock": "0", "hostname": "node", "pid": 1},
        "started": time.strftime("%Y-%m-%dT%H:%M:%S", moment) + f".{number % 1000000:06}Z",
        "state": "finished",
        "tags": [f"t{chance.randrange(1000)}"],
        "why": f"trial {number}",
    }
