"""One wheel from one sdist: PEP 517, alone, always in the same place and at the same instant.

The backend runs in a virtual environment that holds the locked requirements and nothing else,
without the network where the system lets us take it away, without this user's variables and home.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from envlock.io.confined import (
    END_WITH_PARENT,
    OTHER_USER,
    WITHOUT_NETWORK,
    last_lines,
    run_confined,
    seconds_allowed,
)
from envlock.io.interpreters import Interpreter
from envlock.io.rooted import Shown, in_root
from envlock.io.store import stored
from envlock.io.unpack import OddArchiveError, unpack
from envlock.lock.canonical import digest
from envlock.realise.source.environment import NotInstalledError, make_environment
from envlock.realise.source.folder import build_folder
from envlock.realise.source.plan import Job
from envlock.realise.source.root import PATH, BuildRoot, RootPython

EPOCH = 1580601600
"""SOURCE_DATE_EPOCH of every build: 2020-02-02, which hatchling takes by itself, so that wheels
which it published come out with the same bytes."""

BUILD_SECONDS = 3600.0
PROGRAMS = PATH
"""Where programs of the system are looked for, as ``PATH`` has it."""
CLOCK = "/dev/envlock/libfaketime.so.1"
"""Where the library by which the day is a later one is seen in a root."""
_SHOWN = 20
_LATER = "+400d"

# Any Python 3.6 or later runs it. The answer goes to a file: backends print.
_RUNNER = (
    """
import importlib, json, os, sys
job = json.loads(sys.argv[1])
"""
    + WITHOUT_NETWORK
    + OTHER_USER
    + END_WITH_PARENT
    + r"""
alone = job["alone"] or without_network()
os.umask(job["umask"])
if job["cpus"] and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:job["cpus"]])
    os.cpu_count = lambda: job["cpus"]  # it tells of the machine, not of what may be used
if job["user"] is not None:
    other_user(job["user"])
end_with_parent(job["parent"])
sys.argv = ["setup.py"]
sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
sys.path[:0] = [os.path.join(os.getcwd(), folder) for folder in job["backend-path"]]
module, _, attributes = job["backend"].partition(":")
backend = importlib.import_module(module)
for name in attributes.split(".") if attributes else []:
    backend = getattr(backend, name)
wheel = backend.build_wheel(job["out"])
with open(job["answer"], "w") as file:
    json.dump({"wheel": os.path.basename(wheel), "alone": alone}, file)
"""
)


class BuildFailedError(Exception):
    """A build that gave no wheel; the text says how it ended, with the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a build can be surrounded by and must not depend on.

    ``root`` is the folder that it happens in; ``cpus`` how many it sees (0: all); ``user`` the
    numeric id that it runs as in its own eyes (None: this one); ``backwards``: files are made in
    the other order, at other times. ``clock`` is libfaketime's library, by which the day is a later
    one (None: today).
    """

    root: Path = Path("/tmp")  # noqa: S108 - a path that is the same on every machine
    locale: str = "C.UTF-8"
    zone: str = "UTC"
    umask: int = 0o022
    cpus: int = 0
    user: int | None = None
    hash_seed: str = "0"
    backwards: bool = False
    clock: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What all builds of one go have in common.

    ``root`` is what they happen in, and its Python; without, in this machine, by ``python``.
    ``seconds`` is the time that one may take; ``stop`` ends all of them when it is set.
    """

    python: Interpreter
    root: tuple[BuildRoot, RootPython] | None = None
    seconds: float = BUILD_SECONDS
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def version(self) -> str:
        """That of the Python that builds: ``3.11.2``."""
        return self.python.version if self.root is None else self.root[1].version


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A built wheel at ``path``, which goes when the build's folder does; ``alone``: no network."""

    path: Path
    alone: bool


def build_seconds() -> float:
    """``ENVLOCK_BUILD_TIMEOUT``, else ``BUILD_SECONDS``.

    Raises:
        UsageError: it is not a number of seconds.
    """
    return seconds_allowed("ENVLOCK_BUILD_TIMEOUT", BUILD_SECONDS)


def input_digest(job: Job, wheels: list[tuple[str, str]], workshop: Workshop) -> str:
    """What a wheel is named by before it is built: all that it is made of, as far as is known.

    Args:
        job: see there.
        wheels: name and digest of each of its requirements.
        workshop: where it is built.
    """
    if workshop.root is None:
        programs = [
            [name, _stamp(shutil.which(name, path=PROGRAMS))] for name in job.build.programs
        ]
    else:
        root = workshop.root[0]
        programs = [["root", root.digest, "scripts" if root.scripts else ""]]
    return digest(
        [
            "1",
            job.sdist.sha256,
            job.subdirectory or "",
            job.build.backend,
            list(job.build.backend_path),
            sorted(map(list, wheels)),
            [workshop.version, platform.system(), platform.machine()],
            programs,
            str(EPOCH),
        ]
    )


def _stamp(path: str | None) -> str:
    if path is None:
        return ""
    found = os.stat(path)  # noqa: PTH116 - a program's path from PATH
    return f"{path} {found.st_size} {found.st_mtime_ns}"


