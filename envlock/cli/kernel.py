"""``envlock kernel``: the locked environment for Jupyter."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envlock.cli.common import json_option, locate_project, name_option, read_lock
from envlock.cli.context import Context
from envlock.cli.output import result_json, say
from envlock.errors import UsageError
from envlock.io import process
from envlock.io.files import make_folder, write_atomic
from envlock.lock.hashing import environment_hash
from envlock.realise.place import default_prefix, python_of
from envlock.runs.environment import LockFacts

if TYPE_CHECKING:
    from envlock.lock.model import Lock

_EPILOG = """\b
Examples:
  envlock kernel install                        # for this user, named as the project's folder
  envlock kernel install --kernel paper --display-name "Paper (2026)"
  envlock kernel install --jupyter .venv        # for the Jupyter in that environment

The environment must be there (envlock sync), with ipykernel in the lock. To take a kernel away:
jupyter kernelspec remove NAME."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")


@click.group(epilog=_EPILOG)
def command() -> None:
    """Make the locked environment a Jupyter kernel."""


@command.command(epilog=_EPILOG)
@name_option
@click.option("--kernel", metavar="NAME", help="What the kernel is called: letters, digits, -._")
@click.option("--display-name", metavar="TEXT", help="What Jupyter shows.")
@click.option(
    "--jupyter",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The environment of the Jupyter that is to find it. Default: this user's folder.",
)
@json_option
@click.pass_obj
def install(
    context: Context,
    name: str | None,
    kernel: str | None,
    display_name: str | None,
    jupyter: Path | None,
    as_json: bool,
) -> None:
    """Write a kernel spec that starts the environment's Python and knows its hash."""
    project = locate_project(context, name=name, script=None)
    lock = read_lock(project)
    python = _python(lock, default_prefix(project.lock_path))
    hashed = environment_hash(lock)
    # Runs of the kernel have nobody to examine the lock: what was found here is remembered.
    LockFacts(str(project.lock_path), valid=lambda _path: hashed.root)
    root = project.lock_path.parent.resolve()
    called = _called(kernel, f"{root.name}-{name}" if name else root.name)
    base = _user_folder() if jupyter is None else context.directory / jupyter / "share" / "jupyter"
    folder = base / "kernels" / called
    told = {"environment-hash": hashed.root, "lock": str(root / project.lock_path.name)}
    _refuse_others(folder / "kernel.json", told["lock"])
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": display_name or f"{called} ({hashed.short})",
        "env": {"ENVLOCK_HASH": hashed.root},
        "language": "python",
        "metadata": {"debugger": True, "envlock": told},
    }
    make_folder(folder)
    write_atomic(folder / "kernel.json", json.dumps(spec, indent=1, ensure_ascii=False) + "\n")
    if as_json:
        result_json(told | {"folder": str(folder), "kernel": called, "python": str(python)})
    else:
        say(context, f"kernel {called}: {folder}")


def _python(lock: Lock, prefix: Path) -> Path:
    """The environment's interpreter, in which ipykernel starts."""
    if "ipykernel" not in {package.name for package in lock.packages}:
        raise UsageError(
            "ipykernel is not in the lock, and a kernel is started by it",
            remedy="add ipykernel to what the project asks for (uv add --dev ipykernel), then:"
            " envlock lock && envlock sync",
        )
    python = python_of(prefix)
    if not python.exists():
        raise UsageError("the environment is not there", where=str(prefix), remedy="envlock sync")
    python = python.absolute()
    if process.run([str(python), "-c", "import ipykernel_launcher"]).code != 0:
        raise UsageError(
            "ipykernel is in the lock, but not in the environment",
            where=str(prefix),
            remedy="envlock sync",
        )
    return python


def _called(wanted: str | None, folder: str) -> str:
    """The kernel's name: as wanted, else made from the folder's."""
    if wanted is None:
        return re.sub(r"[^a-z0-9._-]+", "-", folder.lower()).strip("-") or "envlock"
    if not _NAME.fullmatch(wanted) or set(wanted) <= {"."}:
        raise UsageError(f"--kernel {wanted!r}: letters, digits, -, . and _ only")
    return wanted


def _user_folder() -> Path:
    """Where Jupyter looks for a user's own data."""
    told = os.environ.get("JUPYTER_DATA_DIR")
    if told:
        return Path(told)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Jupyter"
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "jupyter"


def _refuse_others(path: Path, lock: str) -> None:
    """A kernel of that name that is not this environment's stays as it is."""
    if not path.exists():
        return
    try:
        there: Any = json.loads(path.read_text("utf-8"))
        of = there["metadata"]["envlock"]["lock"]
    except (OSError, ValueError, KeyError, TypeError):
        of = None
    if of != lock:
        raise UsageError(
            "a kernel of this name is there already, of something else",
            where=str(path),
            remedy="give this one another name: --kernel NAME",
        )
