"""The environment of a recorded run: made of its lock, or where there was none, found in place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envlock.check.compare_environment import compare_environment
from envlock.check.environment import look
from envlock.cli.common import project_guard, read_lock_file
from envlock.cli.context import Context
from envlock.cli.install import install
from envlock.errors import SourceError, UsageError, VerificationError
from envlock.io.files import make_folder, write_atomic
from envlock.io.interpreters import query
from envlock.io.machine import machine_platform
from envlock.io.paths import cache_dir
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.realise.place import Place, is_venv, place_at_prefix, python_of
from envlock.runs.environment import Realised
from envlock.runs.repeat_code import Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """``prefix``: None where the command needs no environment, or it is not made yet.

    ``told`` says what it is.
    """

    prefix: Path | None
    told: str
    missing: tuple[Missing, ...] = ()


def in_place(record: dict[str, Any]) -> Ready:
    """The environment of a run without a lock: the very one, if it still holds the same."""
    environment = record.get("environment") or {}
    python = environment.get("python") or {}
    prefix = python.get("prefix")
    if prefix is None:
        return Ready(prefix=None, told="no lock and no environment: this machine as it is")
    if not is_venv(Path(prefix)):
        there = "nothing there any more"
    else:
        realised = Realised(["python"], {"VIRTUAL_ENV": prefix, "PATH": ""}, "/")
        facts = realised.facts(lambda content: hashlib.sha256(content).hexdigest())
        if facts["python"].get("packages-sha256") == python.get("packages-sha256"):
            told = f"no lock; {prefix} holds the same packages as then"
            return Ready(prefix=Path(prefix), told=told)
        there = "it holds other packages now"
    reason = f"{prefix}: {there}"
    return Ready(
        prefix=None,
        told="gone",
        missing=(Missing(what="the environment; the run had no lock", tried=(reason,)),),
    )


def of_lock(
    context: Context,
    record: dict[str, Any],
    text: bytes,
    lock_path: Path,
    aside: Path,
    *,
    dry: bool,
) -> Ready:
    """The environment that a lock describes, in the cache, by its hash; made where it is not.

    Args:
        context: for what is said meanwhile.
        record: of the run.
        text: the lockfile's content.
        lock_path: where it goes in the new folder; paths in it count from there.
        aside: a folder for an environment that belongs to this repeat alone.
        dry: only say what would be done.

    Raises:
        EnvlockError: it cannot be made; VerificationError where it is not the one of the record.
    """
    make_folder(lock_path.parent)
    write_atomic(lock_path, text)
    lock = read_lock_file(lock_path)
    name = environment_hash(lock)
    if name.root != record.get("environment-hash"):
        raise VerificationError(
            f"the lock of the run gives {name.short}, its record says"
            f" {record.get('environment-hash')}",
            where=record["id"],
        )
    wanted = ((record.get("environment") or {}).get("python") or {}).get("version")
    local = any(package.directory is not None for package in lock.packages)
    prefix = aside if local else cache_dir() / "environments" / f"{name.root}-{wanted or 'any'}"
    try:
        place = _place(lock, prefix, wanted)
    except UsageError as error:
        missing = Missing(what=f"an environment {name.short} for here", tried=(error.what,))
        return Ready(prefix=None, told="not for this machine", missing=(missing,))
    if dry:
        there = "in the cache" if place.interpreter is not None else "to be made"
        return Ready(prefix=None, told=f"{name.short}, {there}")
    make_folder(prefix.parent)
    with project_guard(context, prefix.parent):
        place = _place(lock, prefix, wanted)
        if place.interpreter is not None and _equal(lock, place, lock_path.parent):
            return Ready(prefix=prefix, told=f"{name.short}, from the cache")
        _make(context, lock, lock_path, _place(lock, prefix, wanted, anew=True), wanted)
    return Ready(prefix=prefix, told=f"{name.short}, made of the lock")


def _place(lock: Lock, prefix: Path, wanted: str | None, *, anew: bool = False) -> Place:
    platform = machine_platform()
    try:
        return place_at_prefix(lock, prefix, platform=platform, recreate=anew, python=wanted)
    except UsageError:
        # Another patch release than that of the run, or an environment that is damaged.
        return place_at_prefix(lock, prefix, platform=platform, recreate=True)


def _equal(lock: Lock, place: Place, root: Path) -> bool:
    """Whether it is what the lock says, every file of it."""
    interpreter = query(python_of(place.prefix))
    environment = look(interpreter, virtual=True)
    return not compare_environment(lock, place.target, environment, root=root)


def _make(context: Context, lock: Lock, lock_path: Path, place: Place, wanted: str | None) -> None:
    """With the very Python of the run where it is installed, else with one that the lock is for."""
    target = place.target
    choices = [wanted or place.python, place.python]
    for python in dict.fromkeys(choices):
        chosen = Place(prefix=place.prefix, interpreter=None, target=target, python=python)
        try:
            install(context, lock_path, lock, chosen, None)
            return
        except SourceError as error:
            if "is not installed" not in error.what or python == choices[-1]:
                raise
