"""``envlock runs``: look at what was run. A file for each of its parts."""

from __future__ import annotations

import click

from envlock.cli.runs.compare import compare
from envlock.cli.runs.diff import diff
from envlock.cli.runs.export import export
from envlock.cli.runs.listing import list_, search
from envlock.cli.runs.page import show
from envlock.cli.runs.repeat import repeat
from envlock.cli.runs.said import comment, outcome, tag

_EPILOG = """\b
Examples:
  envlock runs list --tag paper --failed
  envlock runs show last
  envlock runs diff last~1 last     # why do they differ?
  envlock runs compare --tag sweep  # many, side by side
  envlock runs comment 3f9a0c "the learning rate was too high"
  envlock runs tag last baseline
  envlock runs outcome last good
  envlock runs search "smaller batches"
  envlock runs repeat last          # is the result the same?

RUN is an id, the beginning of one or of its random part, or `last` (`last~1`: the one before)."""


@click.group(epilog=_EPILOG)
def command() -> None:
    """Look at what was run, and say something of it."""


for part in (list_, search, show, diff, compare, comment, tag, outcome, repeat, export):
    command.add_command(part)
