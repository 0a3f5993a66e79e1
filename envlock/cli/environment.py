"""A run's environment against its lock: what ``envlock check`` says of it, as plain JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envlock.check.compare import compare
from envlock.check.drift import Code, Drift, drift
from envlock.check.os.compare import compare_os
from envlock.check.os.observe import distribution, observe_os
from envlock.check.python.observe import observe_interpreter
from envlock.cli.common import read_lock_file
from envlock.errors import UsageError
from envlock.io.interpreters import Interpreter, query
from envlock.io.machine import machine_platform
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.selection import select_target
from envlock.lock.target import Target
from envlock.realise.place import python_of


def valid_lock(path: str) -> str:
    """The environment hash of a lockfile, examined as a whole.

    Raises:
        EnvlockError: it is not a lock, or was edited.
    """
    return environment_hash(read_lock_file(Path(path))).root


def drift_of(path: str, prefix: str | None) -> list[dict[str, Any]]:
    """Where a virtual environment, and dpkg if it is the lock's base, differ from a lock."""
    lock = read_lock_file(Path(path))
    return [
        {
            "code": one.code.value,
            "layer": one.layer.value,
            "subject": one.subject,
            "expected": one.expected,
            "found": one.found,
        }
        for one in (*_python(lock, Path(path).parent, prefix), *_os(lock))
    ]


def _python(lock: Lock, root: Path, prefix: str | None) -> tuple[Drift, ...]:
    missing = drift(Code.NO_ENVIRONMENT, prefix or ".venv")
    if prefix is None:
        return (missing,)
    try:
        interpreter = query(python_of(Path(prefix)))
    except UsageError:
        return (missing,)
    target = nearest_target(lock, interpreter)
    return compare(lock, target, observe_interpreter(interpreter), root=root)


def _os(lock: Lock) -> tuple[Drift, ...]:
    here = Path("/")
    if lock.os is None or distribution(here) != lock.os.base:
        return ()
    architecture = machine_platform().partition("/")[2]
    if architecture not in {package.architecture for package in lock.os.packages}:
        return ()
    return compare_os(lock.os, architecture, observe_os(here))


def nearest_target(lock: Lock, interpreter: Interpreter | None) -> Target:
    """The target that the environment should serve; where none fits, the nearest one.

    That none fits is then a difference (another interpreter), not an error.
    """
    platform = interpreter.platform if interpreter and interpreter.platform else machine_platform()
    try:
        return select_target(lock, platform, interpreter.version if interpreter else None)
    except UsageError:
        return select_target(lock, platform)
