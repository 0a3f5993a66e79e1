"""``envlock runs export``: records in the forms that others read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envlock.cli.context import Context
from envlock.cli.output import say
from envlock.cli.runs.common import Runs
from envlock.errors import UsageError
from envlock.io.files import make_folder, write_atomic

if TYPE_CHECKING:
    from envlock.runs.exports.material import Run

_EPILOG = """\b
Examples:
  envlock runs export last --format ro-crate -o crate     # a folder: Process Run Crate
  envlock runs export last --format ro-crate -o crate --with-files --license CC-BY-4.0
  envlock runs export last~1 last --format prov-json      # to standard output
  envlock runs export last --format in-toto -o run.intoto.json
  envlock runs export last --format datalad | git commit -F -   # for `datalad rerun`

Made from the records and what was kept beside them; the same bytes each time."""

_FORMATS = ("ro-crate", "prov-json", "in-toto", "datalad")
_SUFFIXES = {"in-toto": "intoto.json", "datalad": "txt"}
_LARGEST = 256 * 1024 * 1024
"""Bytes of an input or output that goes into a crate."""


@click.command(epilog=_EPILOG, short_help="Write runs in the forms that others read.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), required=True, help="What it is written as."
)
@click.option(
    "-o", "--output", metavar="PATH", help="Write there; a folder for ro-crate. Default: stdout."
)
@click.option(
    "--with-files", is_flag=True, help="Of ro-crate: inputs and outputs that are as then."
)
@click.option("--title", metavar="TEXT", help="Of ro-crate: the crate's name.")
@click.option("--license", metavar="NAME|URL", help="Of ro-crate: under which it is given.")
@click.option("--author", metavar="NAME|URL", help="Of ro-crate: who ran it; an ORCID's address.")
@click.pass_obj
def export(
    context: Context,
    runs: tuple[str, ...],
    form: str,
    output: str | None,
    with_files: bool,
    title: str | None,
    license: str | None,
    author: str | None,
) -> None:
    """Write runs as RO-Crate, PROV-JSON, an in-toto statement, or a message for DataLad."""
    told = {"title": title, "license": license, "author": author}
    if form != "ro-crate" and (with_files or any(told.values())):
        raise click.UsageError("--with-files, --title, --license and --author are of ro-crate")
    known = Runs(context)
    chosen = list({run.id: run for run in (_run(known, name) for name in runs)}.values())
    if form == "ro-crate":
        _crate(context, known, chosen, output, told, with_files=with_files)
    elif form == "prov-json":
        from envlock.runs.exports.prov import prov

        _one(context, prov(chosen), output)
    else:
        made = {run.id: _single(known, run, form) for run in chosen}
        if len(made) == 1:
            _one(context, made[chosen[0].id], output)
        elif output is None:
            raise UsageError(
                f"{form} has a file for each run", remedy="name a folder for them: --output DIR"
            )
        else:
            _write(context, {f"{id_}.{_SUFFIXES[form]}": made[id_] for id_ in made}, output)


def _run(known: Runs, name: str) -> Run:
    from envlock.runs.exports.material import Run

    table = known.table(name)
    content = known.content(table["id"])
    return Run(record=table, content=content, blob=known.blob)


def _single(known: Runs, run: Run, form: str) -> bytes:
    if form == "in-toto":
        from envlock.runs.exports.intoto import statement

        return statement(run)
    from envlock.runs.exports.datalad import message

    return message(run, dataset=_dataset(Path(known.place.root)))


def _dataset(root: Path) -> str | None:
    """The id of the DataLad dataset that the folder is in."""
    import configparser

    for folder in (root, *root.parents):
        path = folder / ".datalad" / "config"
        if path.is_file():
            parser = configparser.ConfigParser(strict=False, interpolation=None)
            try:
                parser.read_string(path.read_text("utf-8", "replace"))
            except (OSError, configparser.Error) as error:
                raise UsageError(f"cannot be read: {error}", where=str(path)) from None
            return parser.get('datalad "dataset"', "id", fallback=None)
    return None


def _crate(
    context: Context,
    known: Runs,
    runs: list[Run],
    output: str | None,
    told: Mapping[str, str | None],
    *,
    with_files: bool,
) -> None:
    from envlock.runs.exports.crate import FILE, crate

    if output in (None, "-"):
        raise UsageError("a crate is a folder", remedy="name it: --output DIR")
    folder = context.directory / str(output)
    if folder.exists() and not (folder / FILE).exists() and any(_entries(folder)):
        raise UsageError(
            "the folder is not empty and is no crate; it was left as it is",
            where=str(output),
            remedy="name another one",
        )
    files = _Files(Path(known.place.root), known)
    content = files.content if with_files else lambda fact: None
    _write(context, crate(runs, content=content, **told), str(output))
    if files.missing:
        say(context, f"left out, as they are no longer as they were: {', '.join(files.missing)}")


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(folder)) from None


class _Files:
    """Inputs and outputs, as far as they are as they were; ``missing`` names the others."""

    def __init__(self, root: Path, known: Runs) -> None:
        self._root, self._known = root, known
        self.missing: list[str] = []

    def content(self, fact: Mapping[str, Any]) -> bytes | None:
        """The bytes of an entry in a record, held to its digest."""
        from envlock.runs.secrets import is_secret_file

        path = self._root / str(fact["path"])
        if not is_secret_file(fact["path"]):
            try:
                return self._known.blob(str(fact["sha256"]))
            except OSError:
                pass
            try:
                if path.stat().st_size <= _LARGEST:
                    data = path.read_bytes()
                    if hashlib.sha256(data).hexdigest() == fact["sha256"]:
                        return data
            except (OSError, ValueError):
                pass
        self.missing.append(fact["path"])
        return None


def _one(context: Context, content: bytes, output: str | None) -> None:
    if output in (None, "-"):
        click.echo(content, nl=False)
        return
    write_atomic(context.directory / str(output), content)
    say(context, f"{output} written")


def _write(context: Context, files: Mapping[str, bytes], output: str) -> None:
    """All of them; what describes the others comes last."""
    folder = context.directory / output
    for name in sorted(files, key=lambda name: (name == "ro-crate-metadata.json", name)):
        make_folder((folder / name).parent)
        write_atomic(folder / name, files[name])
    say(context, f"{output} written")
