"""Python interpreters: what one is, asked of itself, and which ones this machine has."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envlock.errors import EnvlockError, SourceError, UsageError
from envlock.io import process
from envlock.io.environment import pyenv_folders as pyenv_folders
from envlock.io.machine import platform_name
from envlock.io.tools import find_uv

# Any Python 3 runs it. Interpreters of one prefix may print at start-up (a .pth file can), so the
# answer is the last line alone.
_QUESTION = """
import json, platform, sys, sysconfig
paths = sysconfig.get_paths()
level, serial = sys.version_info[3:]
stage = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(level, "")
stage += str(serial) if stage else ""
print("\\n" + json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3] + stage,
    "implementation": sys.implementation.name,
    "system": sys.platform,
    "machine": platform.machine(),
    "triplet": str(sysconfig.get_config_var("HOST_GNU_TYPE") or ""),
    "prefix": sys.prefix,
    "base": sys.base_prefix,
    "purelib": paths["purelib"],
    "platlib": paths["platlib"],
}))
"""

_PATCHES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """An interpreter and the environment it belongs to.

    ``version`` is ``3.11.7`` (``3.15.0a1`` before a release); ``implementation`` is
    ``sys.implementation.name`` (``cpython``); ``platform`` a target's platform
    (``linux/amd64``), None where no target is called so. ``purelib`` and
    ``platlib`` are the folders that packages are installed to.
    """

    executable: Path
    version: str
    implementation: str
    platform: str | None
    prefix: Path
    base_prefix: Path
    purelib: Path
    platlib: Path

    @property
    def series(self) -> str:
        """``3.11`` of ``3.11.7``."""
        return ".".join(self.version.split(".")[:2])

    @property
    def isolated(self) -> bool:
        """Whether it is a virtual environment's."""
        return self.prefix != self.base_prefix


def query(python: Path) -> Interpreter:
    """Ask an interpreter what it is: it runs isolated (``-I``) and writes no bytecode.

    Raises:
        UsageError: it does not start, or is no Python 3.
    """
    try:
        completed = process.run([str(python), "-I", "-B", "-c", _QUESTION])
    except SourceError as error:
        raise UsageError(f"no Python that starts: {error.what}", where=str(python)) from None
    try:
        if completed.code != 0:
            raise ValueError(f"exit code {completed.code}")
        answer = json.loads(completed.stdout.splitlines()[-1])
        return _interpreter(python, answer)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        said = completed.stderr.strip().splitlines()
        detail = said[-1] if said else str(error)
        raise UsageError(f"not a working Python 3: {detail}", where=str(python)) from None


def _interpreter(python: Path, answer: dict[str, str]) -> Interpreter:
    try:
        platform = platform_name(answer["system"], answer["machine"], answer["triplet"])
    except EnvlockError:
        platform = None
    return Interpreter(
        executable=python,
        version=answer["version"],
        implementation=answer["implementation"],
        platform=platform,
        prefix=Path(answer["prefix"]),
        base_prefix=Path(answer["base"]),
        purelib=Path(answer["purelib"]),
        platlib=Path(answer["platlib"]),
    )


def installed(path: str | None = None) -> tuple[Version, ...]:
    """Every release of CPython that uv finds on this machine, newest first, each once.

    Pre-releases, debug and free-threaded builds are left out. ``path`` stands for ``PATH``.

    Raises:
        SourceError: uv is missing or fails.
    """
    environment = process.clean_environment("UV_PYTHON_", "VIRTUAL_ENV", "CONDA_PREFIX")
    if "UV_PYTHON_INSTALL_DIR" in os.environ:
        environment["UV_PYTHON_INSTALL_DIR"] = os.environ["UV_PYTHON_INSTALL_DIR"]
    if path is not None:
        environment["PATH"] = path
    completed = process.run(
        [
            str(find_uv()),
            "python",
            "list",
            "--only-installed",
            "--no-python-downloads",
            "--no-config",
            "--output-format",
            "json",
        ],
        env=environment,
        remedy="pip install uv",
    )
    if completed.code != 0:
        raise SourceError(
            f"uv cannot list the installed Pythons:\n{completed.stderr.strip()}",
            where="uv python list",
        )
    try:
        versions = {
            Version(entry["version"])
            for entry in json.loads(completed.stdout)
            if entry["implementation"] == "cpython" and entry.get("variant") == "default"
        }
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"the list of installed Pythons cannot be read: {error}", where="uv python list"
        ) from None
    return tuple(sorted((v for v in versions if not v.is_prerelease), reverse=True))


def newest_installed(requires_python: str | None) -> str | None:
    """The series (``3.11``) of the newest installed CPython 3 within ``requires_python``.

    pyenv puts a program (a shim) on ``PATH`` for every version it has, and those of versions that
    are not active fail, slowly. So shims are asked one by one, the newest first, and only as long
    as they promise something newer than what is there without them.

    Returns:
        The series; None when there is none.

    Raises:
        SourceError: uv is missing or fails.
    """
    allowed = SpecifierSet(requires_python or "")
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    shims = [folder for folder in folders if Path(folder).name == "shims"]
    others = os.pathsep.join(folder for folder in folders if folder not in shims)
    fitting = (v for v in installed(others) if v.major == 3 and allowed.contains(v))
    best = next(fitting, None)
    for minor, shim in sorted(_shims(shims), reverse=True):
        if best is not None and minor <= best.minor:
            break
        if not any(allowed.contains(f"3.{minor}.{patch}") for patch in range(_PATCHES)):
            continue
        version = _works(shim)
        if version is not None and allowed.contains(version):
            best = version
            break
    return None if best is None else f"{best.major}.{best.minor}"


def _shims(folders: list[str]) -> Iterator[tuple[int, Path]]:
    """``python3.11`` and its like, with their minor numbers."""
    for folder in folders:
        for path in Path(folder).glob("python3.*"):
            match = re.fullmatch(r"python3\.(\d+)", path.name)
            if match:
                yield int(match[1]), path


def _works(python: Path) -> Version | None:
    try:
        found = query(python)
    except UsageError:
        return None
    version = Version(found.version)
    return version if found.implementation == "cpython" and not version.is_prerelease else None
