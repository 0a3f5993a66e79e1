"""``envlock export FORMAT``: write the lock in another format."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click

from envlock.cli.common import (
    locate_project,
    name_option,
    project_guard,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import result, say
from envlock.errors import StaleError, UsageError
from envlock.export.exporter import Exporter, FileTree
from envlock.io.files import write_atomic

GROUP = "envlock.exporters"
"""The entry-point group of exporters."""

_EPILOG = """\b
Examples:
  envlock export requirements                 # writes requirements.lock.txt
  envlock export requirements --output -      # to stdout
  envlock export requirements --check         # exit 1 when the file no longer follows the lock"""


@click.command(epilog=_EPILOG)
@click.argument("format_name", metavar="FORMAT")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Where to write; - is stdout. Default: the format's own name, in the project.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when the files differ.")
@name_option
@script_option
@click.pass_obj
def command(
    context: Context,
    format_name: str,
    output: str | None,
    check: bool,
    name: str | None,
    script: Path | None,
) -> None:
    """Write the lock as FORMAT: requirements (pip's file with hashes)."""
    exporter = _exporter(format_name)
    project = locate_project(context, name=name, script=script)
    tree = exporter.export(read_lock(project))
    if output == "-":
        for content in tree.values():
            result(content.decode().removesuffix("\n"))
        return
    paths = _paths(tree, project.root, None if output is None else context.directory / output)
    if check:
        _compare(context, paths)
        return
    with project_guard(context, project.root):
        for path, content in paths.items():
            write_atomic(path, content)
            say(context, f"{path} written")


def _exporter(name: str) -> Exporter:
    found: dict[str, EntryPoint] = {p.name: p for p in entry_points(group=GROUP)}
    if name not in found:
        raise UsageError(f"unknown format {name!r}", remedy=f"known: {', '.join(sorted(found))}")
    exporter: Exporter = found[name].load()()
    return exporter


def _paths(tree: FileTree, root: Path, output: Path | None) -> dict[Path, bytes]:
    if output is None:
        return {root / name: content for name, content in tree.items()}
    if len(tree) != 1:
        return {output / name: content for name, content in tree.items()}
    return {output: next(iter(tree.values()))}


def _compare(context: Context, paths: dict[Path, bytes]) -> None:
    for path, content in paths.items():
        if not path.is_file() or path.read_bytes() != content:
            raise StaleError(
                "the file does not follow the lock" if path.is_file() else "no such file",
                where=str(path),
                remedy="run the same `envlock export` without --check",
            )
        say(context, f"{path} follows the lock")
