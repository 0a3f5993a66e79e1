"""Where to install: found, judged against the lock, and made when it is missing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import SourceError, UsageError
from envlock.io import process
from envlock.io.interpreters import Interpreter, query
from envlock.io.tools import find_uv
from envlock.lock.model import Lock
from envlock.lock.provider import locked_python
from envlock.lock.selection import select_target
from envlock.lock.target import Target
from envlock.realise.failures import disk_error
from envlock.resolve.python.engines.uv_settings import environment

_RECREATE = "make it anew with --recreate, or remove the folder yourself"

# What uv makes of an environment before the file that says that it is one.
_FIRST = frozenset(("CACHEDIR.TAG", ".gitignore", "bin"))
_FIRST_PROGRAMS = ("python", "activate", "deactivate.bat", "pydoc.bat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An environment to fill: its folder, its interpreter and the locked target that it serves.

    ``interpreter`` is None while the environment is not there (or is to be made anew); ``python``
    is the CPython that it has or gets (``3.13``, or ``3.13.5`` where the lock says so).
    """

    prefix: Path
    interpreter: Interpreter | None
    target: Target
    python: str


def default_prefix(lock_path: Path) -> Path:
    """``.venv`` beside ``pylock.toml``, ``.venv-NAME`` beside ``pylock.NAME.toml``."""
    name = lock_path.name.removeprefix("pylock").removesuffix(".toml").removeprefix(".")
    return lock_path.parent / (f".venv-{name}" if name else ".venv")


def python_of(prefix: Path) -> Path:
    """A virtual environment's interpreter; the one that is there of the two usual places."""
    windows = prefix / "Scripts" / "python.exe"
    return windows if windows.exists() else prefix / "bin" / "python"


def is_venv(prefix: Path) -> bool:
    """Whether the folder is a virtual environment (PEP 405)."""
    return (prefix / "pyvenv.cfg").is_file()


