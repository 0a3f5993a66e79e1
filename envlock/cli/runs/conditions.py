"""Which runs: the options that say so, and the question that they ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from envlock.runs.facts import fact_value
from envlock.runs.ids import instant
from envlock.runs.index import Question
from envlock.runs.parameters import typed

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--tag", metavar="TAG", multiple=True, help="With this tag; may be repeated."),
    click.option("--group", metavar="GROUP", help="Parts of this group."),
    click.option("--param", metavar="K=V", multiple=True, help="With this parameter."),
    click.option("--env", metavar="HASH", help="In the environment with this hash."),
    click.option("--commit", metavar="ID", help="Of this commit (40 digits)."),
    click.option("--outcome", metavar="WORD", help="That turned out so."),
    click.option("--failed", is_flag=True, help="That ended with an error."),
    click.option("--since", metavar="DATE", help="Started then (UTC) or later: 2026-03-01."),
    click.option("--until", metavar="DATE", help="Started before then (UTC)."),
)


def conditions(function: F) -> F:
    """The options; the command has their values as further keywords, for ``question``."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def question(found: Mapping[str, Any], limit: int | None) -> Question:
    """What the options ask for: all of it holds at once."""
    single = {"group": "group", "environment": "env", "commit": "commit", "outcome": "outcome"}
    facts = [f"tag={one}" for one in found["tag"]]
    facts += [f"{fact}={found[name]}" for fact, name in single.items() if found[name] is not None]
    facts += [_parameter_fact(one) for one in found["param"]]
    facts += ["ended=failed"] if found["failed"] else []
    return Question(
        facts=tuple(facts),
        since=_instant("--since", found["since"]),
        until=_instant("--until", found["until"]),
        limit=limit,
    )


def _parameter_fact(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        raise click.UsageError(f"--param {pair}: not of the form name=value")
    return f"param.{name}={fact_value(typed(value))}"


def _instant(option: str, text: str | None) -> str | None:
    """A day or an instant, as records have it: texts of one form compare as their times do."""
    if text is None:
        return None
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{option} {text}: no date like 2026-03-01") from None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return instant(found.timestamp())
