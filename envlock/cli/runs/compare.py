"""``envlock runs compare``: many runs side by side, in a table or as points on axes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from envlock.cli.context import Context
from envlock.cli.output import result, result_json, say
from envlock.cli.runs.common import Runs, json_option
from envlock.cli.runs.conditions import conditions, question
from envlock.errors import UsageError

if TYPE_CHECKING:
    from envlock.runs.chart.points import Chart

_EPILOG = """\b
Examples:
  envlock runs compare                          # the newest 20
  envlock runs compare last~1 last --all
  envlock runs compare --group sweep --format markdown
  envlock runs compare --group sweep --metric loss --by lr --log-x
  envlock runs compare --group sweep --metric loss --series --svg loss.svg

A table that is wider than the terminal goes on below. NAME is one of the runs' own metrics, or
duration, cpu-user, cpu-system (s), max-resident, read, written (MB)."""

_PARTS = (
    *("parameters", "metrics", "exit", "code", "environment", "data", "command", "host", "output"),
)
_FORMATS = ("table", "markdown", "csv")


@click.command(epilog=_EPILOG, short_help="Show many, with what differs; draw metrics.")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, help="How many (20).")
@conditions
@click.option("--all", "everything", is_flag=True, help="Also what is the same in all runs.")
@click.option(
    "--part",
    "parts",
    type=click.Choice(_PARTS),
    multiple=True,
    help="Only these columns; may be repeated.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="table",
    help="How it is written (table).",
)
@click.option("--metric", metavar="NAME", help="Draw this metric instead.")
@click.option("--by", metavar="PARAM", help="With --metric: the parameter on the first axis.")
@click.option("--series", is_flag=True, help="With --metric: all its values, a line for each run.")
@click.option("--log-x", is_flag=True, help="With --metric: powers of ten on the first axis.")
@click.option("--log-y", is_flag=True, help="With --metric: powers of ten on the second axis.")
@click.option("--svg", metavar="FILE", help="With --metric: write an SVG image (-: to stdout).")
@json_option
@click.pass_obj
def compare(
    context: Context,
    /,
    runs: tuple[str, ...],
    limit: int,
    everything: bool,
    parts: tuple[str, ...],
    form: str,
    metric: str | None,
    by: str | None,
    series: bool,
    log_x: bool,
    log_y: bool,
    svg: str | None,
    as_json: bool,
    **conditions: Any,
) -> None:
    """Show runs side by side, with what differs between them: RUN..., or by conditions."""
    if metric is None and (by or series or log_x or log_y or svg):
        raise click.UsageError("--by, --series, --log-x, --log-y and --svg need --metric NAME")
    if by is not None and series:
        raise click.UsageError("--by and --series: one of them")
    known = Runs(context)
    records = _records(known, runs, conditions, limit)
    if not records and not as_json:
        say(context, "no runs")
    elif metric is None:
        chosen = parts or _PARTS
        _table(context, known, records, chosen, form, everything=everything, as_json=as_json)
    else:
        from envlock.runs.chart.points import chart

        points = {r["id"]: _series(known, r, metric) for r in records} if series else None
        found = chart(records, metric, by=by, series=points, logarithmic=(log_x, log_y))
        _draw(context, found, svg, as_json=as_json)
        if found.left_out:
            ids = ", ".join(run[-12:] for run in found.left_out)
            say(context, f"not drawn, as they have no such number: {ids}")


def _records(
    known: Runs, runs: tuple[str, ...], conditions: dict[str, Any], limit: int
) -> list[dict[str, Any]]:
    """Those named, in that order, each once; else those asked for, the oldest first."""
    asked = question(conditions, limit)
    if not runs:
        names = [one.id for one in known.index.select(asked)]
        return [known.table(name) for name in reversed(names)]
    if asked.facts or asked.since or asked.until:
        raise UsageError("runs are named, or asked for by conditions: not both")
    tables = [known.table(name) for name in runs]
    return list({table["id"]: table for table in tables}.values())


def _series(known: Runs, record: dict[str, Any], metric: str) -> list[Any]:
    try:
        kept = json.loads(known.blob(record["series-sha256"]))
    except (KeyError, OSError, ValueError):
        return []
    values = kept.get(metric) if isinstance(kept, dict) else None
    return values if isinstance(values, list) else []


def _table(
    context: Context,
    known: Runs,
    records: list[dict[str, Any]],
    parts: tuple[str, ...],
    form: str,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    from envlock.runs.compare import Part, columns

    found = columns(
        records, blob=known.blob, parts=[Part(part) for part in parts], everything=everything
    )
    if as_json:
        rows = [{"name": c.name, "part": c.part.value, "values": list(c.values)} for c in found]
        result_json({"columns": rows, "runs": [record["id"] for record in records]})
        return
    from envlock.cli.runs import tables

    ids = [record["id"] for record in records]
    if form == "csv":
        click.echo(tables.csv_text(ids, found), nl=False)
    elif form == "markdown":
        result(tables.markdown(ids, found))
    else:
        if not found:
            say(context, "no difference in what was recorded")
        shown, hidden = (
            tables.most_telling(found)
            if not everything and len(parts) > 1
            else (
                found,
                {},
            )
        )
        for line in tables.plain(ids, shown, width=_width()):
            result(line)
        for part, count in hidden.items():
            say(context, f"{count} more columns of {part}: --part {part}")


def _draw(context: Context, found: Chart, path: str | None, *, as_json: bool) -> None:
    if path is not None:
        from envlock.runs.chart.svg import svg

        text = svg(found)
        if path == "-":
            click.echo(text, nl=False)
            return
        from envlock.io.files import write_atomic

        write_atomic(context.directory / path, text)
    if as_json:
        result_json(_chart_json(found))
    elif path is not None:
        say(context, f"{path} written")
    else:
        from envlock.runs.chart.text import draw

        encoding = (sys.stdout.encoding or "ascii").lower()
        for line in draw(found, width=_width() or 80, plain=not encoding.startswith("utf")):
            result(line)


def _chart_json(found: Chart) -> dict[str, Any]:
    def told(x: float) -> Any:
        return found.categories[int(x)] if found.categories else x

    lines = [
        [{"run": p.run, "x": told(p.x), "y": p.y} for p in line.points] for line in found.lines
    ]
    return {"left-out": list(found.left_out), "lines": lines, "x": found.x_name, "y": found.y_name}


def _width() -> int | None:
    """Of the terminal; None where the result goes elsewhere and may be as wide as it is."""
    import os
    import shutil

    if os.environ.get("COLUMNS", "").isdigit() or sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    return None
