"""``envlock runs list`` and ``search``: many runs, a line each."""

from __future__ import annotations

from typing import Any

import click

from envlock.cli.context import Context
from envlock.cli.output import result, result_json, say
from envlock.cli.runs.common import Runs, json_option, length, shell
from envlock.cli.runs.conditions import conditions, question
from envlock.runs.facts import one_line
from envlock.runs.index import Question, Summary


@click.command("list")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, help="How many (20).")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@conditions
@json_option
@click.pass_obj
def list_(
    context: Context, /, limit: int, everything: bool, as_json: bool, **conditions: Any
) -> None:
    """List runs, the newest first."""
    _show_list(context, question(conditions, None if everything else limit), as_json=as_json)


@click.command()
@click.argument("text")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, help="How many (20).")
@json_option
@click.pass_obj
def search(context: Context, text: str, limit: int, as_json: bool) -> None:
    """List runs with TEXT in the command, the reason, a tag or a comment."""
    _show_list(context, Question(text=text, limit=limit), as_json=as_json)


def _show_list(context: Context, question: Question, *, as_json: bool) -> None:
    found = Runs(context).index.select(question)
    if as_json:
        result_json({"runs": [_summary_json(one) for one in found]})
        return
    if not found:
        say(context, "no runs")
        return
    rows = [
        (
            one.id[-12:],
            f"{one.started[:10]} {one.started[11:19]}",
            length(one.duration),
            one.ending if one.state == "finished" else one.state,
            one_line(" ".join((*one.tags, *([one.outcome] if one.outcome else [])))),
            one_line(one.why) if one.why else shell(one.argv),
        )
        for one in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        result("  ".join([*(cell for cell in cells if cell), row[5]]).rstrip())


def _summary_json(one: Summary) -> dict[str, Any]:
    return {
        "argv": list(one.argv),
        "commit": one.commit,
        "duration": one.duration,
        "ended": one.ending or None,
        "environment-hash": one.environment_hash,
        "group": one.group,
        "id": one.id,
        "metrics": one.metrics,
        "outcome": one.outcome,
        "started": one.started,
        "state": one.state,
        "tags": list(one.tags),
        "why": one.why or None,
    }
