"""Requirements in scripts and folders below one that has none itself: for what errors suggest."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NAMES = re.compile(r"[\w.-]*requirements?[\w.-]*\.(?:txt|in)|pyproject\.toml|setup\.cfg", re.I)
_LISTS = re.compile(r"[\w.-]+\.(?:txt|in)")
_DEEP = 2
_MOST_FOLDERS = 200
_MOST = 6
_MOST_SCRIPTS = 200
_HEAD = 16_384
_BLOCK = re.compile(rb"^# /// script\r?$", re.MULTILINE)
_USUAL = frozenset({"requirements.txt", "requirements.in", "pyproject.toml", "setup.cfg"})
_OTHERS = frozenset({"node_modules", "site-packages", "venv", "env", "build", "dist"})


def requirements_below(root: Path) -> tuple[str, ...]:
    """Files that look like lists of requirements, or projects, by their path below ``root``.

    At most six, of folders two deep; in a folder called ``requirements`` any list counts.
    """
    found: list[str] = []
    for looked, (folder, folders, files) in enumerate(os.walk(root)):
        place = Path(folder).relative_to(root)
        deep = len(place.parts)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in _OTHERS
        )
        if deep == _DEEP or looked >= _MOST_FOLDERS:
            folders.clear()
        if deep:
            pattern = _LISTS if place.name == "requirements" else _NAMES
            found += [(place / f).as_posix() for f in sorted(files) if pattern.fullmatch(f)]
        if len(found) >= _MOST:
            break
    return tuple(found[:_MOST])


def advice(found: tuple[str, ...]) -> str:
    """What to do with these, a line or two; empty where there are none."""
    if not found:
        return ""
    lists = [name for name in found if name.endswith((".txt", ".in"))]
    text = f"There is {', '.join(found)}: "
    ways = []
    if lists:
        ways.append(f'write envlock.toml with the line: requirements = ["{lists[-1]}"]')
    usual = [name for name in found if Path(name).name in _USUAL]
    if usual:
        ways.append(f"work in its folder: envlock -C {Path(usual[0]).parent.as_posix()} lock")
    return text + ", or ".join(ways) + ".\n"


def scripts_in(folder: Path) -> tuple[str, ...]:
    """Names of Python files in ``folder`` that begin with metadata of their own (PEP 723)."""
    found = []
    for path in sorted(folder.glob("*.py"))[:_MOST_SCRIPTS]:
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD)
        except OSError:
            continue
        if _BLOCK.search(head):
            found.append(path.name)
    return tuple(found[:_MOST])
