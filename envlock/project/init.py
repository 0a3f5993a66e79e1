"""The smallest settings that lock what a project already has."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import tomli

from envlock.errors import UsageError
from envlock.io.files import read_text
from envlock.lock.request import Request
from envlock.project.document import Document, absolute, parse_toml, read_toml, shown_path
from envlock.project.formats.pyproject import requires_python
from envlock.project.formats.script import find_block, parse_script
from envlock.project.load import DefaultPython, allows, assemble
from envlock.project.locate import (
    ENVLOCK_TOML,
    PYPROJECT,
    Project,
    locate,
)
from envlock.project.survey import Wanted, count_of, survey

_HEADER = "# What envlock locks here: run `envlock lock`.\n"
_MARK = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class InitPlan:
    """What ``envlock init`` would write.

    ``path`` gets ``content`` (the whole file; ``before`` is what it holds now, empty when it is
    ``created``). ``found`` names what the project already has, ``notes`` what is left out and why.
    ``request`` is what the project asks for once the file is written.
    """

    path: Path
    before: str
    content: str
    created: bool
    found: tuple[str, ...]
    notes: tuple[str, ...]
    request: Request

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        return "".join(
            difflib.unified_diff(
                self.before.splitlines(keepends=True),
                self.content.splitlines(keepends=True),
                "/dev/null" if self.created else f"a/{self.path.name}",
                f"b/{self.path.name}",
            )
        )


def plan_init(
    directory: Path,
    *,
    python: str | None,
    running: str,
    platforms: tuple[str, ...],
    script: Path | None,
    now: datetime,
) -> InitPlan:
    """Look at ``directory`` (or ``script``) and plan its settings. Nothing is written.

    The plan is read back as ``envlock lock`` would read it, so what cannot be locked shows here.

    Args:
        directory: the project's folder.
        python: the Python to write; None takes ``.python-version``, then environment.yml's, then
            ``running``.
        running: the Python that runs this (``3.11``).
        platforms: the targets to write (``linux/amd64``).
        script: a Python file, whose metadata block then gets the settings.
        now: the present.

    Raises:
        UsageError: there are settings already, there is nothing to lock, or what there is cannot
            be read or honoured.
    """
    root = absolute(directory)
    if script is not None:
        return _plan_script(root, script, python or running, platforms, now)
    pyproject = root / PYPROJECT
    document = read_toml(pyproject, PYPROJECT) if pyproject.is_file() else None
    _refuse_present(root, document)
    wanted = survey(root, document)
    chosen = _python(wanted, python, running, root)
    block = wanted.block(chosen, platforms)
    source = root / (ENVLOCK_TOML if document is None else PYPROJECT)
    before = "" if document is None else _exact(source)
    if document is None:
        content = _HEADER + "".join(f"{line}\n" for line in block)
    else:
        content = insert_table(before, block, shown=PYPROJECT)
    project = Project(
        root=root,
        source=source,
        kind="envlock-toml" if document is None else "pyproject",
        name=None,
        lock_path=root / "pylock.toml",
    )
    planned = parse_toml(content.removeprefix(_MARK), source.name)
    request = _read_back(project, planned, platforms, now)
    nothing = () if request.wishes else ("nothing is asked for yet: the lock would be empty",)
    return InitPlan(
        path=project.source,
        before=before,
        content=content,
        created=document is None,
        found=wanted.found,
        notes=wanted.notes + nothing,
        request=request,
    )


def insert_table(text: str, lines: list[str], *, shown: str) -> str:
    """``text`` (TOML) with a ``[tool.envlock]`` table of ``lines`` at its end, all else as it was.

    Raises:
        UsageError: the file's own form leaves no place for it.
    """
    newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    head = text
    if head.strip(_MARK) and not head.endswith("\n"):
        head += newline
    if head.strip(f"\r\n{_MARK}"):
        head += newline
    new = head + "".join(line + newline for line in ["[tool.envlock]", *lines])
    try:
        changed: dict[str, Any] = tomli.loads(new.removeprefix(_MARK))
    except tomli.TOMLDecodeError:
        changed = {}
    old = tomli.loads(text.removeprefix(_MARK))
    tool = changed.get("tool")
    if isinstance(tool, dict):
        tool.pop("envlock", None)
        if not tool and "tool" not in old:
            del changed["tool"]
    if changed != old or not isinstance(tool, dict):
        table = "".join(f"{line}\n" for line in ["[tool.envlock]", *lines])
        raise UsageError(
            "`tool` is written in a way that takes no further table",
            where=shown,
            remedy=f"write tool's parts as tables ([tool.NAME]), then add:\n{table.rstrip()}",
        )
    return new


def _plan_script(
    root: Path, script: Path, python: str, platforms: tuple[str, ...], now: datetime
) -> InitPlan:
    project = locate(root, script=script)
    shown = shown_path(project.source, root)
    before = _exact(project.source)
    plain = before.replace("\r\n", "\n").removeprefix(_MARK)
    match = find_block(plain, shown=shown)
    lines = ["[tool.envlock]", *Wanted().block(python, platforms)]
    if match is None:
        found = (f"{shown}: no inline metadata yet",)
        at = _after_declarations(before)
        own = ["/// script", f'requires-python = ">={python}"', "dependencies = []", "", *lines]
        content = _with_comment(before, at, [*own, "///"], apart=True)
    else:
        document = parse_script(plain, shown=shown)
        if document.get("tool", "envlock") is not None:
            raise _already(document.place(("tool", "envlock")), f" --script {shown}")
        count = len(document.texts("dependencies"))
        found = (f"{shown}: inline metadata, {count_of(count, 'dependency', 'dependencies')}",)
        last = match["content"].rstrip("\n").rpartition("\n")[2]
        space = [] if last in ("#", "# ") or not match["content"].strip("#\n ") else [""]
        at = plain.count("\n", 0, match.end())
        content = _with_comment(before, at, [*space, *lines], apart=False)
    planned = parse_script(content.replace("\r\n", "\n").removeprefix(_MARK), shown=shown)
    _check_python(requires_python(planned, "requires-python"), python)
    return InitPlan(
        path=project.source,
        before=before,
        content=content,
        created=False,
        found=found,
        notes=("write its requirements into `dependencies`",) if match is None else (),
        request=_read_back(project, planned, platforms, now),
    )


def _with_comment(text: str, at: int, lines: list[str], *, apart: bool) -> str:
    """``text`` with ``lines`` as comments before its line number ``at`` (from 0)."""
    newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    # Not splitlines(): that would also split at form feeds, which Python files may hold.
    existing = re.findall(r"[^\n]*\n|[^\n]+", text)
    if at and not existing[at - 1].endswith("\n"):
        existing[at - 1] += newline
    new = [f"# {line}".rstrip() + newline for line in lines]
    if apart and at < len(existing) and existing[at].strip():
        new.append(newline)
    if not at and text.startswith(_MARK):
        existing[0], new[0] = existing[0].removeprefix(_MARK), _MARK + new[0]
    return "".join([*existing[:at], *new, *existing[at:]])


def _after_declarations(text: str) -> int:
    """How many lines a ``#!`` line and an encoding declaration take, which must stay first."""
    lines = text.removeprefix(_MARK).split("\n")
    at = 1 if lines and lines[0].startswith("#!") else 0
    if at < len(lines) and lines[at].startswith("#") and "coding" in lines[at]:
        at += 1
    return at


