"""Install a lock into an environment, and look whether it is what the lock says."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from envlock.check.changes import EDITED, damaged
from envlock.check.compare import compare
from envlock.check.drift import Drift, Layer
from envlock.check.policy import judge
from envlock.check.python.compare import compare_environment
from envlock.check.python.environment import Environment, look, remembered
from envlock.check.python.observe import Observed, observe_interpreter
from envlock.cli.context import Context
from envlock.cli.output import notes
from envlock.errors import SourceError
from envlock.io.interpreters import Interpreter
from envlock.io.progress import SilentReporter
from envlock.lock.model import Lock
from envlock.lock.selection import wanted_packages
from envlock.project.load import load_check_settings
from envlock.project.locate import Project
from envlock.realise.notes import stamps, strangers, write_notes
from envlock.realise.place import Place
from envlock.realise.venv import sync
from envlock.resolve.python.config.find import discover_sources

ELSEWHERE = "from elsewhere"
"""Why a package is installed again that came from another file than a locked one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What came of it: the packages, those that were ``anew`` installed in the version that was
    there (with the reason), and the differences that ``left`` in an environment that was there."""

    observed: Observed
    anew: Mapping[str, str]
    left: tuple[Drift, ...] = ()


def environment_at(place: Place) -> Environment | None:
    """What is at ``place``, files included; None where nothing is, or all is to be made anew."""
    return None if place.interpreter is None else _look(place.interpreter)


def install_anew(lock: Lock, place: Place, before: Environment | None) -> Mapping[str, str]:
    """Packages that are there in the locked version and are to be installed again, and why."""
    if before is None:
        return {}
    names = {
        package.name for package in wanted_packages(lock, place.target, before.observed.version)
    }
    edited = damaged(before.content.findings) & names
    others = strangers(_infos(before.observed), lock.packages)
    return {**dict.fromkeys(edited, EDITED), **dict.fromkeys(others, ELSEWHERE)}


def install(
    context: Context, project: Project, lock: Lock, place: Place, before: Environment | None
) -> Installed:
    """Sync, note where each file came from, and look whether all is what the lock says.

    Args:
        context: for what is said meanwhile.
        project: whose lock it is.
        lock: what it holds.
        place: where to install.
        before: what is there (``environment_at``).

    Raises:
        EnvlockError: as ``realise.venv.sync``; SourceError also when the outcome is not the lock's.
    """
    anew = install_anew(lock, place, before)
    if before is not None and not anew and _is_it(project, lock, place, before.observed):
        left = _left(project, lock, place, before)
        return Installed(observed=before.observed, anew=anew, left=left)
    infos = _infos(None if before is None else before.observed)
    there = stamps(infos)
    with notes(context) as reporter:
        # Only credentials and build requirements come from there: what is set aside is no news.
        silent = SilentReporter()
        sources = discover_sources(lock.request, project.root, dated=False, reporter=silent)
        interpreter = sync(
            lock,
            project.lock_path,
            place,
            sources=sources,
            reporter=reporter,
            on_terminal=sys.stderr.isatty() and not context.quiet,
            anew=tuple(sorted(anew)),
        )
    after = observe_interpreter(interpreter)
    packages = wanted_packages(lock, place.target, after.version)
    write_notes(lock, place.target, packages, _infos(after), there)
    wrong = compare(lock, place.target, after, root=project.root)
    if wrong:
        told = "\n".join(
            f"{d.name} {d.subject}: expected {d.expected}, found {d.found}" for d in wrong
        )
        raise SourceError(
            f"uv reported success, but the environment is not what the lock says:\n{told}",
            where=str(place.prefix),
            remedy="run `envlock sync --recreate`",
        )
    if before is None:
        return Installed(observed=after, anew=anew)
    return Installed(
        observed=after, anew=anew, left=_left(project, lock, place, _look(interpreter))
    )


def _is_it(project: Project, lock: Lock, place: Place, observed: Observed) -> bool:
    """Whether exactly the locked packages are there, so that uv would find nothing to do.

    What lies in folders of this machine may have changed since it was installed: uv knows.
    """
    packages = wanted_packages(lock, place.target, observed.version)
    local = any(
        p.directory or (p.archive and p.archive.path) or any(file.path for file in p.files)
        for p in packages
    )
    names = sorted(distribution.name for distribution in observed.distributions)
    return (
        not local
        and names == sorted(package.name for package in packages)
        and not compare(lock, place.target, observed, root=project.root)
    )


def _look(interpreter: Interpreter) -> Environment:
    """As it was last time, where nothing moved."""
    known = remembered(interpreter.executable)
    return look(interpreter, virtual=interpreter.isolated) if known is None else known


def _left(
    project: Project, lock: Lock, place: Place, environment: Environment
) -> tuple[Drift, ...]:
    """What `envlock check` would still tell."""
    now = datetime.now(UTC)
    found = compare_environment(lock, place.target, environment, root=project.root)
    settings = load_check_settings(project, now=now)
    return judge(found, settings, {Layer.PYTHON}, today=now.date()).drift


def _infos(observed: Observed | None) -> dict[Path, str]:
    return {d.path: d.name for d in observed.distributions} if observed is not None else {}
