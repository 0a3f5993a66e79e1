"""The virtual environment that a wheel is built in: its locked requirements, and nothing else."""

from __future__ import annotations

from pathlib import Path

from envlock.io import process
from envlock.io.interpreters import Interpreter
from envlock.io.rooted import Shown, in_root
from envlock.io.store import named
from envlock.io.tools import find_uv
from envlock.realise.source.root import PATH, BuildRoot, RootPython
from envlock.resolve.python.engines import uv_settings

_SHOWN = 20
_PLACE = "/dev/envlock"
"""Where uv and wheels are seen in a root, while the environment is made: builds list / and /tmp."""

_COMMON = ("--no-config", "--no-python-downloads", "--color=never", "--quiet")
_INSTALL = ("pip", "install", "--offline", "--no-index", "--no-deps", "--link-mode", "copy")


class NotInstalledError(Exception):
    """Requirements that cannot be installed; the text says why."""


def make_environment(
    folder: Path,
    wheels: list[tuple[str, str]],
    python: Interpreter,
    root: tuple[BuildRoot, RootPython] | None,
) -> Path:
    """Make the environment below the build's folder; the path of its interpreter.

    Args:
        folder: the build's own, at the same path in a root.
        wheels: file name and digest of each requirement; they are in the store.
        python: what it is made of, where there is no root.
        root: what it is made in, and by which Python.

    Raises:
        NotInstalledError: a wheel cannot be installed.
        SourceError: uv is missing.
    """
    prefix = folder / "environment"
    program = prefix / "bin" / "python"
    paths = [(name, named(sha256, name)) for name, sha256 in wheels]
    if root is None:
        base = str(python.executable)
        _uv([str(find_uv()), "venv", "--no-project", "--python", base, str(prefix)])
        if paths:
            files = [str(path) for _, path in paths]
            _uv([str(find_uv()), *_INSTALL, "--python", str(program), *files])
        return program
    tree, own = root
    shown = [
        *own.shown,
        Shown(source=folder, target=str(folder), writable=True),
        Shown(source=find_uv(), target=f"{_PLACE}/uv"),
        *(Shown(source=path, target=f"{_PLACE}/{name}") for name, path in paths),
    ]
    variables = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": str(folder), "TMPDIR": "/tmp"}  # noqa: S108
    steps = [["venv", "--no-project", "--python", own.path, str(prefix)]]
    if paths:
        files = [f"{_PLACE}/{name}" for name, _ in paths]
        steps.append([*_INSTALL, "--python", str(program), *files])
    for step in steps:
        argv = [f"{_PLACE}/uv", *step, "--no-cache", *_COMMON]
        _run(in_root(tree.folder, argv, shown=shown, env=variables), {})
    return program


def _uv(argv: list[str]) -> None:
    _run([*argv, *_COMMON], uv_settings.environment())


def _run(argv: list[str], variables: dict[str, str]) -> None:
    completed = process.run(argv, env=variables, remedy="pip install uv")
    if completed.code != 0:
        said = "\n".join(completed.stderr.strip().splitlines()[-_SHOWN:])
        raise NotInstalledError(f"its build requirements cannot be installed:\n{said}")
