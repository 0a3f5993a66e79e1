"""Asks a build backend what it needs: PEP 517's hook ``get_requires_for_build_wheel``.

The hook runs in a virtual environment that holds the static requirements and nothing else, with
an empty ``PATH`` (backends ask for less where they find cmake, ninja or cargo), without this
user's variables and home, without the network where the system lets us take it away, and for a
limited time.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import tomli_w

from envlock.errors import SourceError, UsageError
from envlock.io import process
from envlock.io.confined import WITHOUT_NETWORK, last_lines, run_confined, seconds_allowed
from envlock.io.found import known_python, remember_python
from envlock.io.interpreters import Interpreter, query
from envlock.io.tools import find_uv
from envlock.lock import codec
from envlock.lock.model import Lock
from envlock.resolve.python.builds.sdist import BuildSystemError, SourceFacts, requirement_text
from envlock.resolve.python.engines import uv_runs, uv_settings
from envlock.resolve.python.sources import Sources

HOOK_SECONDS = 300.0
NOWHERE = Sources(indexes=())
"""Where all files are at hand."""

_SHOWN = 12

# Any Python 3.6 or later runs it. The answer goes to a file: hooks print.
_RUNNER = (
    r"""
import importlib, json, os, sys
job = json.loads(sys.argv[1])
"""
    + WITHOUT_NETWORK
    + r"""
without_network()
os.umask(0o022)
sys.argv = ["setup.py"]
sys.path[:] = [folder for folder in sys.path if folder]
sys.path[:0] = [os.path.join(os.getcwd(), folder) for folder in job["backend-path"]]
module, _, attributes = job["backend"].partition(":")
backend = importlib.import_module(module)
for name in attributes.split(".") if attributes else []:
    backend = getattr(backend, name)
hook = getattr(backend, job["hook"], None)
answer = None if hook is None else hook(*job["arguments"])
if answer is not None and not isinstance(answer, str):
    answer = [str(item) for item in answer]
with open(job["answer"], "w") as file:
    json.dump(answer, file)
