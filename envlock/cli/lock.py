"""``envlock lock``: resolve the project as of a date and write pylock.toml."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envlock.cli import fresh, kept
from envlock.cli.common import (
    current_request,
    locate_project,
    name_option,
    project_guard,
    read_lock,
    script_option,
    write_lock,
)
from envlock.cli.context import Context
from envlock.cli.locking.keeping import keep_lock, keep_verdict
from envlock.cli.locking.options import Options
from envlock.cli.locking.report import report
from envlock.cli.output import noting_said, reporting, result_json, say
from envlock.cli.style import style
from envlock.errors import EnvlockError, StaleError, UsageError
from envlock.io import files
from envlock.project.dates import check_range, parse_as_of
from envlock.project.locate import Project
from envlock.resolve.python.engines import uv_runs
from envlock.resolve.python.engines.engine import Upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from envlock.lock.model import Lock
    from envlock.lock.request import Request
    from envlock.lock.staleness import Mismatch

_EPILOG = """\b
Examples:
  envlock lock                               # first time: as of now
  envlock lock --as-of 2026-03-01            # as it was at that day's start, UTC
  envlock lock --as-of "2 weeks ago"
  envlock lock --as-of git                   # when the requirements were last committed
  envlock lock --upgrade                     # everything, as of now
  envlock lock --upgrade-package numpy       # this one, the others stay
  envlock lock --check                       # in CI: exit 1 when the lock is stale"""


