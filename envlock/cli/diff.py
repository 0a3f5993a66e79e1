"""``envlock diff A [B]``: what changed between two locks, given as files or git revisions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from envlock.cli.common import json_option, locate_project, name_option, read_lock, script_option
from envlock.cli.context import Context
from envlock.cli.output import result, result_json
from envlock.cli.style import style
from envlock.errors import UsageError
from envlock.io import files
from envlock.io.history import show_file
from envlock.lock import codec
from envlock.lock.diff import Change, ChangeKind, LockDiff, diff
from envlock.lock.hashing import shorten
from envlock.lock.model import Lock
from envlock.project.locate import Project

_EPILOG = """\b
Examples:
  envlock diff HEAD              # the last commit's lock against the file
  envlock diff HEAD~3 HEAD
  envlock diff old/pylock.toml pylock.toml
  envlock diff --exit-code main  # exit 1 when they differ"""

_LOOKS = {
    ChangeKind.ADDED: "green",
    ChangeKind.REMOVED: "red",
    ChangeKind.UPGRADED: "cyan",
    ChangeKind.DOWNGRADED: "yellow",
}


@click.command(epilog=_EPILOG)
@click.argument("before", metavar="A")
@click.argument("after", metavar="[B]", required=False)
@click.option("--exit-code", is_flag=True, help="Exit 1 when the locks differ.")
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context,
    before: str,
    after: str | None,
    exit_code: bool,
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> int:
    """Show what changed from lock A to lock B: files or git revisions; B defaults to the file."""

    def project() -> Project:
        return locate_project(context, name=name, script=script)

    found = diff(_read(context, before, project), _read(context, after, project))
    if as_json:
        result_json(_table(found))
    else:
        _show(found)
    return 1 if exit_code and _differs(found) else 0


def _read(context: Context, given: str | None, project: Callable[[], Project]) -> Lock:
    """A lock from a file, from a git revision, or, when nothing is given, the project's."""
    if given is None:
        return read_lock(project())
    path = context.directory / given
    if path.is_file():
        return codec.load(files.read_text(path), where=str(path))
    if given.endswith(".toml"):
        raise UsageError("no such file", where=str(path))
    lock_path = project().lock_path
    text = show_file(lock_path.parent, given, lock_path.name)
    return codec.load(text, where=f"{given}:{lock_path.name}")


def _differs(found: LockDiff) -> bool:
    return bool(found.changes or found.settings) or not found.same_environment


def _show(found: LockDiff) -> None:
    import sys

    for key, before, after in found.settings:
        result(f"{key}: {before} → {after}")
    for change in found.changes:
        kind = style(f"{change.kind:<10}", _LOOKS.get(change.kind, "dim"), stream=sys.stdout)
        result(f"{kind} {change.name} {_values(change)}".rstrip())
    if found.same_environment:
        result(f"same environment: {shorten(found.after_hash)}")
    else:
        result(f"environment: {shorten(found.before_hash)} → {shorten(found.after_hash)}")


def _values(change: Change) -> str:
    if change.kind in (ChangeKind.ADDED, ChangeKind.REMOVED):
        return change.after or change.before or ""
    return f"{change.before or '(none)'} → {change.after or '(none)'}"


def _table(found: LockDiff) -> dict[str, object]:
    return {
        "before": found.before_hash,
        "after": found.after_hash,
        "same-environment": found.same_environment,
        "settings": [
            {"name": key, "before": before, "after": after} for key, before, after in found.settings
        ],
        "changes": [
            {"name": c.name, "kind": c.kind, "before": c.before, "after": c.after}
            for c in found.changes
        ],
    }
