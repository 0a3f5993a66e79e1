"""``envlock fetch``: bring the lock's files into the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import click

from envlock.cli.artifacts import bring, require_sources, size_text
from envlock.cli.common import (
    json_option,
    locate_project,
    locked_target,
    name_option,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import reporting, result_json, say
from envlock.cli.style import style
from envlock.errors import UsageError
from envlock.io.store import stored
from envlock.lock.artifacts import PythonFile, SourceFile, UsedFiles, used_files
from envlock.lock.hashing import environment_hash
from envlock.lock.interpreter import StandalonePython
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage
from envlock.lock.target import Target
from envlock.project.locate import Project
from envlock.realise.fetch import missing

_EPILOG = """\b
Examples:
  envlock fetch                            # all that the lock's targets use
  envlock fetch --target linux/arm64@3.11  # what this one uses
  envlock fetch --os-only                  # only the distribution's packages
  envlock fetch --sources                  # with what building from source needs
  envlock fetch --json                     # every file, with its path in the store

Files are kept by digest. What is there is not asked for again; what was cut off is continued.
`envlock sync` has uv fetch what it installs into uv's own cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One file, for people and programs."""

    layer: str
    name: str
    version: str | None
    architecture: str | None
    file: str
    sha256: str
    size: int
    path: Path
    fetched: bool


@click.command(epilog=_EPILOG)
@click.option(
    "--target",
    "targets",
    metavar="TARGET",
    multiple=True,
    help="Only what this target uses: linux/amd64@3.11; may be repeated.",
)
@click.option("--os-only", is_flag=True, help="Only the distribution's packages.")
@click.option("--python-only", is_flag=True, help="Only the Python packages.")
@click.option(
    "--sources",
    is_flag=True,
    help="With what building from source needs: every sdist, what it is built with, and the source"
    " packages of OS packages, as far as the lock has them (sources = true).",
)
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context,
    targets: tuple[str, ...],
    os_only: bool,
    python_only: bool,
    sources: bool,
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> None:
    """Bring every file of the lock into the store: wheels, sdists and the distribution's .debs."""
    if os_only and python_only:
        raise UsageError("--os-only and --python-only exclude one another")
    project = locate_project(context, name=name, script=script)
    lock = read_lock(project)
    if os_only and lock.os is None:
        raise UsageError(
            "the lock has no OS packages",
            where=project.lock_path.name,
            remedy="ask for some in [tool.envlock.os], then run `envlock lock`",
        )
    if sources and not python_only:
        require_sources(lock, project.lock_path.name, otherwise=", or add --python-only")
    chosen = tuple(locked_target(lock, text) for text in targets) or lock.targets
    files = used_files(lock, chosen, python=not os_only, os=not python_only, sources=sources)
    absent = missing(files)
    if absent.interpreters or absent.python or absent.os or absent.os_sources:
        with reporting(context, in_bytes=True) as reporter:
            bring(lock, absent, project.root, project, reporter)
    rows = _rows(files, absent)
    if as_json:
        result_json(_as_json(project, lock, chosen, files, rows))
    else:
        _report(context, project, lock, chosen, files, rows)


def _rows(files: UsedFiles, absent: UsedFiles) -> list[_Row]:
    pythons = {build.sha256 for build in absent.interpreters}
    python = {entry.file.sha256 for entry in absent.python}
    debs = {package.sha256 for package in absent.os}
    sources = {entry.file.sha256 for entry in absent.os_sources}
    return [
        *(_interpreter_row(b, fetched=b.sha256 in pythons) for b in files.interpreters),
        *(_python_row(entry, fetched=entry.file.sha256 in python) for entry in files.python),
        *(_os_row(package, fetched=package.sha256 in debs) for package in files.os),
        *(_source_row(entry, fetched=entry.file.sha256 in sources) for entry in files.os_sources),
    ]


