"""``envlock diff``: what changed between two locks."""

from __future__ import annotations

from pathlib import Path

import click

from envlock.cli.common import (
    json_option,
    locate_project,
    name_option,
    read_lock_file,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import result, result_json
from envlock.cli.revision import commit_of, text_at
from envlock.lock import codec
from envlock.lock.diff import Change, ChangeKind, LockDiff, diff
from envlock.lock.hashing import shorten
from envlock.lock.model import Lock
from envlock.project.locate import Project

_EPILOG = """\b
Examples:
  envlock diff                          # the last commit's lock, and the one here
  envlock diff HEAD~3                   # that revision's lock, and the one here
  envlock diff v1.0 v2.0                # or v1.0..v2.0
  envlock diff old.toml pylock.toml
  envlock diff --exit-code HEAD         # in CI: exit 1 when they differ

A and B are files, git revisions, or REVISION:PATH. A file goes before a revision."""

_SIGNS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-"}


@click.command(epilog=_EPILOG)
@click.argument("before", metavar="[A]", default="HEAD", required=False)
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
    """Show what changed from one lock to another: packages, files, markers, settings."""
    if after is None and not (context.directory / before).is_file():
        first, dots, second = before.partition("..")
        if dots:
            before, after = first or "HEAD", second.removeprefix(".") or "HEAD"
    finder = _Finder(context, name, script)
    found = diff(finder.lock(before), finder.lock(after))
    if as_json:
        result_json(_as_json(found))
    else:
        _print(found)
    return 1 if exit_code and (found.changes or found.settings) else 0


class _Finder:
    """Finds locks by what a user calls them; the project is looked for only when it matters."""

    def __init__(self, context: Context, name: str | None, script: Path | None) -> None:
        self._context = context
        self._name = name
        self._script = script

    def _project(self) -> Project:
        return locate_project(self._context, name=self._name, script=self._script)

    def lock(self, place: str | None) -> Lock:
        """The lock in a file, at a git revision, or (None) the project's present one."""
        if place is None:
            path = self._project().lock_path
        else:
            path = self._context.directory / place
            if not path.is_file():
                return self._at_revision(place)
        return read_lock_file(path)

    def _at_revision(self, place: str) -> Lock:
        revision, colon, path = place.partition(":")
        if colon:
            folder = self._context.directory
        else:
            project = self._project()
            folder, path = project.root, f"./{project.lock_path.name}"
        commit = commit_of(folder, revision, where=place)
        text = text_at(folder, commit, path, revision=revision)
        return codec.load(text, where=f"{revision}:{path.removeprefix('./')}")


def _as_json(found: LockDiff) -> dict[str, object]:
    return {
        "same-environment": found.same_environment,
        "before": {"environment-hash": found.before_hash},
        "after": {"environment-hash": found.after_hash},
        "settings": [
            {"name": name, "before": before, "after": after}
            for name, before, after in found.settings
        ],
        "changes": [
            {
                "layer": c.layer,
                "name": c.name,
                "kind": c.kind,
                "before": c.before,
                "after": c.after,
            }
            for c in found.changes
        ],
    }


def _print(found: LockDiff) -> None:
    for name, before, after in found.settings:
        result(f"  {name}: {before} → {after}")
    for change in found.changes:
        result(_line(change))
    if found.same_environment:
        result(f"same environment: {shorten(found.after_hash)}")
    else:
        result(
            f"environment: {shorten(found.before_hash)} → {shorten(found.after_hash)}"
            f" ({len(found.changes)} changes)"
        )


def _line(change: Change) -> str:
    sign = _SIGNS.get(change.kind, "~")
    told = {
        ChangeKind.FILES: "files",
        ChangeKind.MARKER: "marker",
        ChangeKind.SOURCE: "source",
        ChangeKind.INTERPRETER: "python from",
    }
    prefix = f"{told[change.kind]} " if change.kind in told else ""
    if change.layer != "python":
        sign += f" {change.layer}"
    if change.kind in (ChangeKind.ADDED, ChangeKind.REMOVED):
        return f"{sign} {change.name} {change.after or change.before}"
    return f"{sign} {change.name} {prefix}{change.before or 'none'} → {change.after or 'none'}"
