"""``envlock init``: find what the project has and write the smallest settings that lock it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from envlock.cli.common import json_option, project_guard
from envlock.cli.context import Context
from envlock.cli.output import result, result_json, say
from envlock.errors import UsageError
from envlock.io.files import write_atomic
from envlock.io.machine import machine_platform, running_python
from envlock.lock.target import PLATFORMS, Target
from envlock.project.document import shown_path
from envlock.project.init import InitPlan, plan_init

_EPILOG = """\b
Examples:
  envlock init                      # into pyproject.toml, or a new envlock.toml
  envlock init --python 3.12        # for another Python than the one that runs envlock
  envlock init --script tool.py     # into the script's own metadata block (PEP 723)
  envlock init --dry-run            # show the change, write nothing

Read: pyproject.toml (dependencies, groups), requirements.in or .txt, environment.yml,
setup.cfg. What is there already is kept as it is, to the byte; a table is added."""


@click.command(epilog=_EPILOG)
@click.option(
    "--script",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write into this Python script's metadata block instead.",
)
@click.option(
    "--python",
    metavar="VERSION",
    help='The Python to lock for ("3.12" or "3.12.4"). '
    "Default: .python-version, environment.yml's, or the running one.",
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="NAME",
    help="A platform to lock for (linux/arm64); may be repeated. Default: this machine's.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@json_option
@click.pass_obj
def command(
    context: Context,
    script: Path | None,
    python: str | None,
    platforms: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Find what the project has and write the smallest [tool.envlock] that locks it."""
    _check(python, platforms)
    folder = (context.directory / script).parent if script is not None else context.directory
    if not folder.is_dir():
        raise UsageError("no such folder", where=str(folder))
    with project_guard(context, folder):
        plan = plan_init(
            context.directory,
            python=python,
            running=running_python(),
            platforms=platforms or (machine_platform(),),
            script=script,
            now=datetime.now(UTC),
        )
        if not dry_run:
            write_atomic(plan.path, plan.content)
    shown = shown_path(plan.path, context.directory)
    follow = f"envlock lock --script {shown}" if script is not None else "envlock lock"
    if as_json:
        result_json(_facts(plan, shown, follow, written=not dry_run))
        return
    _tell(context, plan, shown, follow, dry_run=dry_run)


def _check(python: str | None, platforms: tuple[str, ...]) -> None:
    """Refuse words that are no Python or platform before anything is read."""
    for platform in platforms or (next(iter(PLATFORMS)),):
        Target(platform=platform, python=python or "3.11")


def _tell(context: Context, plan: InitPlan, shown: str, follow: str, *, dry_run: bool) -> None:
    for line in plan.found:
        say(context, f"found  {line}")
    for line in plan.notes:
        say(context, f"note   {line}")
    if dry_run:
        result((plan.content if plan.created else plan.diff).rstrip("\n"))
        say(context, f"nothing was written; without --dry-run this goes into {shown}")
        return
    targets = ", ".join(target.key for target in plan.request.targets)
    count = len(plan.request.wishes)
    noun = "requirement" if count == 1 else "requirements"
    say(context, f"wrote  {shown}: {count} {noun} for {targets}")
    say(context, f"next   {follow}")


def _facts(plan: InitPlan, shown: str, follow: str, *, written: bool) -> dict[str, Any]:
    request = plan.request
    return {
        "created": plan.created,
        "diff": plan.diff,
        "found": list(plan.found),
        "next": follow,
        "notes": list(plan.notes),
        "path": shown,
        "requirements": request.canonical().get("requirements", []),
        "targets": [target.key for target in request.targets],
        "written": written,
    }
