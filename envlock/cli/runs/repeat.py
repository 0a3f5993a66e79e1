"""``envlock runs repeat``: run what was run once more, elsewhere, and judge what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envlock.cli.context import Context
from envlock.cli.rebuilding.options import (
    archive_option,
    build_root_option,
    chosen_places,
    from_option,
    index_option,
    jobs_option,
    offline_option,
)

if TYPE_CHECKING:
    from envlock.cli.repeating.steps import Repeat

_EPILOG = """\b
Examples:
  envlock runs repeat last
  envlock runs repeat 3f9a0c --rtol 1e-6
  envlock runs repeat last --pin-host       # threads, hash seed, locale … as they were
  envlock runs repeat last --dry-run        # what would be used, and what is gone
  envlock runs repeat last --into /tmp/it   # keep the folder
  envlock runs repeat last --from /media/usb/bundle --offline

The project is only read: code, data and environment are put into a folder of their own.
Exit codes: 0 identical or close, 1 different, 3 something is gone (it is listed)."""


@click.command(epilog=_EPILOG, short_help="Run it again, and judge the results.")
@click.argument("run", metavar="RUN")
@click.option(
    "--rtol", type=click.FloatRange(min=0), default=1e-7, help="Relative tolerance (1e-7)."
)
@click.option("--atol", type=click.FloatRange(min=0), default=0.0, help="Absolute tolerance (0).")
@click.option("--pin-host", is_flag=True, help="Set threads, hash seed, locale … as they were.")
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to run it: a folder that is empty or not there, and is kept.",
)
@click.option("--keep", is_flag=True, help="Keep the folder in which it was run.")
@click.option("--anyway", is_flag=True, help="Run it even though something is gone.")
@click.option("--dry-run", is_flag=True, help="Only say what would be used, and what is gone.")
@from_option
@index_option
@archive_option
@click.option("--from-source", is_flag=True, help="Build its wheels from their locked sdists.")
@build_root_option
@click.option(
    "--build-with",
    type=click.Choice(["built", "wheels"]),
    default="built",
    show_default=True,
    help="With --from-source, what wheels are built with: what is built, too, or locked wheels.",
)
@jobs_option
@offline_option
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")
@click.pass_obj
def repeat(
    context: Context,
    run: str,
    rtol: float,
    atol: float,
    pin_host: bool,
    into: Path | None,
    keep: bool,
    anyway: bool,
    dry_run: bool,
    bundles: tuple[Path, ...],
    indexes: tuple[str, ...],
    archive: str,
    from_source: bool,
    build_root: str | None,
    build_with: str,
    jobs: int | None,
    offline: bool,
    as_json: bool,
) -> int:
    """Run what was run once more: same code, data and environment, in a folder of its own.

    Each result is judged: identical, close (by what it means: tables, arrays, images), different,
    or missing.
    """
    from envlock.cli.repeating.environment import Ways
    from envlock.cli.repeating.steps import Repeat
    from envlock.runs.judge.findings import Tolerance

    places = chosen_places(context, bundles, indexes, archive, offline=offline)
    ways = Ways(
        places=places,
        from_source=from_source,
        build_root=build_root,
        build_with=build_with,
        jobs=jobs,
    )
    steps = Repeat(context, run, ways, pin_host=pin_host)
    with steps.folder(into, keep=keep and not dry_run):
        steps.prepare(dry=dry_run)
        gone = bool(steps.missing)
        if dry_run or (gone and not anyway):
            return _told(context, steps, as_json=as_json, dry=dry_run)
        steps.perform()
        steps.judge(Tolerance(relative=rtol, absolute=atol))
    return _told(context, steps, as_json=as_json, dry=False)


def _told(context: Context, steps: Repeat, *, as_json: bool, dry: bool) -> int:
    from envlock.cli.output import result_json
    from envlock.cli.repeating.report import report, report_json

    if as_json:
        result_json(report_json(steps, dry=dry))
    else:
        report(context, steps, dry=dry)
    if steps.verdict is None:
        return 3 if steps.missing else 0
    return 0 if steps.verdict in ("identical", "close") else 1
