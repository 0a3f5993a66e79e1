"""Where `envlock rebuild` and `envlock verify` have their interpreter from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from envlock.cli.common import current_request
from envlock.errors import EnvlockError, SourceError
from envlock.io.interpreters import Interpreter, installed
from envlock.io.progress import Reporter
from envlock.lock.artifacts import UsedFiles
from envlock.lock.model import Lock
from envlock.lock.provider import locked_python, standalone
from envlock.lock.target import Target
from envlock.project.locate import locate
from envlock.realise.rebuild.gather import Gathered, Places, gather
from envlock.realise.rebuild.interpreter import machine_python, unpacked_python
from envlock.realise.rebuild.os_python import python_packages, unpacked_os_python


def provided_python(
    lock: Lock,
    root: Path,
    target: Target,
    places: Places,
    reporter: Reporter,
    *,
    preferred: str | None = None,
) -> tuple[Interpreter | None, UsedFiles, dict[str, Gathered]]:
    """The target's Python: one of the machine's, else the locked archive's, else that of the locked
    OS packages.

    ``preferred`` is the release to take where the lock is for any of a series and the machine has
    that one: the one that a run had.

    Returns:
        The interpreter, None where files of it are missing; the files it is from, and where those
        came from.

    Raises:
        SourceError: nothing provides it.
    """
    python = locked_python(lock, target)
    own = None
    if preferred is not None and preferred.startswith(f"{python}."):
        own = machine_python(preferred)
    own = own or machine_python(python)
    if own is not None:
        return own, UsedFiles(), {}
    build = standalone(lock, target)
    packages = () if build is not None else python_packages(lock, target)
    if build is None and not packages:
        raise SourceError(
            f"nothing provides CPython {python}, which the lock is for:"
            f" this machine has {_installed()}; the lock has no archive of Python for {target.key},"
            f" and {'no OS packages' if lock.os is None else 'none among its OS packages'}",
            remedy=f"install it (for example: uv python install {python}); with"
            ' interpreter = "standalone" in [tool.envlock], or OS packages, a lock brings its own',
        )
    files = UsedFiles(interpreters=() if build is None else (build,), os=packages)
    if packages:
        places = with_mirrors(lock, root, places)
    gathered = gather(lock, files, root, places, reporter)
    if any(one.origin is None for one in gathered.values()):
        return None, files, gathered
    reporter.step(f"unpacking {build or f'Python {python} of {lock.os and lock.os.base}'}")
    found = unpacked_python(build) if build else unpacked_os_python(packages, target, reporter)
    return found, files, gathered


def _installed() -> str:
    """The Pythons of this machine, for a person."""
    return ", ".join(str(version) for version in reversed(installed())) or "none"


def with_mirrors(lock: Lock, root: Path, places: Places) -> Places:
    """With the mirrors that the project names today, where there is a project."""
    try:
        now = datetime.now(UTC).replace(microsecond=0)
        request = current_request(locate(root), lock, now=now)
    except EnvlockError:
        return places  # the lock may lie anywhere: then the machine's own mirrors serve
    return replace(places, mirrors=request.os_mirrors, keyring=request.os_keyring)
