"""``envlock bundle verify`` and ``envlock bundle diff``: look at bundles that are there."""

from __future__ import annotations

from pathlib import Path

import click

from envlock.cli.artifacts import size_text
from envlock.cli.common import json_option
from envlock.cli.context import Context
from envlock.cli.output import reporting, result, result_json, say
from envlock.cli.style import style
from envlock.errors import UsageError
from envlock.lock.hashing import shorten

_VERIFY_EPILOG = """\b
Examples:
  envlock bundle verify paper.tar
  envlock bundle verify bundle --manifest sha256:59b50c…

Exit code 4 when anything is not what it must be; every such file is named."""

_DIFF_EPILOG = """\b
Examples:
  envlock bundle diff last-year.tar bundle
  envlock bundle diff --exit-code a b      # exit 1 when they differ

Only the manifests are read: whether files are what these say, `envlock bundle verify` finds out."""


@click.command(epilog=_VERIFY_EPILOG)
@click.argument("bundle", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option(
    "--manifest",
    metavar="SHA256",
    help="What the digest of the manifest has to be, as `envlock bundle` printed it.",
)
@json_option
@click.pass_obj
def verify(context: Context, bundle: Path, manifest: str | None, as_json: bool) -> None:
    """Verify every file of a bundle, and that it has all that its locks need."""
    from envlock.lock.hashing import environment_hash
    from envlock.realise.bundle.opened import open_bundle
    from envlock.realise.bundle.verify import verify as verify_bundle

    expected = None if manifest is None else _digest(manifest)
    opened = open_bundle(context.directory / bundle)
    with reporting(context, in_bytes=True) as reporter:
        found = verify_bundle(opened, reporter, expected=expected)
    hashes = sorted({environment_hash(lock).root for lock in found.locks.values()})
    if as_json:
        result_json(
            {
                "bundle": str(bundle),
                "bytes": found.size,
                "digest": f"sha256:{found.digest}",
                "environment-hashes": hashes,
                "files": found.files,
                "other-programs": list(found.other_programs),
            }
        )
        return
    result(f"sha256:{found.digest}")
    for root in hashes:
        say(context, f"  {root}")
    if found.other_programs:
        say(
            context,
            f"{style('note', 'bold cyan')}: {', '.join(found.other_programs)}: of another version"
            " of envlock; read them before you run them, or know the manifest's digest",
        )
    say(context, f"{bundle}: {found.files} files, {size_text(found.size)}, all as they must be")


@click.command(name="diff", epilog=_DIFF_EPILOG)
@click.argument("before", metavar="A", type=click.Path(path_type=Path))
@click.argument("after", metavar="B", type=click.Path(path_type=Path))
@click.option("--exit-code", is_flag=True, help="Exit 1 when the bundles differ.")
@json_option
@click.pass_obj
def diff(context: Context, before: Path, after: Path, exit_code: bool, as_json: bool) -> int:
    """Show what changed from one bundle to another."""
    from envlock.realise.bundle.difference import difference, environments
    from envlock.realise.bundle.opened import open_bundle, read_manifest

    old, new = (read_manifest(open_bundle(context.directory / path)) for path in (before, after))
    found = difference(old, new)
    if as_json:
        result_json(
            {
                "added": list(found.added),
                "changed": list(found.changed),
                "environment-hashes": {
                    "added": sorted(set(environments(new)) - set(environments(old))),
                    "removed": sorted(set(environments(old)) - set(environments(new))),
                },
                "removed": list(found.removed),
            }
        )
    else:
        for sign, colour, paths in (
            ("-", "red", found.removed),
            ("+", "green", found.added),
            ("~", "yellow", found.changed),
        ):
            for path in paths:
                result(f"{style(sign, colour)} {_short(path)}")
        if not found:
            say(context, "the bundles are the same")
    return 1 if exit_code and found else 0


def _short(path: str) -> str:
    """``files/numpy….whl  59b50c179f5a``: the digest behind, shortened."""
    parts = path.split("/")
    if len(parts) != 3:
        return path
    digest = shorten(parts[1]) if parts[0] == "locks" else parts[1][:12]
    return f"{parts[0]}/{parts[2]}  {digest}"


def _digest(text: str) -> str:
    plain = text.removeprefix("sha256:").lower()
    if len(plain) != 64 or set(plain) - set("0123456789abcdef"):
        raise UsageError(f"not a SHA-256: {text}", remedy="64 hex digits, as `envlock bundle` says")
    return plain