@contextmanager
def building(
    job: Job,
    wheels: list[tuple[str, str]],
    name: str,
    workshop: Workshop,
    log: Path,
    conditions: Conditions | None = None,
) -> Iterator[Made]:
    """Build a wheel; it is there until the context ends.

    Args:
        job: what to build; its sdist is in the store.
        wheels: file name and digest of each requirement; they are in the store.
        name: 16 hex digits that the build's folder is called by.
        workshop: see there.
        log: gets what the backend says.
        conditions: see there.

    Raises:
        BuildFailedError: there is no wheel in the end.
        SourceError: uv is missing, or the disk cannot take it.
    """
    where = conditions or Conditions()
    with build_folder(where.root / f"envlock-build-{name}", workshop.stop) as folder:
        try:
            source = _source(job, folder, backwards=where.backwards)
        except OddArchiveError as error:
            raise BuildFailedError(f"the sdist cannot be unpacked: {error}") from None
        program = _environment(folder, wheels, workshop)
        out, answer = folder / "out", folder / "answer"
        out.mkdir()
        task = {
            "backend": job.build.backend,
            "backend-path": list(job.build.backend_path),
            "out": str(out),
            "answer": str(answer),
            "umask": where.umask,
            "cpus": where.cpus,
            "user": where.user,
            "parent": os.getpid(),
            "alone": workshop.root is not None,
        }
        variables = _variables(folder, program, where)
        argv = [str(program), "-s", "-B", "-c", _RUNNER, json.dumps(task)]
        if workshop.root is not None:
            argv, variables = _rooted(argv, variables, folder, source, where, *workshop.root)
        log.parent.mkdir(parents=True, exist_ok=True)
        code = run_confined(
            argv,
            cwd=source,
            env=variables,
            log=log,
            seconds=workshop.seconds,
            stop=workshop.stop,
        )
        yield _made(job, code, answer, out, log, workshop)


def _made(
    job: Job, code: int | None, answer: Path, out: Path, log: Path, workshop: Workshop
) -> Made:
    if code != 0 or not answer.is_file():
        ended = (
            f"did not end within {workshop.seconds:g} seconds"
            if code is None
            else f"ended with exit code {code}"
        )
        said = last_lines(log, _SHOWN)
        raise BuildFailedError(f"{job.build.backend} {ended}" + (said and f":\n{said}"))
    told = json.loads(answer.read_text("utf-8"))
    path = out / str(told["wheel"])
    if path.parent != out or path.is_symlink() or not path.is_file():
        raise BuildFailedError(f"{job.build.backend} made no wheel")
    return Made(path=path, alone=bool(told["alone"]))


def _source(job: Job, folder: Path, *, backwards: bool) -> Path:
    place = folder / "source"
    place.mkdir()
    root = unpack(stored(job.sdist.sha256), place) / (job.subdirectory or "")
    if backwards:
        root = _turned(place, root, folder)
    _set_times(place, EPOCH + 3600 if backwards else EPOCH)
    return root


def _turned(place: Path, root: Path, folder: Path) -> Path:
    """The same tree made again, every folder's entries in the opposite order."""
    turned = folder / "turned"
    for parent, folders, files in os.walk(place):
        target = turned / Path(parent).relative_to(place)
        target.mkdir(parents=True, exist_ok=True)
        folders.sort(reverse=True)
        for name in sorted(files, reverse=True):
            shutil.copy2(Path(parent, name), target / name, follow_symlinks=False)
        for name in [name for name in folders if Path(parent, name).is_symlink()]:
            (target / name).symlink_to(Path(parent, name).readlink())
            folders.remove(name)
    inside = root.relative_to(place)
    shutil.rmtree(place)
    turned.rename(place)
    return place / inside


def _set_times(folder: Path, moment: int) -> None:
    """Every file of the same age, since archives and zips note it."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.utime(Path(parent, name), (moment, moment), follow_symlinks=False)


def _environment(folder: Path, wheels: list[tuple[str, str]], workshop: Workshop) -> Path:
    """Make the virtual environment of wheels in the store; its interpreter."""
    try:
        return make_environment(folder, wheels, workshop.python, workshop.root)
    except NotInstalledError as error:
        raise BuildFailedError(str(error)) from None


def _rooted(
    argv: list[str],
    variables: dict[str, str],
    folder: Path,
    source: Path,
    where: Conditions,
    root: BuildRoot,
    python: RootPython,
) -> tuple[list[str], dict[str, str]]:
    """The command in a root, and the variables that it is started with."""
    shown = [*python.shown, Shown(source=folder, target=str(folder), writable=True)]
    inside = dict(variables)
    outside = {name: value for name, value in variables.items() if name != "LD_PRELOAD"}
    if where.clock is not None:
        shown.append(Shown(source=where.clock, target=CLOCK))
        inside["LD_PRELOAD"] = CLOCK
    command = in_root(root.folder, argv, shown=shown, cwd=str(source), env=inside)
    return command, outside


def _variables(folder: Path, program: Path, where: Conditions) -> dict[str, str]:
    """The build's whole environment."""
    variables = {
        "PATH": f"{program.parent}:{PROGRAMS}",
        "LANG": where.locale,
        "LC_ALL": where.locale,
        "TZ": where.zone,
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "PYTHONHASHSEED": where.hash_seed,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "UV_OFFLINE": "1",
    }
    if where.cpus:
        variables["PYTHON_CPU_COUNT"] = str(where.cpus)
    if where.clock is not None:
        # Files keep their own times, and what waits is not told of another speed.
        variables |= {"LD_PRELOAD": str(where.clock), "FAKETIME": _LATER, "NO_FAKE_STAT": "1"}
        variables["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
    for name, variable in (("home", "HOME"), ("tmp", "TMPDIR")):
        (folder / name).mkdir()
        variables[variable] = str(folder / name)
    return variables