def made_by_uv(prefix: Path) -> bool:
    """Whether uv made the virtual environment: in others it leaves an unlocked pip where it is."""
    try:
        text = (prefix / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(line.partition("=")[0].strip() == "uv" for line in text.splitlines())


def place_at_prefix(
    lock: Lock,
    prefix: Path,
    *,
    platform: str,
    recreate: bool = False,
    python: str | None = None,
) -> Place:
    """The virtual environment at ``prefix``, which may be missing.

    Args:
        lock: the lock to serve.
        prefix: absolute path.
        platform: the machine's (``linux/amd64``).
        recreate: make it anew, whatever Python it has.
        python: the version that it gets when it is made; None: the newest that is locked.

    Raises:
        UsageError: the folder holds something else, its Python does not start, the lock is not
            for that Python, or envlock itself would be removed.
    """
    there = occupied(prefix) and not half_made(prefix)
    if there and not is_venv(prefix):
        raise UsageError(
            "the folder is not empty and is no virtual environment; it was left as it is",
            where=str(prefix),
            remedy="name another folder, or empty this one yourself",
        )
    if not there or recreate:
        return _place(lock, prefix, None, select_target(lock, platform, python))
    try:
        interpreter = query(python_of(prefix))
    except UsageError as error:
        raise UsageError(
            f"the environment's Python does not work: {error.what}",
            where=str(prefix),
            remedy=_RECREATE,
        ) from None
    target = _target(lock, interpreter, platform, remedy=_RECREATE)
    return _place(lock, prefix, interpreter, target)


def place_of_python(lock: Lock, python: str, *, platform: str) -> Place:
    """The environment that an interpreter (a path, or a name on ``PATH``) belongs to.

    Raises:
        UsageError: no such interpreter, the lock is not for it, or envlock would be removed.
    """
    interpreter = query(program(python))
    remedy = "give --python an interpreter that the lock is for"
    target = _target(lock, interpreter, platform, remedy=remedy)
    return _place(lock, interpreter.prefix, interpreter, target)


def _place(lock: Lock, prefix: Path, interpreter: Interpreter | None, target: Target) -> Place:
    _spare_envlock(lock, prefix, anew=interpreter is None)
    python = locked_python(lock, target)
    return Place(prefix=prefix, interpreter=interpreter, target=target, python=python)


def _spare_envlock(lock: Lock, prefix: Path, *, anew: bool) -> None:
    """Leave alone the environment that envlock runs from, unless the lock has envlock, too.

    Raises:
        UsageError: it would be removed under its own feet.
    """
    if prefix.resolve() != Path(sys.prefix).resolve():
        return
    if anew:
        what = "would be removed while it works"
        remedy = "remove the folder yourself"
    elif any(package.name == "envlock" for package in lock.packages):
        return
    else:
        what, remedy = (
            "would be removed: the lock does not have it",
            "add envlock to what is locked",
        )
    raise UsageError(
        f"envlock runs from this environment and {what}",
        where=str(prefix),
        remedy=f"install envlock elsewhere (`uv tool install envlock`), or {remedy}",
    )


def program(python: str) -> Path:
    """The absolute path of an interpreter that is named by its path, or by its name on ``PATH``.

    Raises:
        UsageError: there is none.
    """
    found = shutil.which(python)
    if found is None or Path(python).is_dir():
        raise UsageError(
            f"no such interpreter: {python}",
            remedy="give --python the path of an interpreter, or --prefix the folder of a"
            " virtual environment",
        )
    return Path(found).absolute()


def half_made(prefix: Path) -> bool:
    """Whether there is what uv had made of an environment when it was killed, and nothing else."""
    try:
        entries = {path.name for path in prefix.iterdir()}
        programs = [path.name for path in (prefix / "bin").iterdir()] if "bin" in entries else []
    except OSError:
        return False
    return (
        bool(entries)
        and entries <= _FIRST
        and all(name.startswith(_FIRST_PROGRAMS) for name in programs)
    )


def occupied(prefix: Path) -> bool:
    """Whether there is anything in the folder.

    Raises:
        UsageError: it is no folder, or cannot be read.
    """
    try:
        return any(prefix.iterdir())
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(
            f"cannot be used as an environment: {error.strerror}", where=str(prefix)
        ) from None


def _target(lock: Lock, interpreter: Interpreter, platform: str, *, remedy: str) -> Target:
    if interpreter.implementation != "cpython":
        raise UsageError(
            f"the lock is for CPython; this is {interpreter.implementation} {interpreter.version}",
            where=str(interpreter.executable),
            remedy=remedy,
        )
    try:
        return select_target(lock, interpreter.platform or platform, interpreter.version)
    except UsageError as error:
        raise UsageError(
            error.what,
            where=str(interpreter.prefix),
            remedy="\n".join([remedy, *([error.remedy] if error.remedy else [])]),
        ) from None


def create(place: Place, base: Path | None = None) -> Path:
    """Make the virtual environment, in place of the one that is there; downloads no Python.

    ``base`` is the interpreter to make it from; None: one of the machine's that fits.

    Returns:
        The environment's interpreter, which nobody has asked yet what it is.

    Raises:
        SourceError: the target's Python is not installed, or the folder cannot be written.
    """
    python = place.python
    argv = [
        str(find_uv()),
        "venv",
        "--no-config",
        "--no-project",
        "--no-python-downloads",
        "--color=never",
        "--quiet",
        "--python",
        f"cpython@{python}" if base is None else str(base),
        *(["--clear"] if is_venv(place.prefix) else []),
        str(place.prefix),
    ]
    with suppress(OSError):  # uv says why, if it matters
        if half_made(place.prefix):
            shutil.rmtree(place.prefix)
        place.prefix.parent.mkdir(parents=True, exist_ok=True)
    completed = process.run(argv, env=environment(), remedy="pip install uv")
    if completed.code != 0:
        text = "\n".join(_said(completed.stderr))
        if "No interpreter found" in text or "No download found" in text:
            raise SourceError(
                f"CPython {python} is not installed, and the lock is for it",
                remedy=f"install it (for example: uv python install {python}), or lock for another:"
                ' python = "…" in [tool.envlock]',
            )
        raise disk_error(text, place.prefix) or SourceError(
            f"uv cannot make the environment:\n{text}", where=str(place.prefix)
        )
    return python_of(place.prefix)


def _said(stderr: str) -> Iterator[str]:
    """uv's error, without its warnings about programs called python that do not work."""
    keep = False
    for line in stderr.splitlines():
        if line.startswith("error: "):
            keep = True
        elif line.startswith("warning: "):
            keep = False
        if keep:
            yield line.removeprefix("error: ")
