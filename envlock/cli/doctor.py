"""``envlock doctor``: what this machine can do, and what to do where it cannot."""

from __future__ import annotations

import sys

import click

from envlock.check.abilities import Ability, State, abilities
from envlock.cli.common import json_option, locate_project, read_lock
from envlock.cli.context import Context
from envlock.cli.output import result, result_json
from envlock.cli.style import style
from envlock.errors import EXIT_SOURCE, EnvlockError, UsageError
from envlock.lock.model import Lock

_EPILOG = """\b
Examples:
  envlock doctor                  # in a project: what its lock needs, too
  envlock doctor --json

Exit code 3 when something is missing that nothing works without, or that the lock needs. Nothing is
changed, and nobody is asked over the network."""

_LOOKS = {State.OK: "green", State.LIMITED: "yellow", State.MISSING: "red"}
_MARKS = {State.OK: "ok", State.LIMITED: "-", State.MISSING: "no"}


@click.command(epilog=_EPILOG)
@json_option
@click.pass_obj
def command(context: Context, as_json: bool) -> int:
    """Say what this machine can do for envlock: its tools, its Pythons, its kernel, its cache."""
    lock, first = _lock(context)
    found: list[Ability] = []
    for ability in (*first, *abilities(lock)):
        found.append(ability)
        if not as_json:
            _tell(ability)
    failed = [one.name for one in found if one.needed and one.state is State.MISSING]
    if as_json:
        result_json({"abilities": [_as_json(one) for one in found], "missing": failed})
    elif failed:
        result(f"needed, and missing: {', '.join(failed)}")
    return EXIT_SOURCE if failed else 0


def _lock(context: Context) -> tuple[Lock | None, tuple[Ability, ...]]:
    """The project's lock, where there is a project and a lock; what is to be said of it."""
    try:
        project = locate_project(context, name=None, script=None)
    except UsageError:
        return None, ()
    if not project.lock_path.exists():
        return None, ()
    lock, state, remedy = None, State.OK, None
    try:
        lock = read_lock(project)
        count = len(lock.packages)
        targets = ", ".join(target.key for target in lock.targets)
        found = f"{count} package{'' if count == 1 else 's'} for {targets}"
    except EnvlockError as error:
        state, found, remedy = State.MISSING, error.what, error.remedy
    return lock, (
        Ability(
            name=project.lock_path.name,
            state=state,
            found=found,
            purpose="this project",
            remedy=remedy,
            needed=True,
        ),
    )


def _tell(ability: Ability) -> None:
    mark = style(f"{_MARKS[ability.state]:>2}", _LOOKS[ability.state], stream=sys.stdout)
    result(f"{mark}  {ability.name:<13} {ability.found}")
    if ability.state is not State.OK:
        result(f"    {'':<13} for {ability.purpose}")
        if ability.remedy:
            result(f"    {'':<13} {style('help', 'bold', stream=sys.stdout)}: {ability.remedy}")


def _as_json(ability: Ability) -> dict[str, object]:
    return {
        "found": ability.found,
        "name": ability.name,
        "needed": ability.needed,
        "purpose": ability.purpose,
        "remedy": ability.remedy,
        "state": ability.state,
    }