"""
)


class Backend(Protocol):
    """A build backend as ``[build-system]`` names it."""

    @property
    def backend(self) -> str:
        """``module:object``."""

    @property
    def backend_path(self) -> tuple[str, ...]:
        """Folders in the source tree that it is found in."""


class HookFailedError(Exception):
    """A backend that gives no answer; the text ends with what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every hook of one lock has in common.

    ``sources`` are the indexes, for credentials; ``seconds`` the time that a hook may take;
    ``stop`` ends those that run when it is set.
    """

    sources: Sources
    seconds: float
    stop: threading.Event


def hook_seconds() -> float:
    """``ENVLOCK_HOOK_TIMEOUT``, else ``HOOK_SECONDS``.

    Raises:
        UsageError: it is not a number of seconds.
    """
    return seconds_allowed("ENVLOCK_HOOK_TIMEOUT", HOOK_SECONDS)


def find_python(series: str) -> Interpreter:
    """This machine's CPython of a series (``3.11``).

    Raises:
        SourceError: it has none.
    """
    uv, variables, since = find_uv(), uv_settings.environment(), time.time_ns()
    known = known_python(series, uv, variables)
    if known is not None:
        with suppress(UsageError):
            python = query(known)
            if python.implementation == "cpython" and _is_of(series, python.version):
                return python
    argv = [str(uv), "python", "find", "--no-config", "--no-project", "--system"]
    argv += ["--no-python-downloads", "--color=never", f"cpython@{series}"]
    completed = process.run(argv, env=variables, remedy="pip install uv")
    if completed.code != 0:
        raise SourceError(
            f"CPython {series} is not installed: build backends are asked with the Python that"
            " the lock is for",
            remedy=f"install it (for example: uv python install {series}), or lock for another:"
            ' python = "…" in [tool.envlock]',
        )
    found = Path(completed.stdout.strip())
    remember_python(series, uv, variables, found, since)
    return query(found)


def _is_of(series: str, version: str) -> bool:
    return version == series or version.startswith(f"{series}.")


def ask_backend(
    facts: SourceFacts,
    tree: Path,
    environment: Lock,
    python: Interpreter,
    surroundings: Surroundings,
) -> tuple[str, ...] | None:
    """The hook's answer: normalized requirements, sorted; None where the backend has no hook.

    Args:
        facts: of the sdist.
        tree: its unpacked source, which the hook may write to.
        environment: a lock that holds what to install for the hook.
        python: the interpreter that it runs in.
        surroundings: see there.

    Raises:
        HookFailedError: the environment cannot be made, or the backend fails or takes too long.
        SourceError: uv is missing.
    """
    with tempfile.TemporaryDirectory(prefix="envlock-hook-") as name:
        folder = Path(name)
        program = make_environment(folder, environment, python, surroundings.sources)
        answer = run_hook(
            facts, folder, tree, program, "get_requires_for_build_wheel", (None,), surroundings
        )
    if answer is None:
        return None
    try:
        return tuple(sorted({requirement_text(text) for text in answer}))
    except BuildSystemError as error:
        raise HookFailedError(
            f"its build backend asks for what cannot be locked: {error}"
        ) from None


def run_hook(
    backend: Backend,
    folder: Path,
    tree: Path,
    program: Path,
    hook: str,
    arguments: Sequence[object],
    surroundings: Surroundings,
) -> Any:
    """What a backend's hook returns: a text, or a list of texts; None where it has no such hook.

    Args:
        backend: which one.
        folder: for its home and the like; empty of these.
        tree: the unpacked source, which the hook may write to.
        program: the interpreter to run it in.
        hook: PEP 517's name of it.
        arguments: what JSON can say.
        surroundings: see there.

    Raises:
        HookFailedError: the backend fails or takes too long.
    """
    answer, log = folder / "answer", folder / "log"
    job = {
        "backend": backend.backend,
        "backend-path": list(backend.backend_path),
        "hook": hook,
        "arguments": list(arguments),
        "answer": str(answer),
    }
    code = run_confined(
        # Not -I: it would forget PYTHONHASHSEED.
        [str(program), "-s", "-B", "-c", _RUNNER, json.dumps(job)],
        cwd=tree,
        env=_variables(folder),
        log=log,
        seconds=surroundings.seconds,
        stop=surroundings.stop,
    )
    if code == 0 and answer.is_file():
        return json.loads(answer.read_text("utf-8"))
    said = last_lines(log, _SHOWN)
    ended = (
        f"did not answer within {surroundings.seconds:g} seconds"
        if code is None
        else f"ended with exit code {code}"
    )
    raise HookFailedError(f"its build backend {backend.backend} {ended}" + (said and f":\n{said}"))


def make_environment(folder: Path, lock: Lock, python: Interpreter, sources: Sources) -> Path:
    """Make a virtual environment in ``folder`` that holds a lock's packages; its interpreter.

    Paths of files in the lock count from ``folder``.

    Raises:
        HookFailedError: the packages cannot be installed.
    """
    prefix = folder / "environment"
    _uv(["venv", "--no-config", "--no-project", "--python", str(python.executable), str(prefix)])
    program = prefix / "bin" / "python"
    if not lock.packages:
        return program
    (folder / "pylock.toml").write_text(codec.dump(lock), encoding="utf-8")
    settings = uv_settings.configuration(sources, lock.as_of, uv_settings.FILES_FOREVER)
    (folder / "uv.toml").write_text(tomli_w.dumps(settings), encoding="utf-8")
    argv = ["pip", "sync", "pylock.toml", "--config-file", "uv.toml", "--python", str(program)]
    try:
        _uv([*argv, "--preview-features", "pylock"], cwd=folder, sources=sources)
    except process.TimeLimitError:
        built = [f"{p.name} {p.version or ''}".strip() for p in lock.packages if not p.wheels]
        raise HookFailedError(
            f"its static build requirements were not installed within {uv_runs.seconds():g} seconds"
            + (f"; without wheels are, and so were built: {', '.join(built)}" if built else "")
        ) from None
    return program


def _uv(arguments: list[str], cwd: Path | None = None, sources: Sources | None = None) -> None:
    completed = process.run(
        [str(find_uv()), *arguments, "--no-python-downloads", "--color=never", "--quiet"],
        cwd=cwd,
        env=uv_settings.environment(sources),
        remedy="pip install uv",
        seconds=uv_runs.seconds(),
    )
    if completed.code != 0:
        said = "\n".join(completed.stderr.strip().splitlines()[-_SHOWN:])
        raise HookFailedError(f"its static build requirements cannot be installed:\n{said}")


def _variables(folder: Path) -> dict[str, str]:
    """The hook's whole environment: nothing of this machine's but where its own folders are."""
    variables = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "SOURCE_DATE_EPOCH": "315532800"}
    variables["PYTHONHASHSEED"] = "0"
    for name, variable in (("empty", "PATH"), ("home", "HOME"), ("tmp", "TMPDIR")):
        (folder / name).mkdir()
        variables[variable] = str(folder / name)
    # Where the network cannot be taken away, what would use it unasked is told not to.
    variables |= {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "UV_OFFLINE": "1"}
    return variables
