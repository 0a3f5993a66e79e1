"""Python interpreters: what one is, asked of itself, and which ones this machine has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from envlock.errors import EnvlockError, SourceError, UsageError
from envlock.io import process
from envlock.io.machine import platform_name
from envlock.io.tools import find_uv

# Any Python 3 runs it. Interpreters of one prefix may print at start-up (a .pth file can), so the
# answer is the last line alone.
_QUESTION = """
import json, platform, sys, sysconfig
paths = sysconfig.get_paths()
print("\\n" + json.dumps({
    "version": ".".join(str(part) for part in sys.version_info[:3]),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """An interpreter and the environment it belongs to.

    ``version`` is ``3.11.7``; ``implementation`` is ``sys.implementation.name`` (``cpython``);
    ``platform`` a target's platform (``linux/amd64``), None where no target is called so.
    ``purelib`` and ``platlib`` are the folders that packages are installed to.
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


def installed() -> tuple[Version, ...]:
    """Every release of CPython that uv finds on this machine, newest first, each once.

    Pre-releases, debug and free-threaded builds are left out. Programs called ``python3.x`` that do
    not work (pyenv's shims of versions that are not active) are not there for uv either.

    Raises:
        SourceError: uv is missing or fails.
    """
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
        env=process.clean_environment("UV_PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX"),
        remedy="pip install uv",
    )
    if completed.code != 0:
        raise SourceError(
            f"uv cannot list the installed Pythons:\n{completed.stderr.strip()}",
            where="uv python list",
        )
    try:
        entries = json.loads(completed.stdout)
        versions = {
            Version(entry["version"])
            for entry in entries
            if entry["implementation"] == "cpython" and entry.get("variant") == "default"
        }
    except (ValueError, KeyError, TypeError, InvalidVersion) as error:
        raise SourceError(
            f"the list of installed Pythons cannot be read: {error}", where="uv python list"
        ) from None
    return tuple(sorted((v for v in versions if not v.is_prerelease), reverse=True))


def newest_installed(requires_python: str | None) -> str | None:
    """The series (``3.11``) of the newest installed CPython 3 within ``requires_python``.

    None when there is none.

    Raises:
        SourceError: uv is missing or fails.
    """
    allowed = SpecifierSet(requires_python or "")
    for version in installed():
        if version.major == 3 and allowed.contains(version):
            return f"{version.major}.{version.minor}"
    return None
