"""``envlock check``: a lock that was edited is a difference, for the other commands an error."""

from __future__ import annotations

from dataclasses import dataclass

from envlock.check.drift import Drift
from envlock.cli.common import read_lock
from envlock.errors import EnvlockError, UsageError
from envlock.io.files import read_text
from envlock.lock.model import Lock
from envlock.lock.tables.reader import EditedLockError
from envlock.project.locate import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What was edited, and the error that it is where nobody compares."""

    drift: tuple[Drift, ...]
    error: EnvlockError


def read_or_edited(project: Project) -> tuple[Lock, Edited | None]:
    """The project's lock, and what was edited in it by hand.

    Raises:
        UsageError: there is none, or it is not a lock.
    """
    try:
        return read_lock(project), None
    except EditedLockError as error:
        from envlock.check.lock_edited import lock_drift

        found = lock_drift(error, project.lock_path.name)
        return error.lock, Edited(drift=found, error=error)
    except UsageError as error:
        # The standard wants versions to be those of the files' names: that is looked at first.
        lock = _as_written(project)
        if lock is not None:
            from envlock.check.lock_edited import bumped

            found = bumped(lock)
            if found:
                return lock, Edited(drift=found, error=error)
        raise


def _as_written(project: Project) -> Lock | None:
    """The lock without any judgement of it; None where it cannot even be read."""
    from envlock.lock import codec

    try:
        text = read_text(project.lock_path)
        return codec.load(text, where=str(project.lock_path), known_valid=True)
    except (EnvlockError, AttributeError, KeyError, TypeError, ValueError):
        return None
