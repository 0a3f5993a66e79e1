"""The environment hash of a lock, from a Python that may have nothing but this package."""

from __future__ import annotations

import os

from envlock.errors import UsageError
from envlock.runs.environment import LockFacts
from envlock.runs.place import find_place

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from typing import Any

_UNKNOWN = "the lock has not been examined"
_REMEDY = "run it with `envlock run`, or have an `envlock` program on PATH"


def locked_hash() -> str:
    """That of the lock of the current folder; see ``envlock.client.hash``."""
    place = find_place(os.getcwd(), None)
    facts = LockFacts(place.lock, valid=examined)
    if facts.environment_hash is None:
        unknown = facts.problem == _UNKNOWN
        raise UsageError(
            facts.problem or _UNKNOWN,
            where=place.lock,
            remedy=_REMEDY if unknown else "envlock lock",
        )
    return facts.environment_hash


def examined(path: str) -> str:
    """The hash of a lock, by this package with its dependencies, else by the program.

    Raises:
        EnvlockError: it is not a lock; or nobody is here to examine it.
    """
    try:
        from envlock.cli.environment import valid_lock
    except ImportError:
        return _asked(path)
    return valid_lock(path)


def drifted(path: str, prefix: str | None) -> list[dict[str, Any]]:
    """Where the environment differs from the lock.

    Raises:
        UsageError: envlock's dependencies are not here to compare them.
    """
    try:
        from envlock.cli.environment import drift_of
    except ImportError:
        raise UsageError("drift is not looked at without envlock's dependencies") from None
    return drift_of(path, prefix)


def _asked(path: str) -> str:
    import shutil
    from pathlib import Path

    from envlock.errors import EnvlockError
    from envlock.io.process import run

    program = shutil.which("envlock")
    unknown = UsageError(_UNKNOWN, where=path, remedy=_REMEDY)
    if program is None:
        raise unknown
    folder, base = os.path.split(path)
    name = base.removeprefix("pylock").removesuffix(".toml").removeprefix(".")
    try:
        done = run([program, "hash", *(["--name", name] if name else [])], cwd=Path(folder))
    except EnvlockError:
        raise unknown from None
    said = done.stdout.strip()
    if done.code != 0 or not said.startswith("env1-"):
        raise unknown
    return said
