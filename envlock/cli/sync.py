"""``envlock sync``: make an environment hold exactly what the lock says."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from envlock.check.changes import Change, Changes, changes, planned
from envlock.check.drift import Drift
from envlock.cli.common import (
    json_option,
    locate_project,
    name_option,
    project_guard,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.install import ELSEWHERE, environment_at, install, install_anew
from envlock.cli.output import result_json, say
from envlock.cli.style import style
from envlock.errors import UsageError
from envlock.io.machine import machine_platform
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.project.locate import Project
from envlock.realise.place import (
    Place,
    default_prefix,
    made_by_uv,
    place_at_prefix,
    place_of_python,
)

_EPILOG = """\b
Examples:
  envlock sync                             # .venv holds exactly the lock
  envlock sync --dry-run                   # what would change
  envlock sync --prefix /opt/app/env       # another folder
  envlock sync --python /usr/local/bin/python3.11   # an interpreter's own packages
  envlock sync --recreate                  # make the environment anew

Every file is verified against the lock. What the lock does not have is removed (but for pip in
an environment that uv did not make); a package whose files were edited is installed anew; files
of no package stay, which is said. Nothing is fetched that uv's cache has. A Python that is
missing is never downloaded."""


@click.command(epilog=_EPILOG)
@click.option(
    "--prefix",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The virtual environment, made when missing. Default: .venv (.venv-NAME with --name).",
)
@click.option(
    "--python",
    metavar="PY",
    help="An existing interpreter (path or name): sync the environment that it belongs to.",
)
@click.option("--recreate", is_flag=True, help="Make the virtual environment anew.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context,
    prefix: Path | None,
    python: str | None,
    recreate: bool,
    dry_run: bool,
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> None:
    """Make an environment hold exactly what the lock says: no more, no less, nothing else."""
    if python is not None and (prefix is not None or recreate):
        other = "--prefix" if prefix is not None else "--recreate"
        raise UsageError(f"--python and {other} exclude one another")
    project = locate_project(context, name=name, script=script)
    with contextlib.nullcontext() if dry_run else project_guard(context, project.root):
        lock = read_lock(project)
        place = _find_place(context, project, lock, prefix=prefix, python=python, recreate=recreate)
        there = environment_at(place)
        before = None if there is None else there.observed
        left: tuple[Drift, ...] = ()
        if dry_run:
            kept = not made_by_uv(place.prefix)
            anew = install_anew(lock, place, there)
            done = planned(lock, place.target, before, keeps_seeds=kept, anew=anew)
        else:
            installed = install(context, project, lock, place, there)
            done = changes(before, installed.observed, installed.anew)
            left = installed.left
    if as_json:
        result_json(_as_json(lock, place, done, left, dry_run=dry_run))
    else:
        _report(context, lock, place, done, left, dry_run=dry_run)


def _find_place(
    context: Context,
    project: Project,
    lock: Lock,
    *,
    prefix: Path | None,
    python: str | None,
    recreate: bool = False,
) -> Place:
    """The environment that the options name; the project's own without any."""
    platform = machine_platform()
    if python is not None:
        return place_of_python(lock, python, platform=platform)
    folder = default_prefix(project.lock_path) if prefix is None else context.directory / prefix
    return place_at_prefix(lock, folder.absolute(), platform=platform, recreate=recreate)


def _as_json(
    lock: Lock, place: Place, done: Changes, left: tuple[Drift, ...], *, dry_run: bool
) -> dict[str, object]:
    def listed(entries: tuple[Change, ...]) -> list[dict[str, object]]:
        return [{"name": c.name, "before": c.before, "after": c.after} for c in entries]

    return {
        "prefix": str(place.prefix),
        "target": place.target.key,
        "environment-hash": environment_hash(lock).root,
        "created": place.interpreter is None and not dry_run,
        "dry-run": dry_run,
        "installed": listed(done.installed),
        "removed": listed(done.removed),
        "replaced": listed(done.replaced),
        "unchanged": done.unchanged,
        "left": [{"code": d.code, "subject": d.subject} for d in left],
    }


def _report(
    context: Context,
    lock: Lock,
    place: Place,
    done: Changes,
    left: tuple[Drift, ...],
    *,
    dry_run: bool,
) -> None:
    for change in done.all:
        say(context, _line(change))
    would = "would be " if dry_run else ""
    counts = (
        (len(done.installed), f"{would}installed"),
        (len(done.replaced), f"{would}replaced"),
        (len(done.removed), f"{would}removed"),
        (done.unchanged, "unchanged"),
    )
    told = ", ".join(f"{number} {what}" for number, what in counts if number) or "nothing to do"
    verb = "would hold" if dry_run else "holds the packages of" if left else "holds"
    if left:
        say(context, f"{style('note', 'bold cyan')}: {_still(left)}")
    say(
        context,
        f"{shown_path(context, place.prefix)} {verb} {environment_hash(lock).short}"
        f" ({place.target.key}): {told}",
    )


def _still(left: tuple[Drift, ...]) -> str:
    """That an environment is not all that is locked, and what to do."""
    first = left[0]
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    return (
        f"left as it is: {first.name} {first.subject}{more}; `envlock check` says what,"
        " `envlock sync --recreate` makes the environment anew"
    )


def shown_path(context: Context, path: Path) -> str:
    """The path as seen from the folder that the command works in, where it lies below."""
    try:
        return path.relative_to(context.directory.absolute()).as_posix()
    except ValueError:
        return str(path)


def _line(change: Change) -> str:
    if change.before is None:
        return f" {style('+', 'green')} {change.name} {change.after}"
    if change.after is None:
        return f" {style('-', 'red')} {change.name} {change.before}"
    if change.before == change.after:
        return f" {style('~', 'yellow')} {change.name} {change.after} ({change.cause or ELSEWHERE})"
    return f" {style('~', 'yellow')} {change.name} {change.before} → {change.after}"
