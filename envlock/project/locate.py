"""Which project a command is about: its folder, the file that speaks for it, its lockfile."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from envlock.errors import UsageError
from envlock.io.files import read_text
from envlock.project.below import advice, requirements_below, scripts_in
from envlock.project.document import absolute, read_toml
from envlock.project.formats.pyproject import is_project
from envlock.project.settings.table import check_name

Kind = Literal["pyproject", "envlock-toml", "requirements", "script"]

PYPROJECT = "pyproject.toml"
ENVLOCK_TOML = "envlock.toml"
# One kind a row; within a row the first one there is meant (a .txt beside a .in is compiled).
PLAIN_FILES = (
    ("requirements.in", "requirements.txt"),
    ("environment.yml", "environment.yaml"),
    ("setup.cfg",),
)
_UNREADABLE = {
    "setup.py": "setup.py is there, but it would have to be run to tell its requirements",
    "Pipfile": "Pipfile is there, but it is pipenv's own format",
    "poetry.lock": "poetry.lock is there, but it is a lock, not a wish",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project, or one named environment of it.

    ``root`` (absolute) is the folder that relative paths count from; ``source`` the file with the
    settings, or with the requirements where there are no settings; ``name`` the environment's
    name, None for the only one; ``lock_path`` the lockfile, which need not exist.
    """

    root: Path
    source: Path
    kind: Kind
    name: str | None
    lock_path: Path


def locate(directory: Path, *, name: str | None = None, script: Path | None = None) -> Project:
    """Find the project that ``directory`` belongs to, or the one that ``script`` is.

    The nearest folder upwards with a pyproject.toml that says what to install (or an
    envlock.toml) is the project; without one, a requirements file in ``directory`` itself.

    Args:
        directory: where to look from.
        name: a named environment: its lock is ``pylock.NAME.toml``.
        script: a Python file with inline metadata; its lock is ``pylock.<stem>.toml`` beside it.

    Raises:
        UsageError: nothing found, several answers, or a name that cannot be one.
    """
    if script is not None:
        return _script(directory, script, name)
    if name is not None:
        check_name(name)
    start = absolute(directory)
    lock_name = f"pylock.{name}.toml" if name else "pylock.toml"
    source, kind = _upwards(start) or _plain(start)
    return Project(
        root=source.parent,
        source=source,
        kind=kind,
        name=name,
        lock_path=source.parent / lock_name,
    )


def _script(directory: Path, script: Path, name: str | None) -> Project:
    source = absolute(directory / script)
    if not source.is_file():
        raise UsageError("no such script", where=str(script))
    if name is not None:
        raise UsageError(
            "a script has one environment", where=str(script), remedy="take --name away"
        )
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", source.stem).strip("-") or "script"
    return Project(
        root=source.parent,
        source=source,
        kind="script",
        name=None,
        lock_path=source.parent / f"pylock.{stem}.toml",
    )


def _upwards(start: Path) -> tuple[Path, Kind] | None:
    for folder in (start, *start.parents):
        pyproject, own = folder / PYPROJECT, folder / ENVLOCK_TOML
        if own.is_file() and pyproject.is_file():
            raise UsageError(
                f"both {PYPROJECT} and {ENVLOCK_TOML} are there",
                where=str(folder),
                remedy=f"move the keys of {ENVLOCK_TOML} under [tool.envlock] in {PYPROJECT},"
                f" and delete {ENVLOCK_TOML}",
            )
        if own.is_file():
            return own, "envlock-toml"
        # Many a pyproject.toml only configures tools; such a file is no project.
        if pyproject.is_file() and is_project(read_toml(pyproject, str(pyproject))):
            return pyproject, "pyproject"
    return None


def plain_files(folder: Path) -> tuple[Path, ...]:
    """The files in ``folder`` that hold requirements, most preferred first, one of each kind."""
    found = []
    for row in PLAIN_FILES:
        for file_name in row:
            path = folder / file_name
            if path.is_file() and (file_name != "setup.cfg" or _asks_for_packages(path)):
                found.append(path)
                break
    return tuple(found)


def _asks_for_packages(setup_cfg: Path) -> bool:
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(read_text(setup_cfg))
    except (configparser.Error, UsageError):
        return False
    return parser.has_option("options", "install_requires") or parser.has_section(
        "options.extras_require"
    )


def _plain(folder: Path) -> tuple[Path, Kind]:
    found = plain_files(folder)
    if not found:
        raise nothing_found(folder)
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise UsageError(
            f"{names} are there, and nothing says which of them counts",
            where=str(folder),
            remedy=f"run `envlock init`, or write {ENVLOCK_TOML} with:\n"
            f'requirements = ["{found[0].name}"]',
        )
    return found[0], "requirements"


def nothing_found(folder: Path) -> UsageError:
    """The error for a folder with nothing to lock: what was looked for, and what to do."""
    looked = ", ".join(file_name for row in PLAIN_FILES for file_name in row)
    unreadable = [text for file_name, text in _UNREADABLE.items() if (folder / file_name).exists()]
    remedy = (
        f"looked for {PYPROJECT} (with [project], [dependency-groups] or [tool.envlock]) and"
        f" {ENVLOCK_TOML} here and in the folders above, and for {looked} here.\n"
    )
    remedy += "".join(f"{text}.\n" for text in unreadable)
    scripts = scripts_in(folder)
    ways = advice(requirements_below(folder))
    if scripts:
        said = "says itself what it needs" if len(scripts) == 1 else "say themselves what they need"
        ways = f"{', '.join(scripts)} {said}: add --script {scripts[0]} to the command.\n{ways}"
    remedy += f"{ways}Otherwise write" if ways else "Write"
    remedy += " one requirement a line into requirements.in, then run `envlock init`"
    return UsageError("nothing to lock here", where=str(folder), remedy=remedy)
