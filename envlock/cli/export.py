"""``envlock export``: write the lock in another format."""

from __future__ import annotations

import os
from pathlib import Path

import click

from envlock.cli.common import (
    json_option,
    locate_project,
    name_option,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.exporters import make, owner_of
from envlock.cli.output import result_json, say
from envlock.errors import UsageError
from envlock.export.blocks import renewed
from envlock.export.exporter import FileTree
from envlock.export.marks import MADE, Mark
from envlock.io.files import make_folder, write_atomic

_EPILOG = """\b
Examples:
  envlock export requirements                       # to standard output
  envlock export requirements -o requirements.txt
  envlock export requirements -o requirements.txt --check   # in CI: exit 1 when it differs
  envlock export requirements --target linux/amd64@3.11
  envlock export nix                                # a flake, in the folder nix/
  envlock export guix                               # a manifest, in the folder guix/
  envlock export docker                             # a Dockerfile, beside the lock
  envlock export docker --check                     # in CI: exit 1 when it no longer follows it
  envlock export sbom                               # CycloneDX and SPDX, in the folder sbom/
  envlock export provenance -o provenance.intoto.json"""

_NEXT = {
    "docker": "build it with `docker build {folder}`; .dockerignore says what of the project"
    " gets in",
    "nix": "build it with `nix build path:{folder}`, enter it with `nix develop path:{folder}`;"
    " without path:, a git repository shows Nix only files that were added (`git add {folder}`)",
    "guix": "enter it with `cd {folder}` and `guix time-machine -C channels.scm -- shell -L modules"
    " -m manifest.scm`",
}
"""What to do with the files of a format."""

_FIRST = b"envlock build image --only os --rootfs docker/root"
"""In a Dockerfile without a base image: what has to run before it is built."""


@click.command(epilog=_EPILOG)
@click.argument("format_name", metavar="FORMAT")
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    help="Write there; - is standard output. Default: -, or a folder named as the format"
    " (docker: the project's).",
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
    guix (a channel, a manifest and package definitions; a folder), docker (a Dockerfile and what
    goes with it; the project's folder), sbom (CycloneDX and SPDX; a folder), cyclonedx, spdx (one
    of them; one file), provenance (in-toto, SLSA; one file).
    """
    project = locate_project(context, name=name, script=script)
    lock = read_lock(project)
    mark = Mark(format=format_name, target=target, owner=owner_of(project))
    files = make(lock, mark, lock_name=project.lock_path.name)
    if len(files) > 1:
        folder = output or _default_folder(context, format_name, project.lock_path, name)
        return _folder(context, format_name, files, folder, check=check, as_json=as_json)
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
    shown: str,
    *,
    check: bool,
    as_json: bool,
) -> int:
    """Write, or with ``check`` compare, a format of several files."""
    if shown == "-":
        raise UsageError(
            f"{format_name} has {len(files)} files", remedy="name a folder for them: --output DIR"
        )
    folder = context.directory / shown
    there = {name: _current(folder / name) for name in files}
    wanted = {name: _wanted(there[name], content) for name, content in files.items()}
    changed = sorted(name for name, content in wanted.items() if there[name] != content)
    if not check:
        for name in changed:
            if wanted[name] is None:
                raise UsageError(
                    "this file was not made by envlock, or has lost the marks of its lines",
                    where=f"{shown}/{name}",
                    remedy="rename it, or name another folder: --output DIR",
                )
        for name in changed:
            make_folder((folder / name).parent)
            write_atomic(folder / name, wanted[name] or b"")
    if as_json:
        listed = [{"file": name, "up-to-date": name not in changed} for name in sorted(files)]
        told = {"files": listed, "folder": shown, "format": format_name, "up-to-date": not changed}
        result_json(told)
    else:
        place = "here" if shown == "." else f"in {shown}"
        outcome = _outcome(same=not changed, check=check).removeprefix("is ")
        say(context, f"{len(files)} files {place}: {outcome}")
        if changed and check:
            missing = [name for name in changed if there[name] is None]
            for what, names in (
                ("missing", missing),
                ("not as the lock gives them", sorted({*changed} - {*missing})),
            ):
                if names:
                    say(context, f"  {what}: {', '.join(names)}")
        elif _FIRST in files.get("Dockerfile", b""):
            say(context, f"run `{_FIRST.decode()}`, which writes the files that it starts from;")
            say(context, f"then build it with `docker build {shown}`")
        elif format_name in _NEXT:
            say(context, _NEXT[format_name].format(folder=shown))
    return 1 if check and changed else 0


def _default_folder(context: Context, format_name: str, lock_path: Path, name: str | None) -> str:
    """Where the files go unless told: a folder named as the format.

    A Dockerfile stands in the project's folder, which is what it is built from; those of a named
    environment would replace those of another one.
    """
    if format_name != "docker":
        return format_name
    if name is not None:
        raise UsageError(
            "the Dockerfile of a named environment needs a folder of its own",
            remedy=f"name it: --output docker-{name}",
        )
    return os.path.relpath(lock_path.parent, context.directory)


def _wanted(there: bytes | None, made: bytes) -> bytes | None:
    """What is to be written; None: what is there is somebody's own."""
    if there is None:
        return made
    if MADE in made and MADE not in there:
        return None
    return renewed(there, made)


def _outcome(*, same: bool, check: bool) -> str:
    if same:
        return "is up to date"
    return "is not up to date: run `envlock export` without --check" if check else "written"


def _current(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", where=str(path)) from None
