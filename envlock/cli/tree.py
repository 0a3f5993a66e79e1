"""``envlock tree``: the locked packages as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from envlock.cli.common import (
    image_json,
    json_option,
    locate_project,
    name_option,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import result, result_json
from envlock.lock.graph.os import os_needs
from envlock.lock.graph.python import all_needs, wished
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer, OsPackage
from envlock.lock.package import PythonPackage

_EPILOG = """\b
Examples:
  envlock tree
  envlock tree --depth 1     # what the project asks for, and what that needs
  envlock tree --json

\b
(*)      shown above with all that it needs
(cycle)  already among those that need it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: ``lasts`` says of each ancestor and of itself whether it is its parent's last."""

    package: PythonPackage
    lasts: tuple[bool, ...]
    mark: str | None


@click.command(epilog=_EPILOG)
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    metavar="N",
    help="How far below the project's requirements to look.",
)
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context, depth: int | None, name: str | None, script: Path | None, as_json: bool
) -> None:
    """Show the locked packages, each under those that need it."""
    lock = read_lock(locate_project(context, name=name, script=script))
    tree = rows(lock, depth)
    if as_json:
        base = None if lock.image is None else image_json(lock.image)
        result_json({"image": base, "packages": _packages_json(lock, tree)})
        return
    lines = [_line(row) for row in tree]
    if lock.os is not None:
        lines += _os_lines(lock.os, depth)
    if lock.image is not None:
        lines.append(f"{lock.image.reference} {lock.image.digest} (base image)")
    if lines:
        result("\n".join(lines))


def _os_lines(layer: OsLayer, depth: int | None) -> Iterator[str]:
    """What was asked of the distribution, and what came with it; the base is only counted."""
    for architecture in sorted({p.architecture for p in layer.packages}):
        own = [p for p in layer.packages if p.architecture == architecture]
        base = sum(p.base for p in own)
        yield f"{layer.base} {architecture} ({len(own)} packages, {base} of them its base)"
        yield from _os_part(own, os_needs(layer, architecture), depth)
        extra = [p for p in layer.build_packages if p.architecture == architecture]
        if extra:
            yield f"{layer.base} {architecture}, only to build ({len(extra)} packages)"
            yield from _os_part(extra, os_needs(layer, architecture, build=True), depth)


def _os_part(
    own: list[OsPackage], below: dict[str, tuple[OsPackage, ...]], depth: int | None
) -> Iterator[str]:
    """Those that were asked for, and below them what came with them."""
    shown: set[str] = set()
    # (package, lasts as in Row); the next line is at the end.
    roots = [p for p in own if p.requested or p.via_wheels]
    waiting: list[tuple[OsPackage, tuple[bool, ...]]]
    waiting = [(p, (p is roots[-1],)) for p in reversed(roots)]
    while waiting:
        package, lasts = waiting.pop()
        inner = below[package.name]
        repeated = package.name in shown and inner
        shown.add(package.name)
        mark = " (*)" if repeated else ""
        yield f"{_branch(lasts)}{package.name} {package.version}{mark}"
        if not repeated and (depth is None or len(lasts) < depth):
            waiting += [(child, (*lasts, child is inner[-1])) for child in reversed(inner)]


def rows(lock: Lock, depth: int | None) -> list[Row]:
    """The tree's lines from the top; packages that nothing leads to come last, as roots.

    Without recursion: a chain of dependencies may be longer than Python's stack.
    """
    wanted = wished(lock)
    packages = sorted(lock.packages, key=lambda p: p.sort_key)
    below = all_needs(lock)
    roots = [p for p in packages if p.name in wanted]
    shown: set[_Key] = set()
    found = list(_walk(roots, below, depth, shown))
    if depth is None:
        seen = {row.package.sort_key for row in found}
        # Such a package can only be there when another tool edited the lock's dependencies.
        found += _walk([p for p in packages if p.sort_key not in seen], below, depth, shown)
    return found


_Key = tuple[str, str, str]


def _walk(
    roots: list[PythonPackage],
    below: dict[_Key, tuple[PythonPackage, ...]],
    depth: int | None,
    shown: set[_Key],
) -> Iterator[Row]:
    # (package, lasts, keys of its ancestors); the next line is at the end.
    waiting: list[tuple[PythonPackage, tuple[bool, ...], tuple[_Key, ...]]]
    waiting = [(root, (), ()) for root in reversed(roots)]
    while waiting:
        package, lasts, above = waiting.pop()
        key = package.sort_key
        inner = below[key]
        if key in above:
            yield Row(package=package, lasts=lasts, mark="cycle")
        elif key in shown and inner:
            yield Row(package=package, lasts=lasts, mark="*")
        else:
            yield Row(package=package, lasts=lasts, mark=None)
            shown.add(key)
            if depth is None or len(lasts) < depth:
                waiting += [
                    (child, (*lasts, child is inner[-1]), (*above, key)) for child in inner[::-1]
                ]


def _line(row: Row) -> str:
    package = row.package
    text = f"{package.name} {package.version or '(source tree)'}"
    if row.mark:
        text += f" ({row.mark})"
    if not row.lasts:
        return text + (f"  ; {package.marker}" if package.marker else "")
    return _branch(row.lasts) + text


def _branch(lasts: tuple[bool, ...]) -> str:
    bars = "".join("    " if last else "│   " for last in lasts[:-1])
    return bars + ("└── " if lasts[-1] else "├── ")


def _packages_json(lock: Lock, tree: list[Row]) -> list[dict[str, object]]:
    """Each package once, with what it needs: a graph says all that the tree does."""
    wishes, below = wished(lock), all_needs(lock)
    unique = {row.package.sort_key: row.package for row in tree}
    return [
        {
            "name": package.name,
            "version": package.version,
            "marker": package.marker,
            "requirements": sorted({wish.text for wish in wishes.get(package.name, ())}),
            "dependencies": [
                {"name": needed.name, "version": needed.version} for needed in below[key]
            ],
        }
        for key, package in sorted(unique.items())
    ]