def _refuse_present(root: Path, document: Document | None) -> None:
    if (root / ENVLOCK_TOML).is_file():
        raise _already(ENVLOCK_TOML, "")
    if document is not None and document.get("tool", "envlock") is not None:
        raise _already(document.place(("tool", "envlock")), "")


def _already(where: str, option: str) -> UsageError:
    return UsageError(
        "envlock's settings are there already",
        where=where,
        remedy=f"change them by hand; `envlock lock{option}` locks what they say",
    )


def _python(wanted: Wanted, python: str | None, running: str, root: Path) -> str:
    chosen = python or wanted.python or running
    _check_python(wanted.requires_python, chosen)
    return chosen


def _check_python(bound: str | None, python: str) -> None:
    if bound is not None and not allows(bound, python):
        raise UsageError(
            f"Python {python} is not in the project's requires-python, {bound}",
            remedy="name one that is: `envlock init --python 3.X`",
        )


def _read_back(
    project: Project, document: Document, platforms: tuple[str, ...], now: datetime
) -> Request:
    never: DefaultPython = lambda bound, base, as_of: ""  # noqa: E731 - python is written
    return assemble(project, document, platform=platforms[0], default_python=never, now=now)


def _exact(path: Path) -> str:
    """The file's text with its byte-order mark, if any, and its newlines."""
    text = read_text(path)
    return _MARK + text if path.read_bytes().startswith(_MARK.encode()) else text
