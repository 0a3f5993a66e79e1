"""``envlock tree``: the locked packages as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from envlock.cli.common import json_option, locate_project, name_option, read_lock, script_option
from envlock.cli.context import Context
from envlock.cli.output import result, result_json
from envlock.lock.graph import needs, wished
from envlock.lock.model import Lock, PythonPackage

_EPILOG = """\b
Examples:
  envlock tree
  envlock tree --depth 1     # what was asked for, and what that needs
  envlock tree --json

(*) marks a package whose own needs are shown further up."""


@click.command(epilog=_EPILOG)
@click.option("--depth", type=click.IntRange(min=0), default=None, help="Levels to show.")
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context, depth: int | None, name: str | None, script: Path | None, as_json: bool
) -> None:
    """Show what was asked for, and what each package needs in turn."""
    lock = read_lock(locate_project(context, name=name, script=script))
    if as_json:
        result_json(_graph_table(lock))
        return
    for line in tree_lines(lock, depth):
        result(line)


def tree_lines(lock: Lock, depth: int | None) -> Iterator[str]:
    """The tree, a line each; a package's needs are shown once."""
    shown: set[PythonPackage] = set()
    for name in sorted(wished(lock)):
        for package in lock.package(name):
            yield _label(package)
            yield from _below(lock, package, depth, "", shown)


def _below(
    lock: Lock, package: PythonPackage, depth: int | None, indent: str, shown: set[PythonPackage]
) -> Iterator[str]:
    shown.add(package)
    if depth == 0:
        return
    children = needs(lock, package)
    for child in children:
        last = child == children[-1]
        repeated = child in shown and bool(needs(lock, child))
        yield f"{indent}{'└── ' if last else '├── '}{_label(child)}{' (*)' if repeated else ''}"
        if not repeated:
            deeper = None if depth is None else depth - 1
            yield from _below(lock, child, deeper, indent + ("    " if last else "│   "), shown)


def _label(package: PythonPackage) -> str:
    label = f"{package.name} {package.version or '(source tree)'}"
    return f"{label} where {package.marker}" if package.marker else label


def _graph_table(lock: Lock) -> dict[str, object]:
    return {
        "requirements": sorted(wished(lock)),
        "packages": [
            {
                "name": p.name,
                "version": p.version,
                "marker": p.marker,
                "needs": [{"name": n.name, "version": n.version} for n in needs(lock, p)],
            }
            for p in lock.packages
        ],
    }
