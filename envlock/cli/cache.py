"""``envlock cache``: where it is, how large, and how it gets smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envlock.cli.artifacts import size_text
from envlock.cli.common import json_option
from envlock.cli.context import Context
from envlock.cli.output import reporting, result, result_json, say
from envlock.io.paths import cache_dir

if TYPE_CHECKING:
    from envlock.io.housekeeping import Use

_EPILOG = """\b
Examples:
  envlock cache dir
  envlock cache size
  envlock cache prune               # what nobody used for 90 days
  envlock cache prune --days 7 --dry-run
  envlock cache clean               # everything

Nothing in the cache is the only copy of anything but what the world has lost: make a bundle
(`envlock bundle`) of a lock whose files may go. uv has a cache of its own: `uv cache prune`."""

_DAYS = 90


@click.group(epilog=_EPILOG)
def command() -> None:
    """Look at envlock's cache, and make it smaller."""


_dry_run = click.option("--dry-run", is_flag=True, help="Show what would go; remove nothing.")


@command.command("dir")
@json_option
def show_dir(as_json: bool) -> None:
    """Print the cache's folder: ENVLOCK_CACHE_DIR, or the platform's own."""
    if as_json:
        result_json({"directory": str(cache_dir())})
    else:
        result(str(cache_dir()))


@command.command("size")
@json_option
def show_size(as_json: bool) -> None:
    """Print what the cache has, by kind."""
    from envlock.io.housekeeping import measure

    uses = measure()
    if as_json:
        result_json(_as_json(uses))
        return
    for line in _table(uses):
        result(line)


@command.command()
@click.option(
    "--days",
    type=click.FloatRange(min=0, max=36500),
    default=_DAYS,
    show_default=True,
    metavar="N",
    help="What was not used for so long.",
)
@_dry_run
@json_option
@click.pass_obj
def prune(context: Context, days: float, dry_run: bool, as_json: bool) -> None:
    """Remove what was not used for long, and what older versions of envlock left."""
    from envlock.io import housekeeping

    with reporting(context) as reporter:
        gone = housekeeping.prune(days, reporter, dry_run=dry_run)
    _report(context, gone, dry_run=dry_run, as_json=as_json)


@command.command()
@_dry_run
@json_option
@click.pass_obj
def clean(context: Context, dry_run: bool, as_json: bool) -> None:
    """Remove everything that envlock keeps in its cache, and nothing else."""
    from envlock.io import housekeeping

    with reporting(context) as reporter:
        gone = housekeeping.clean(reporter, dry_run=dry_run)
    _report(context, gone, dry_run=dry_run, as_json=as_json)


def _report(context: Context, gone: tuple[Use, ...], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        result_json({**_as_json(gone), "dry-run": dry_run})
        return
    if context.verbose and gone:
        for line in _table(gone):
            say(context, line)
    verb = "would be removed" if dry_run else "removed"
    size = size_text(sum(use.size for use in gone))
    say(context, f"{size} {verb} from {cache_dir()}" if gone else "nothing to remove")


def _table(uses: tuple[Use, ...]) -> list[str]:
    from envlock.io.housekeeping import GROUPS

    total = sum(use.size for use in uses)
    rows = [(use.group, use.size, GROUPS[use.group]) for use in uses]
    return [
        f"{name:<12}  {size_text(size):>9}  {text}".rstrip()
        for name, size, text in (*rows, ("in all", total, ""))
    ]


def _as_json(uses: tuple[Use, ...]) -> dict[str, object]:
    return {
        "bytes": sum(use.size for use in uses),
        "directory": str(cache_dir()),
        "groups": [{"bytes": use.size, "entries": use.entries, "name": use.group} for use in uses],
    }
