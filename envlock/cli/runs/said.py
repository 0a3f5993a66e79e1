"""``envlock runs comment``, ``tag`` and ``outcome``: what is said of a run later."""

from __future__ import annotations

import click

from envlock.cli.context import Context
from envlock.cli.output import result_json, say
from envlock.cli.runs.common import Runs, event_json, json_option, run_argument
from envlock.runs.record import OUTCOMES, Event


@click.command()
@run_argument
@click.argument("text")
@json_option
@click.pass_obj
def comment(context: Context, run: str, text: str, as_json: bool) -> None:
    """Say something of a run."""
    _said(context, Runs(context).add(run, "comment", text=text), as_json=as_json)


@click.command()
@run_argument
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take them away.")
@json_option
@click.pass_obj
def tag(context: Context, run: str, tags: tuple[str, ...], remove: bool, as_json: bool) -> None:
    """Give a run tags, or take some away."""
    chosen = {"remove" if remove else "add": tuple(sorted(set(tags)))}
    _said(context, Runs(context).add(run, "tag", **chosen), as_json=as_json)


@click.command()
@run_argument
@click.argument("word", metavar=f"{'|'.join(OUTCOMES)}|WORD")
@json_option
@click.pass_obj
def outcome(context: Context, run: str, word: str, as_json: bool) -> None:
    """Say how a run turned out; the last word counts."""
    _said(context, Runs(context).add(run, "outcome", text=word), as_json=as_json)


def _said(context: Context, event: Event, *, as_json: bool) -> None:
    if as_json:
        result_json(event_json(event) | {"run": event.run})
    else:
        say(context, f"{event.kind} of {event.run} kept")
