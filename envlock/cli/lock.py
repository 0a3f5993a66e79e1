"""``envlock lock``: resolve the project as of a date and write pylock.toml."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envlock.cli import fresh, kept
from envlock.cli.common import (
    current_request,
    image_json,
    library_json,
    locate_project,
    name_option,
    only_of_files,
    project_guard,
    read_lock,
    script_option,
    write_lock,
)
from envlock.cli.context import Context
from envlock.cli.output import noting_said, reporting, result_json, say
from envlock.cli.style import style
from envlock.errors import EnvlockError, StaleError, UsageError
from envlock.io import files
from envlock.project.dates import check_range, parse_absolute, parse_as_of
from envlock.project.locate import Project
from envlock.resolve.python import uv_runs
from envlock.resolve.python.engine import Upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from envlock.lock.model import Lock
    from envlock.lock.request import Request
    from envlock.lock.staleness import Mismatch
    from envlock.resolve.python.uv_runs import UvAnswer, UvOrder

_EPILOG = """\b
Examples:
  envlock lock                               # first time: as of now
  envlock lock --as-of 2026-03-01            # as it was at that day's start, UTC
  envlock lock --as-of "2 weeks ago"
  envlock lock --as-of git                   # when the requirements were last committed
  envlock lock --upgrade                     # everything, as of now
  envlock lock --upgrade-package numpy       # this one, the others stay
  envlock lock --check                       # in CI: exit 1 when the lock is stale"""


_CHANGES = 50
"""Lines of changes, without --verbose: OS packages come by the hundred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command's own options."""

    as_of: str | None
    engine: str | None
    upgrade: Upgrade
    check: bool
    dry_run: bool
    build: bool
    refresh: bool
    as_json: bool


_PLAIN = Options(
    as_of=None,
    engine=None,
    upgrade=Upgrade(),
    check=False,
    dry_run=False,
    build=True,
    refresh=False,
    as_json=False,
)


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
        _remember(context, project, options, read, since)
    elif first and writes and lock is not None and len(runs) == bool(lock.request.wishes):
        run = runs[0] if runs else None
        _remember_lock(context, project, options, lock, read, since, run, said)
    return code


def _remember(
    context: Context, project: Project, options: Options, read: set[str], since: int
) -> None:
    """Keep a plain ``lock --check``'s verdict, where all that it depends on is in ``read``."""
    own = project.name is None and project.kind != "script" and context.directory == Path()
    if not own or options.as_of is not None or options.as_json:
        return
    if only_of_files(read_lock(project).request, read):
        fresh.remember("lock --check", files=read, root=str(project.root), since=since)


def _remember_lock(
    context: Context,
    project: Project,
    options: Options,
    lock: Lock,
    read: set[str],
    since: int,
    run: tuple[UvOrder, UvAnswer] | None,
    said: list[str],
) -> None:
    """Keep a plain first lock, where it follows from files and uv's one answer alone.

    Signed Releases of a settled date are files, too: the cache's.
    """
    request = lock.request
    own = project.name is None and project.kind != "script" and context.directory == Path()
    more = (request.nix, request.guix, request.image_base)
    reads_wheels = request.os_base is not None and request.os_libraries and bool(lock.packages)
    if (
        not own
        or context.verbose
        or options != replace(_PLAIN, as_of=options.as_of)
        or (options.as_of is not None and parse_absolute(options.as_of) is None)
        or (options.as_of is None and request.as_of is None)
        or lock.engine != "uv"
        or request.sources
        or reads_wheels
        or request.interpreter == "standalone"
        or any(part is not None for part in more)
        or any("@" in wish.text for wish in (*request.wishes, *request.constraints))
        or not only_of_files(request, read)
    ):
        return
    from envlock.cli import again
    from envlock.resolve.python.config import places

    again.remember(
        sys.argv[1:],
        files=read - {str(project.lock_path)},
        places=[*map(str, places()), *_apt_places(request)],
        root=str(project.root),
        lock_path=str(project.lock_path),
        run=run,
        said=said,
        since=since,
    )


def _apt_places(request: Request) -> tuple[str, ...]:
    if request.os_base is None:
        return ()
    from envlock.io.apt_config import PLACES

    return PLACES


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
        _report(context, project, previous, previous, options, fresh=True)
        return 0, None
    for mismatch in why:
        say(context, f"{style('stale', 'yellow')}: {mismatch}")
    lock = _resolve(context, project, request, previous, options, as_of, engine, now)
    if not options.dry_run:
        write_lock(project.lock_path, lock)
    _report(context, project, previous, lock, options, fresh=False)
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