@click.command(epilog=_EPILOG)
@click.option(
    "--as-of",
    metavar="DATE",
    help="See nothing published later: 2026-03-01 (that day's start, UTC),"
    " 2026-03-01T12:00:00+02:00, words such as '2 weeks ago', or `git`: the last commit of the"
    " files that say what is asked for.",
)
@click.option("--engine", metavar="NAME", help="Resolver: uv (default) or pip-tools.")
@click.option("-U", "--upgrade", is_flag=True, help="Let every pin move.")
@click.option(
    "-P",
    "--upgrade-package",
    "upgrade_packages",
    metavar="PKG",
    multiple=True,
    help="Let this pin move; may be repeated.",
)
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when the lock is stale.")
@click.option("--dry-run", is_flag=True, help="Resolve and show what would change; write nothing.")
@click.option("--no-build", is_flag=True, help="Refuse what has no wheel instead of building it.")
@click.option("--refresh", is_flag=True, help="Ask the index again, whatever the cache holds.")
@name_option
@script_option
@click.option("--json", "as_json", is_flag=True, help="Say the outcome as JSON on stdout.")
@click.pass_obj
def command(
    context: Context,
    as_of: str | None,
    engine: str | None,
    upgrade: bool,
    upgrade_packages: tuple[str, ...],
    check: bool,
    dry_run: bool,
    no_build: bool,
    refresh: bool,
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> int:
    """Pin everything the project asks for, as of a date, in a standard pylock.toml.

    Without options an existing lock keeps its date and, where they still answer, its pins.
    """
    from packaging.utils import canonicalize_name

    if check and (upgrade or upgrade_packages or refresh):
        raise UsageError(
            "--check compares the project with the lock: no option that moves pins goes with it",
            remedy="what would move: envlock lock --upgrade --dry-run",
        )
    options = Options(
        as_of=as_of,
        engine=engine,
        upgrade=Upgrade(
            everything=upgrade, names=frozenset(canonicalize_name(p) for p in upgrade_packages)
        ),
        check=check,
        dry_run=dry_run,
        build=not no_build,
        refresh=refresh,
        as_json=as_json,
    )
    since = time.time_ns()
    runs = uv_runs.listen()
    with files.noting_reads() as read, noting_said() as said:
        project = locate_project(context, name=name, script=script)
        first = not project.lock_path.exists()
        writes = not (check or dry_run)
        with project_guard(context, project.root) if writes else contextlib.nullcontext():
            code, lock = _lock(context, project, options)
    if check and code == 0:
        keep_verdict(context, project, options, read, since)
    elif first and writes and lock is not None and len(runs) == bool(lock.request.wishes):
        run = runs[0] if runs else None
        keep_lock(context, project, options, lock, read, since, run, said)
    return code


def _lock(context: Context, project: Project, options: Options) -> tuple[int, Lock | None]:
    """The exit code, and the lock that was made, if one was."""
    now = datetime.now(UTC).replace(microsecond=0)
    previous = _previous(context, project, options)

    def note(text: str) -> None:
        say(context, f"{style('note', 'bold cyan')}: {text}")

    as_of = _as_of(project, options.as_of, previous, now, note)
    request = current_request(project, previous, now=now, as_of=as_of, note=note)
    if as_of is not None and request.as_of is not None and as_of != request.as_of:
        raise UsageError(
            f"--as-of {options.as_of} is not the date that the project fixes"
            f" ({request.as_of:%Y-%m-%dT%H:%M:%SZ})",
            where=str(project.source),
            remedy="change as-of there, or remove it to decide on the command line",
        )
    why = _mismatches(request, previous)
    moved = as_of is not None and previous is not None and as_of != previous.as_of
    if options.check:
        return _check(context, project, previous, why, moved, options), None
    engine = options.engine or (previous.engine if previous else "uv")
    settled = previous is not None and not why and not moved and engine == previous.engine
    if previous is not None and settled and not _forces(options):
        report(context, project, previous, previous, options, fresh=True)
        return 0, None
    for mismatch in why:
        say(context, f"{style('stale', 'yellow')}: {mismatch}")
    lock = _resolve(context, project, request, previous, options, as_of, engine, now)
    if not options.dry_run:
        write_lock(project.lock_path, lock)
    report(context, project, previous, lock, options, fresh=False)
    return 0, lock


def _as_of(
    project: Project,
    text: str | None,
    previous: Lock | None,
    now: datetime,
    note: Callable[[str], None],
) -> datetime | None:
    """The date that ``--as-of`` means; ``git`` is the last commit of what the project asks for."""
    if text is None:
        return None
    if text != "git":
        return parse_as_of(text, now=now)
    from envlock.cli.revision import last_change

    # Which files say what is asked for, reading them tells.
    with files.noting_reads() as read:
        current_request(project, previous, now=now)
    change = last_change(project.root, read - {str(project.lock_path), files.OTHERS})
    note(
        f"as of {change.time:%Y-%m-%dT%H:%M:%SZ}: {change.commit[:12]} ({change.subject}), the last"
        f" commit of {', '.join(change.files)}"
    )
    for commit, before in change.renamed:
        note(f"{commit[:12]} only renamed them (before: {', '.join(before)}), and does not count")
    if change.edited:
        note(f"not committed, so newer than that: {', '.join(change.edited)}")
    return check_range(change.time, "the commit's date", now=now)


def _mismatches(request: Request, previous: Lock | None) -> tuple[Mismatch, ...]:
    """What made the lock stale. Without one nothing is loaded to tell."""
    if previous is None:
        return ()
    from envlock.lock.staleness import mismatches

    return mismatches(request, previous)


def _previous(context: Context, project: Project, options: Options) -> Lock | None:
    """The existing lock. ``--upgrade`` makes it anew, so a damaged one is no obstacle then."""
    if not project.lock_path.exists():
        return None
    from envlock.lock.codec import NewerFormatError

    try:
        return read_lock(project)
    except NewerFormatError:
        raise
    except EnvlockError as error:
        if not options.upgrade.everything:
            raise
        say(context, f"{style('note', 'bold cyan')}: the lock is made anew: {error.what}")
        return None


def _forces(options: Options) -> bool:
    return options.upgrade.everything or bool(options.upgrade.names) or options.refresh


def _resolve(
    context: Context,
    project: Project,
    request: Request,
    previous: Lock | None,
    options: Options,
    as_of: datetime | None,
    engine: str,
    now: datetime,
) -> Lock:
    from envlock.resolve.lock import Plan, make_lock

    fixed = as_of or request.as_of
    upgrading = options.upgrade.everything or bool(options.upgrade.names)
    date = fixed or (now if previous is None or upgrading else previous.as_of)
    # Pins made at another fixed date would make the answer depend on history, not on the date.
    same_world = previous is not None and (fixed is None or fixed == previous.as_of)
    anew = _forces(options)
    nixpkgs, guix = kept.toolchain(request, previous, date, anew=anew)
    plan = Plan(
        root=project.root,
        as_of=date,
        dated=fixed is not None,
        now=now,
        engine=engine,
        pins=previous.packages if previous is not None and same_world else (),
        keep_files=previous is not None and kept.limits(previous.request) == kept.limits(request),
        os_layer=kept.os_layer(request, previous, date, anew=anew),
        standalone=kept.standalone(request, previous, date, anew=anew),
        os_floors=kept.os_floors(previous, date),
        os_seen=kept.os_seen(previous, date),
        nixpkgs=nixpkgs,
        guix=guix,
        image=kept.image(request, previous, date, anew=anew),
        builds=kept.builds(
            request,
            previous if same_world else None,
            anew=options.refresh or options.upgrade.everything,
            moving=options.upgrade.names,
        ),
        upgrade=options.upgrade,
        build=options.build,
        refresh=options.refresh,
    )
    with reporting(context) as reporter:
        return make_lock(request, plan, reporter)


def _check(
    context: Context,
    project: Project,
    previous: Lock | None,
    why: tuple[Mismatch, ...],
    moved: bool,
    options: Options,
) -> int:
    if previous is None:
        raise StaleError(
            "there is no lock yet", where=str(project.lock_path), remedy="run `envlock lock`"
        )
    reasons = [str(mismatch) for mismatch in why]
    if moved:
        reasons.append(f"as-of: the lock is of {previous.as_of:%Y-%m-%dT%H:%M:%SZ}")
    if options.as_json:
        result_json({"stale": bool(reasons), "reasons": reasons, "lock": project.lock_path.name})
    elif reasons:
        for reason in reasons:
            say(context, f"{style('stale', 'yellow')}: {reason}")
        say(context, f"{project.lock_path.name} no longer answers the request: run `envlock lock`")
    else:
        say(context, fresh.message(project.lock_path.name))
    return 1 if reasons else 0
