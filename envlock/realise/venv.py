"""Make an environment hold exactly what the lock says, by ``uv pip sync``.

uv verifies every file against the lock's digest and size, installs the missing, and removes what
the lock does not have. It changes nothing in the environment before all files are at hand.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from envlock.io import process, terminal
from envlock.io.interpreters import Interpreter, query
from envlock.io.progress import Reporter
from envlock.io.tools import find_uv
from envlock.lock.model import Lock
from envlock.realise import failures
from envlock.realise.place import Place, create
from envlock.realise.uv import write_configuration
from envlock.resolve.python.engines.uv_settings import environment
from envlock.resolve.python.sources import Sources

_NOT_CACHED = re.compile(
    r"network connectivity is disabled|network was disabled|not found in the cache|--offline|"
    r"offline mode|offline",
    re.IGNORECASE,
)
# The end of uv's bars: what was done, and what failed, the command line says in its own words.
_SHOWN_UNTIL = ("error: ", "Prepared ", "Uninstalled ", "Installed ", "Checked ")


def sync(
    lock: Lock,
    lock_path: Path,
    place: Place,
    *,
    sources: Sources,
    reporter: Reporter,
    on_terminal: bool = False,
    anew: tuple[str, ...] = (),
    base: Path | None = None,
    offline: bool = False,
    begun: Callable[[], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> Interpreter:
    """Install ``lock`` into ``place``, which is made when it is missing.

    First without the network: uv asks a server again even for files that it has, unless the server
    said how long they keep. Only when something is missing in uv's cache, the network is used.

    Args:
        lock: the lock; ``lock_path`` is the file it was read from, which uv reads again.
        lock_path: absolute; local paths in the lock count from its folder.
        place: where to install.
        sources: indexes for credentials and build requirements.
        reporter: told the phases.
        on_terminal: show uv's own progress on this process's terminal.
        anew: packages to install again, though their version is there.
        base: the interpreter to make the environment from; None: one of the machine's that fits.
        offline: use no network in any case.
        begun: done once there is an environment, before anything is installed.
        meanwhile: done once, while uv works.

    Returns:
        The environment's interpreter.

    Raises:
        VerificationError: a file is not what the lock says.
        SourceError: a file cannot be fetched, built or written, or the Python is missing.
        UsageError: the environment is managed by something else.
    """
    interpreter = place.interpreter
    if interpreter is None:
        reporter.step(f"making {place.prefix.name} with CPython {place.python}")
    python = create(place, base) if interpreter is None else interpreter.executable
    if begun is not None:
        begun()

    def beside() -> None:
        nonlocal interpreter
        interpreter = interpreter or query(python)
        if meanwhile is not None:
            meanwhile()

    reporter.step("installing")
    with tempfile.TemporaryDirectory(prefix="envlock-sync-") as folder:
        configuration = write_configuration(Path(folder), lock, sources)
        argv = _command(lock, lock_path, python, configuration, anew)
        variables = environment(sources)
        completed = process.run(
            [*argv, "--offline"],
            cwd=lock_path.parent,
            env=variables,
            meanwhile=beside,
            remedy="pip install uv",
        )
        if completed.code != 0 and not offline and _NOT_CACHED.search(completed.stderr):
            if on_terminal:
                completed = terminal.run_shown(
                    argv, stop_at=_SHOWN_UNTIL, cwd=lock_path.parent, env=variables
                )
            else:
                completed = process.run(argv, cwd=lock_path.parent, env=variables)
    if completed.code != 0:
        raise failures.error(completed, lock, place.prefix)
    return interpreter or query(python)


def _command(
    lock: Lock, lock_path: Path, python: Path, configuration: Path, anew: tuple[str, ...]
) -> list[str]:
    argv = [
        str(find_uv()),
        "pip",
        "sync",
        lock_path.name,
        "--config-file",
        str(configuration),
        "--python",
        str(python),
        "--no-python-downloads",
        "--color=never",
        "--preview-features",
        "pylock",
        "--allow-empty-requirements",
    ]
    for name in anew:
        argv += ["--reinstall-package", name]
    for package in lock.packages:
        if package.directory is not None and not package.directory.editable:
            # uv looks only at a folder's pyproject.toml to see whether it changed; its other
            # files change without that.
            argv += ["--reinstall-package", package.name]
    return argv