def _report(
    context: Context,
    project: Project,
    previous: Lock | None,
    lock: Lock,
    options: Options,
    *,
    fresh: bool,
) -> None:
    from envlock.lock.diff import diff
    from envlock.lock.hashing import environment_hash
    from envlock.lock.provider import provider
    from envlock.project.document import nearest

    changes = () if previous is None or fresh else diff(previous, lock).changes
    hashed = environment_hash(lock)
    if options.as_json:
        result_json(
            {
                "lock": project.lock_path.name,
                "written": not options.dry_run and not fresh,
                "as-of": f"{lock.as_of:%Y-%m-%dT%H:%M:%SZ}",
                "environment-hash": hashed.root,
                "packages": len(lock.packages),
                "os-packages": len(lock.os.packages) if lock.os else 0,
                "os-build-packages": len(lock.os.build_packages) if lock.os else 0,
                "os-sources": len(lock.os.sources) if lock.os else 0,
                "missing-libraries": [
                    library_json(entry) for entry in (lock.os.missing if lock.os else ())
                ],
                "builds": len(lock.builds),
                "image": None if lock.image is None else image_json(lock.image),
                "interpreters": [
                    {"target": t.key, "provider": provider(lock, t)} for t in sorted(lock.targets)
                ],
                "changes": [
                    {
                        "layer": c.layer,
                        "name": c.name,
                        "kind": c.kind,
                        "before": c.before,
                        "after": c.after,
                    }
                    for c in changes
                ],
            }
        )
        return
    known = {package.name for package in (*lock.packages, *lock.build_packages)}
    for name in sorted(options.upgrade.names - known):
        near = nearest(name, known)
        near = f"; {near}" if near.startswith("did you mean") else ""
        text = f"--upgrade-package {name} moves nothing: the lock has no such package{near}"
        say(context, f"{style('note', 'bold cyan')}: {text}")
    # That there are OS packages at all is one change; which ones, --verbose and `tree` tell.
    whole = None if context.verbose else _whole_layer(previous, lock)
    if whole is not None:
        say(context, whole)
    told = [
        change
        for change in changes  # of libraries, notes have told what is missing
        if change.layer != "library" and not (change.layer == "os" and whole is not None)
    ]
    most = len(told) if context.verbose or len(told) <= _CHANGES + 1 else _CHANGES
    for change in told[:most]:
        name = f"build {change.name}" if change.layer == "build" else change.name
        say(context, f"  {change.kind:<10} {name} {_versions(change.before, change.after)}")
    if len(told) > most:
        say(context, f"  … and {len(told) - most} more changes: --verbose shows all")
    if not fresh:
        for built in lock.built:
            say(
                context,
                f"{style('note', 'bold cyan')}: {built} has no wheel for some target"
                " and is built from its sdist",
            )
        for target in sorted(lock.targets):
            provided = provider(lock, target)
            if provided is not None:
                say(context, f"  CPython for {target.key}: {provided}")
        for line in _toolchain(lock):
            say(context, line)
    verb = "is up to date" if fresh else "would be" if options.dry_run else "written"
    targets = ", ".join(t.key for t in lock.targets)
    say(
        context,
        f"{project.lock_path.name} {verb}: {_count(lock)} for {targets},"
        f" as of {lock.as_of:%Y-%m-%d %H:%M:%SZ}, {hashed.short}",
    )


def _whole_layer(previous: Lock | None, lock: Lock) -> str | None:
    """That OS packages came or went altogether; None where they did not."""
    before = previous.os if previous is not None else lock.os
    if lock.os is not None and before is None:
        return f"  {'added':<10} {len(lock.os.packages)} packages of {lock.os.base}"
    if lock.os is None and before is not None:
        return f"  {'removed':<10} {len(before.packages)} packages of {before.base}"
    return None


def _count(lock: Lock) -> str:
    count = f"{len(lock.packages)} package{'' if len(lock.packages) == 1 else 's'}"
    if lock.builds:
        count += f" ({len(lock.builds)} with build requirements)"
    if lock.os is None:
        return count
    count += f" and {len(lock.os.packages)} of {lock.os.base}"
    if lock.os.build_packages:
        count += f" (and {len(lock.os.build_packages)} to build with)"
    if lock.request.sources:
        count += f" (from {len(lock.os.sources)} source packages)"
    return count


def _toolchain(lock: Lock) -> list[str]:
    lines = []
    if lock.nixpkgs is not None:
        pin = lock.nixpkgs
        lines.append(f"nixpkgs {pin.branch} {pin.rev[:12]} of {pin.last_modified:%Y-%m-%d}")
    if lock.guix is not None:
        lines.append(f"guix {lock.guix.branch} {lock.guix.commit[:12]}")
    if lock.image is not None:
        lines.append(f"base image {lock.image.reference} {lock.image.digest[:19]}")
    return lines


def _versions(before: str | None, after: str | None) -> str:
    if before is None or after is None:
        return before or after or ""
    return f"{before} → {after}"
