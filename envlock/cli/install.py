"""Install a lock into an environment, and look whether it is what the lock says."""

from __future__ import annotations

import sys
from pathlib import Path

from envlock.check.compare import compare
from envlock.check.observe import Observed, observe_interpreter
from envlock.cli.context import Context
from envlock.cli.output import notes
from envlock.errors import SourceError
from envlock.io.progress import SilentReporter
from envlock.lock.model import Lock
from envlock.lock.selection import wanted_packages
from envlock.realise.notes import stamps, strangers, write_notes
from envlock.realise.place import Place
from envlock.realise.venv import sync
from envlock.resolve.python.config import discover_sources


def install(
    context: Context, lock_path: Path, lock: Lock, place: Place, before: Observed | None
) -> Observed:
    """Sync, note where each file came from, and look whether all is what the lock says.

    Args:
        context: for what is said meanwhile.
        lock_path: the lockfile, in the project's folder.
        lock: what it holds.
        place: where to install.
        before: what is there; None: nothing.

    Raises:
        EnvlockError: as ``realise.venv.sync``; SourceError also when the outcome is not the lock's.
    """
    root = lock_path.parent
    infos = _infos(before)
    there = stamps(infos)
    with notes(context) as reporter:
        # Only credentials and build requirements come from there: what is set aside is no news.
        sources = discover_sources(lock.request, root, dated=False, reporter=SilentReporter())
        interpreter = sync(
            lock,
            lock_path,
            place,
            sources=sources,
            reporter=reporter,
            on_terminal=sys.stderr.isatty() and not context.quiet,
            anew=strangers(infos, lock.packages),
        )
    after = observe_interpreter(interpreter)
    packages = wanted_packages(lock, place.target, after.version)
    write_notes(lock, place.target, packages, _infos(after), there)
    left = compare(lock, place.target, after, root=root)
    if left:
        told = "\n".join(
            f"{d.name} {d.subject}: expected {d.expected}, found {d.found}" for d in left
        )
        raise SourceError(
            f"uv reported success, but the environment is not what the lock says:\n{told}",
            where=str(place.prefix),
            remedy="run `envlock sync --recreate`",
        )
    return after


def _infos(observed: Observed | None) -> dict[Path, str]:
    return {d.path: d.name for d in observed.distributions} if observed is not None else {}
