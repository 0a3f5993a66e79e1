"""``envlock export``: write the lock in another format."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import click

from envlock.cli.common import (
    json_option,
    locate_project,
    locked_target,
    name_option,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import result_json, say
from envlock.errors import SourceError, UsageError
from envlock.export.exporter import Exporter, FileTree
from envlock.io.files import write_atomic

_EPILOG = """\b
Examples:
  envlock export requirements                       # to standard output
  envlock export requirements -o requirements.txt
  envlock export requirements -o requirements.txt --check   # in CI: exit 1 when it differs
  envlock export requirements --target linux/amd64@3.11"""


@click.command(epilog=_EPILOG)
@click.argument("format_name", metavar="FORMAT")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write there; - (the default) is standard output.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when FILE is not up to date.")
@click.option("--target", metavar="TARGET", help="For one target only: linux/amd64@3.11.")
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context,
    format_name: str,
    output: str | None,
    check: bool,
    target: str | None,
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> int:
    """Write the lock in another format. Formats: requirements (pip's, with hashes)."""
    exporter = _exporter(format_name)
    to_stdout = output in (None, "-")
    if to_stdout and (check or as_json):
        option = "--check" if check else "--json"
        raise UsageError(f"{option} needs a file", remedy="name it: --output FILE")
    lock = read_lock(locate_project(context, name=name, script=script))
    chosen = None if target is None else locked_target(lock, target)
    content = _single(exporter.export(lock, chosen), format_name)
    if to_stdout:
        click.echo(content, nl=False)
        return 0
    path = context.directory / str(output)
    same = _current(path) == content
    if not same and not check:
        write_atomic(path, content)
    if as_json:
        result_json({"format": format_name, "file": str(output), "up-to-date": same})
    else:
        say(context, f"{output} {_outcome(same=same, check=check)}")
    return 1 if check and not same else 0


def _outcome(*, same: bool, check: bool) -> str:
    if same:
        return "is up to date"
    return "is not up to date: run `envlock export` without --check" if check else "written"


def _exporter(name: str) -> Exporter:
    found = {entry.name: entry for entry in entry_points(group="envlock.exporters")}
    if name not in found:
        raise UsageError(f"unknown format {name!r}", remedy=f"known: {', '.join(sorted(found))}")
    try:
        exporter: Exporter = found[name].load()()
    except (ImportError, AttributeError) as error:
        raise SourceError(
            f"the exporter {name!r} ({found[name].value}) cannot be loaded: {error}",
            remedy="reinstall the package that provides it",
        ) from None
    return exporter


def _single(files: FileTree, name: str) -> bytes:
    if len(files) != 1:
        raise SourceError(f"the exporter {name!r} gave {len(files)} files; one is expected")
    return next(iter(files.values()))


def _current(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", where=str(path)) from None