def _interpreter_row(build: StandalonePython, *, fetched: bool) -> _Row:
    return _Row(
        layer="python",
        name="cpython",
        version=f"{build.version}+{build.build}",
        architecture=None,
        file=unquote(build.url.rpartition("/")[2]),
        sha256=build.sha256,
        size=build.size,
        path=stored(build.sha256),
        fetched=fetched,
    )


def _python_row(entry: PythonFile, *, fetched: bool) -> _Row:
    path = stored(entry.file.sha256)
    return _Row(
        layer="python",
        name=entry.package.name,
        version=entry.package.version,
        architecture=None,
        file=entry.file.name,
        sha256=entry.file.sha256,
        size=path.stat().st_size,
        path=path,
        fetched=fetched,
    )


def _os_row(package: OsPackage, *, fetched: bool) -> _Row:
    return _Row(
        layer="os",
        name=package.name,
        version=package.version,
        architecture=package.architecture,
        file=package.file_name.rpartition("/")[2],
        sha256=package.sha256,
        size=package.size,
        path=stored(package.sha256),
        fetched=fetched,
    )


def _source_row(entry: SourceFile, *, fetched: bool) -> _Row:
    return _Row(
        layer="os",
        name=entry.source.name,
        version=entry.source.version,
        architecture="source",
        file=entry.file.name,
        sha256=entry.file.sha256,
        size=entry.file.size,
        path=stored(entry.file.sha256),
        fetched=fetched,
    )


def _as_json(
    project: Project,
    lock: Lock,
    targets: tuple[Target, ...],
    files: UsedFiles,
    rows: list[_Row],
) -> dict[str, object]:
    def total(rows: Iterable[_Row]) -> dict[str, int]:
        sizes = [row.size for row in rows]
        return {"files": len(sizes), "bytes": sum(sizes)}

    return {
        "lock": project.lock_path.name,
        "environment-hash": environment_hash(lock).root,
        "targets": sorted(target.key for target in targets),
        "cached": total(row for row in rows if not row.fetched),
        "fetched": total(row for row in rows if row.fetched),
        "without-file": list(files.without),
        "files": [
            {
                "layer": row.layer,
                "name": row.name,
                "version": row.version,
                "architecture": row.architecture,
                "file": row.file,
                "sha256": row.sha256,
                "size": row.size,
                "path": str(row.path),
                "fetched": row.fetched,
            }
            for row in rows
        ],
    }


def _report(
    context: Context,
    project: Project,
    lock: Lock,
    targets: tuple[Target, ...],
    files: UsedFiles,
    rows: list[_Row],
) -> None:
    if context.verbose:
        for row in rows:
            say(context, f" {style('+', 'green') if row.fetched else '='} {row.file}")
    if files.without:
        say(
            context,
            f"{style('note', 'bold cyan')}: {', '.join(files.without)}: a repository or folder,"
            " no file to fetch",
        )
    titles = {"python": "Python", "os": lock.os.base if lock.os else ""}
    for layer, title in titles.items():
        own = [row for row in rows if row.layer == layer]
        if own:
            say(context, f"  {title:<16} {_counted(own):>22}  {_origins(own)}")
    verb = "are" if any(row.fetched for row in rows) else "were"
    say(
        context,
        f"{project.lock_path.name} {environment_hash(lock).short}"
        f" ({', '.join(target.key for target in targets)}):"
        f" {f'all files {verb} there' if rows else 'nothing to fetch'}",
    )


def _counted(rows: list[_Row]) -> str:
    files = "1 file" if len(rows) == 1 else f"{len(rows)} files"
    return f"{files} {size_text(sum(row.size for row in rows)):>11}"


def _origins(rows: list[_Row]) -> str:
    fetched = [row for row in rows if row.fetched]
    cached = len(rows) - len(fetched)
    told = [f"{cached} cached"] if cached else []
    if fetched:
        told.append(f"{len(fetched)} fetched ({size_text(sum(row.size for row in fetched))})")
    return ", ".join(told)
