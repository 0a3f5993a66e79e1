"""``envlock check``: the Python environment against the lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from envlock.check.drift import Code, Drift, drift
from envlock.check.python.compare import (
    built_from_source,
    compare_environment,
    of_unknown_origin,
)
from envlock.check.python.environment import Environment, Walk, look, remembered
from envlock.cli.context import Context
from envlock.cli.environment import nearest_target
from envlock.errors import UsageError
from envlock.io.interpreters import query
from envlock.lock.model import Lock
from envlock.project.locate import Project
from envlock.realise.place import (
    default_prefix,
    half_made,
    is_venv,
    occupied,
    program,
    python_of,
)

_UNKNOWN = (
    "not known: from which locked {} installed ({}); another tool did it, or built the wheel;"
    " versions, and files by RECORD, were compared"
)
_BUILT = "built from the locked sdists, by envlock: {} ({})"
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonAnswer:
    """What is to be said of an environment; ``record`` is as in ``Environment``, ``notes`` are
    lines for people."""

    drift: tuple[Drift, ...]
    notes: tuple[str, ...] = ()
    record: tuple[str, int] | None = None


def python_answer(
    context: Context,
    project: Project,
    lock: Lock,
    *,
    prefix: Path | None,
    python: str | None,
    paranoid: bool,
) -> PythonAnswer:
    """The environment in ``prefix``, that of the interpreter ``python``, or the project's own."""
    if python is not None:
        environment = _look(program(python), paranoid=paranoid)
    else:
        default = default_prefix(project.lock_path)
        folder = (default if prefix is None else context.directory / prefix).absolute()
        expected = f"CPython {nearest_target(lock, None).python}"
        subject = str(prefix or default.name)
        there = python_of(folder)
        if not is_venv(folder) and not (prefix is not None and there.exists()):
            usual = prefix is None
            return PythonAnswer(drift=(_no_environment(folder, subject, expected, usual=usual),))
        try:
            environment = _look(
                there, paranoid=paranoid, prefix=folder if is_venv(folder) else None
            )
        except _Elsewhere as other:
            found = drift(Code.ELSEWHERE, subject, expected=str(folder), found=str(other))
            return PythonAnswer(drift=(found,))
        except UsageError:
            broken = drift(
                Code.NO_ENVIRONMENT,
                subject,
                expected=expected,
                found="a Python that does not start",
            )
            return PythonAnswer(drift=(replace(broken, remedy="envlock sync --recreate"),))
    target = nearest_target(lock, environment.interpreter)
    compared = compare_environment(lock, target, environment, root=project.root)
    wrong = {found.subject for found in compared}
    built = tuple(name for name in built_from_source(environment) if name not in wrong)
    unknown = of_unknown_origin(lock, target, environment)
    notes = []
    if built:
        counted = "1 package" if len(built) == 1 else f"{len(built)} packages"
        notes.append(_BUILT.format(counted, _listed(built)))
    if unknown:
        counted = (
            "file 1 package was" if len(unknown) == 1 else f"files {len(unknown)} packages were"
        )
        notes.append(_UNKNOWN.format(counted, _listed(unknown)))
    return PythonAnswer(drift=compared, notes=tuple(notes), record=environment.record)


def _no_environment(folder: Path, subject: str, expected: str, *, usual: bool) -> Drift:
    """That there is none; `envlock sync` makes it where nothing is in its way.

    ``usual`` is whether it is the project's own folder, and nobody else's.
    """
    if not occupied(folder) or half_made(folder):
        return drift(Code.NO_ENVIRONMENT, subject, expected=expected)
    found = drift(
        Code.NO_ENVIRONMENT,
        subject,
        expected=expected,
        found="a folder without pyvenv.cfg, so no virtual environment",
    )
    remedy = "move the folder away, then run envlock sync" if usual else "name another --prefix"
    return replace(found, remedy=remedy)


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


class _Elsewhere(Exception):  # noqa: N818 - a finding, not an error
    """The environment that a virtual environment's Python really belongs to."""


def _look(python: Path, *, paranoid: bool, prefix: Path | None = None) -> Environment:
    """The environment of an interpreter: as it was last time, where nothing moved.

    ``prefix`` is the virtual environment that it has to be of.
    """
    known = None if paranoid else remembered(python)
    if known is not None:
        return known
    walk = None if prefix is None else Walk(str(prefix))
    try:
        interpreter = query(python)
        if prefix is not None and interpreter.prefix.resolve() != prefix.resolve():
            raise _Elsewhere(interpreter.prefix)
        return look(interpreter, virtual=interpreter.isolated, paranoid=paranoid, walk=walk)
    finally:
        if walk is not None:
            walk.forget()
