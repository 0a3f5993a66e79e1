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
from envlock.io.files import make_folder, write_atomic

_EPILOG = """\b
Examples:
  envlock export requirements                       # to standard output
  envlock export requirements -o requirements.txt
  envlock export requirements -o requirements.txt --check   # in CI: exit 1 when it differs
  envlock export requirements --target linux/amd64@3.11
  envlock export nix                                # a flake, in the folder nix/
  envlock export guix                               # a manifest, in the folder guix/
  envlock export sbom                               # CycloneDX and SPDX, in the folder sbom/
  envlock export provenance -o provenance.intoto.json"""

_NEXT = {
    "nix": "build it with `nix build path:{folder}`, enter it with `nix develop path:{folder}`;"
    " without path:, a git repository shows Nix only files that were added (`git add {folder}`)",
    "guix": "enter it with `cd {folder}` and `guix time-machine -C channels.scm -- shell -L modules"
    " -m manifest.scm`",
}
"""What to do with the files of a format."""

_EXTRAS = {"cyclonedx": "sbom", "sbom": "sbom", "spdx": "sbom"}
"""A format → the extra of envlock that brings the libraries it needs."""

_MARK = b"Made by envlock"


@click.command(epilog=_EPILOG)
@click.argument("format_name", metavar="FORMAT")
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    help="Write there; - is standard output. Default: -, or a folder named as the format.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when PATH is not up to date.")
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
    """Write the lock in another format.

    Formats: requirements (pip's, with hashes; one file), nix (a flake; a folder),
    guix (a channel, a manifest and package definitions; a folder), sbom (CycloneDX and SPDX; a
    folder), cyclonedx, spdx (one of them; one file), provenance (in-toto, SLSA; one file).
    """
    exporter = _exporter(format_name)
    lock = read_lock(locate_project(context, name=name, script=script))
    chosen = None if target is None else locked_target(lock, target)
    files = exporter.export(lock, chosen)
    if len(files) > 1:
        return _folder(context, format_name, files, output, check=check, as_json=as_json)
    [content] = files.values()
    if output in (None, "-"):
        if check or as_json:
            option = "--check" if check else "--json"
            raise UsageError(f"{option} needs a file", remedy="name it: --output FILE")
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


def _folder(
    context: Context,
    format_name: str,
    files: FileTree,
    output: str | None,
    *,
    check: bool,
    as_json: bool,
) -> int:
    """Write, or with ``check`` compare, a format of several files."""
    if output == "-":
        raise UsageError(
            f"{format_name} has {len(files)} files", remedy="name a folder for them: --output DIR"
        )
    shown = output or format_name
    folder = context.directory / shown
    there = {name: _current(folder / name) for name in files}
    changed = sorted(name for name, content in files.items() if there[name] != content)
    if not check:
        for name in changed:
            if _foreign(there[name], files[name]):
                raise UsageError(
                    "this file was not made by envlock",
                    where=f"{shown}/{name}",
                    remedy="name another folder: --output DIR",
                )
        for name in changed:
            make_folder((folder / name).parent)
            write_atomic(folder / name, files[name])
    if as_json:
        listed = [{"file": name, "up-to-date": name not in changed} for name in sorted(files)]
        told = {"files": listed, "folder": shown, "format": format_name, "up-to-date": not changed}
        result_json(told)
    else:
        say(context, f"{shown} {_outcome(same=not changed, check=check)}")
        if changed and check:
            say(context, f"other files: {', '.join(changed)}")
        elif format_name in _NEXT:
            say(context, _NEXT[format_name].format(folder=shown))
    return 1 if check and changed else 0


def _foreign(there: bytes | None, wanted: bytes) -> bool:
    """Whether a file that would be replaced is somebody's own."""
    return there is not None and _MARK in wanted and _MARK not in there


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
        extra = _EXTRAS.get(name)
        raise SourceError(
            f"the exporter {name!r} ({found[name].value}) cannot be loaded: {error}",
            remedy=f'pip install "envlock[{extra}]"'
            if extra
            else "reinstall the package that provides it",
        ) from None
    return exporter


def _current(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", where=str(path)) from None
