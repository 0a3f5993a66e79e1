"""``envlock runs diff``: why two runs differ."""

from __future__ import annotations

import click

from envlock.cli.context import Context
from envlock.cli.output import result, result_json, say
from envlock.cli.runs.common import Runs, json_option, short
from envlock.cli.style import style
from envlock.runs.facts import fact_value, one_line


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B", default="last")
@json_option
@click.pass_obj
def diff(context: Context, before: str, after: str, as_json: bool) -> None:
    """Show why two runs differ: code, environment, data, parameters, host; then the results."""
    from envlock.runs.difference import differences

    runs = Runs(context)
    one, other = runs.table(before), runs.table(after)
    found = differences(one, other, blob=runs.blob)
    if as_json:
        rows = [
            {"after": d.after, "before": d.before, "layer": d.layer.value, "subject": d.subject}
            for d in found
        ]
        result_json({"after": other["id"], "before": one["id"], "differences": rows})
        return
    say(context, f"{one['id']} → {other['id']}")
    if not found:
        say(context, "no difference in what was recorded")
    layer = None
    for entry in found:
        if entry.layer is not layer:
            layer = entry.layer
            result(style(layer.value, "bold"))
        shown = [
            one_line(fact_value(value)) if value is not None else "nothing"
            for value in (entry.before, entry.after)
        ]
        result(f"  {one_line(entry.subject)}: {short(shown[0])} → {short(shown[1])}")
