"""``envlock verify``: whether locked sdists build to the same bytes, whatever surrounds them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envlock.cli.common import (
    json_option,
    locate_project,
    locked_target,
    name_option,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import reporting, result_json, say
from envlock.cli.rebuilding.options import (
    build_root_option,
    chosen_places,
    from_option,
    jobs_option,
    offline_option,
    target_option,
)
from envlock.cli.rebuilding.python import provided_python
from envlock.cli.style import style
from envlock.errors import EXIT_DRIFT, EXIT_SOURCE, SourceError, UsageError
from envlock.io.machine import machine_platform
from envlock.lock.artifacts import UsedFiles
from envlock.lock.hashing import environment_hash
from envlock.lock.selection import select_target, wanted_packages
from envlock.realise.rebuild.gather import ARCHIVE, Places, gather

if TYPE_CHECKING:
    from envlock.cli.build_root import Surroundings
    from envlock.io.progress import Reporter
    from envlock.lock.model import Lock
    from envlock.lock.package import PythonPackage
    from envlock.lock.target import Target
    from envlock.realise.source.verify import Verdict

_EPILOG = """\b
Examples:
  envlock verify                # every sdist that the lock says how to build
  envlock verify numpy attrs    # these
  envlock verify --json

Each is built in the usual conditions of `envlock rebuild --from-source` (or was, and is in the
store), and once more with another path, user, umask, date (where libfaketime is installed), time
zone, locale, order and times of files, order of hashes and number of processors. Exit code 1 when
a wheel is not the same."""


@click.command(epilog=_EPILOG)
@click.argument("packages", metavar="[PACKAGE]...", nargs=-1)
@target_option
@from_option
@build_root_option
@jobs_option
@offline_option
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context,
    packages: tuple[str, ...],
    target: str | None,
    bundles: tuple[Path, ...],
    build_root: str | None,
    jobs: int | None,
    offline: bool,
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> int:
    """Build wheels twice in different conditions, and say where they differ first."""
    project = locate_project(context, name=name, script=script)
    lock = read_lock(project)
    chosen = (
        select_target(lock, machine_platform()) if target is None else locked_target(lock, target)
    )
    places = chosen_places(context, bundles, (), ARCHIVE, offline=offline)
    with reporting(context, in_bytes=True) as reporter:
        verdicts, where, left_out = _verify(
            lock, project.root, chosen, packages, places, build_root, jobs, reporter
        )
    if as_json:
        result_json(
            {
                "environment-hash": environment_hash(lock).root,
                "target": chosen.key,
                "build-root": where.as_json(),
                "not-tried": list(left_out),
                "wheels": [_as_json(verdict) for verdict in verdicts],
            }
        )
    else:
        _report(context, verdicts, where, left_out)
    if any(verdict.reproducible is None for verdict in verdicts):
        return EXIT_SOURCE
    return 0 if all(verdict.reproducible for verdict in verdicts) else EXIT_DRIFT


def _verify(
    lock: Lock,
    root: Path,
    target: Target,
    names: tuple[str, ...],
    places: Places,
    build_root: str | None,
    jobs: int | None,
    reporter: Reporter,
) -> tuple[tuple[Verdict, ...], Surroundings, tuple[str, ...]]:
    """The verdicts, where was built, and the conditions that cannot be different there."""
    from envlock.cli.build_root import choose_root
    from envlock.realise.source.build import Workshop, build_seconds
    from envlock.realise.source.perform import build_all
    from envlock.realise.source.plan import make_plan
    from envlock.realise.source.verify import not_tried, verify_all

    python, _, gathered = provided_python(lock, root, target, places, reporter)
    if python is None:
        raise _missing([sha256 for sha256, one in gathered.items() if one.origin is None])
    where = choose_root(lock, root, target, python, places, build_root, reporter)
    if where.missing:
        raise _missing(list(where.missing))
    workshop = Workshop(python=python, root=where.root, seconds=build_seconds())
    packages = _named(wanted_packages(lock, target, python.version), names)
    # What the wheels are built with is the same both times, wherever it comes from.
    plan = make_plan(lock, packages, target, workshop.version, where.glibc_minor, wheels=True)
    if not plan.jobs:
        raise UsageError(f"nothing of {', '.join(names) or 'the lock'} is built from source")
    found = gather(lock, UsedFiles(python=plan.files), root, places, reporter)
    absent = {sha256 for sha256, one in found.items() if one.origin is None}
    if absent:
        raise _missing([f.file.name for f in plan.files if f.file.sha256 in absent])
    built = build_all(plan, workshop, jobs=jobs, reporter=reporter)
    verdicts = verify_all(built, workshop, jobs=jobs, reporter=reporter)
    return verdicts, where, not_tried(workshop)


def _missing(names: list[str]) -> SourceError:
    return SourceError(
        f"files are missing: {', '.join(names)}",
        remedy="`envlock rebuild --from-source` says what was tried",
    )


def _named(packages: tuple[PythonPackage, ...], names: tuple[str, ...]) -> list[PythonPackage]:
    from packaging.utils import canonicalize_name

    wanted = {str(canonicalize_name(name)): name for name in names}
    unknown = [text for name, text in wanted.items() if all(p.name != name for p in packages)]
    if unknown:
        raise UsageError(
            f"the lock has no package {', '.join(unknown)} for this machine",
            remedy="see `envlock tree`",
        )
    return [package for package in packages if not names or package.name in wanted]


def _as_json(verdict: Verdict) -> dict[str, Any]:
    built = verdict.built
    return {
        "name": built.job.key[0],
        "version": built.job.key[1],
        "sha256": built.wheel.sha256 if built.wheel else None,
        "reproducible": verdict.reproducible,
        "difference": verdict.difference,
        "causes": list(verdict.causes),
        "failure": built.failure,
        "diffoscope": verdict.report,
    }


def _tell_differences(context: Context, lines: list[str]) -> None:
    """diffoscope's report; of a long one the beginning."""
    shown = lines if context.verbose else lines[:_SHOWN]
    say(context, "\n".join(f"      {line}" for line in shown))
    if len(shown) < len(lines):
        say(context, f"      … {len(lines) - len(shown)} more lines of diffoscope: --verbose")


_SHOWN = 24
_NEEDS = {
    "user": "user namespaces",
    "number of processors": "more than one",
    "date": "libfaketime, of a C library no newer than the build's",
}


def _report(
    context: Context,
    verdicts: tuple[Verdict, ...],
    where: Surroundings,
    left_out: tuple[str, ...],
) -> None:
    say(context, f"  {style('built', 'cyan')}  {where.told()}")
    for verdict in verdicts:
        title = verdict.built.job.title
        if verdict.reproducible:
            say(context, f"  {style('reproducible', 'green')}  {title}")
        elif verdict.reproducible is None:
            say(context, f"{style('error', 'bold red')}: {title} was not built:")
            said = verdict.built.failure or ""
            say(context, "\n".join(f"    {line}" for line in said.splitlines()))
        else:
            say(context, f"  {style('differs', 'red')}  {title}: {verdict.difference}")
            say(context, f"      it depends on: {', '.join(verdict.causes)}")
            if verdict.report:
                _tell_differences(context, verdict.report.splitlines())
    if left_out:
        told = "; ".join(f"{word} (needs {_NEEDS[word]})" for word in left_out)
        say(context, f"{style('note', 'bold cyan')}: not tried here: {told}")
    same = sum(bool(verdict.reproducible) for verdict in verdicts)
    say(context, f"{same} of {len(verdicts)} wheels are reproducible")
