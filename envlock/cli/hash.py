"""``envlock hash``: print the environment hash."""

from __future__ import annotations

from pathlib import Path

import click

from envlock.cli.common import json_option, locate_project, name_option, read_lock, script_option
from envlock.cli.context import Context
from envlock.cli.output import result, result_json
from envlock.lock.hashing import environment_hash

_EPILOG = """\b
Examples:
  envlock hash            # env1- and 64 hex digits
  envlock hash --short    # env1- and 12, for people
  envlock hash --json     # with the digest of each layer

Locks that install the same have the same hash, whenever and from wherever they were made."""


@click.command(epilog=_EPILOG)
@click.option("--short", is_flag=True, help="The first 12 digits.")
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context, short: bool, name: str | None, script: Path | None, as_json: bool
) -> None:
    """Print the environment hash: one name for all that the lock installs."""
    hashed = environment_hash(read_lock(locate_project(context, name=name, script=script)))
    if as_json:
        result_json(
            {
                "environment-hash": hashed.root,
                "short": hashed.short,
                "digests": {
                    "os": hashed.os,
                    "python": hashed.python,
                    "toolchain": hashed.toolchain,
                },
            }
        )
    else:
        result(hashed.short if short else hashed.root)
