"""``envlock check``: the project and the environment against the lock."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path

import click

from envlock.check.drift import Layer
from envlock.check.policy import judge
from envlock.check.report.outcome import FORMATS, Outcome
from envlock.cli import fresh
from envlock.cli.checking.layers import Asked, Found, compare_layers, now, only_one, scope
from envlock.cli.checking.lock import read_or_edited
from envlock.cli.checking.remedies import for_these
from envlock.cli.checking.report import no_drift, package_lines, tell, write_result
from envlock.cli.common import (
    json_option,
    locate_project,
    locked_target,
    name_option,
    only_of_files,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.environment import nearest_target
from envlock.cli.output import say
from envlock.errors import SourceError, UsageError
from envlock.io.files import noting_reads, read_text
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.target import Target
from envlock.project.document import shown_path
from envlock.project.load import load_check_settings
from envlock.project.locate import Project

_EPILOG = """\b
Examples:
  envlock check                   # 0: fine, 1: drift
  envlock check --json
  envlock check --portable > check.sh           # then, where no envlock is: sh check.sh
  envlock check --format junit -o drift.xml     # or sarif, github, markdown
  envlock check --request-only    # does the lock still answer the project?
  envlock check --python-only     # is the lock installed?
  envlock check --exports         # do the Dockerfile, the flake, the SBOM … still follow the lock?
  envlock check --image app.tar   # what is in an image, without running it
  envlock check --nix-only        # is what Nix built still that, and of this lock?
  envlock check --online          # is what is locked still there, and not known to be unsafe?
  envlock check --lock-only --advisories all.zip  # advisories of a file, without any network

An unlocked pip, setuptools, wheel or uv is no drift: tools put them into new environments;
nor is an unlocked envlock, which programs import."""


@click.command(epilog=_EPILOG)
@click.option(
    "--prefix",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The virtual environment. Default: .venv (.venv-NAME with --name).",
)
@click.option("--python", metavar="PY", help="The environment of this interpreter.")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The system whose OS packages to compare. Default: this one, if it is the lock's base.",
)
@click.option(
    "--image",
    metavar="REF|TAR|DIR",
    help="A container image instead: in a registry, an archive of one, an OCI image layout, or"
    " containers-storage:NAME and docker-daemon:NAME of this machine.",
)
@click.option(
    "--platform",
    metavar="PLATFORM",
    help="With --image: of several platforms only this one, linux/arm64. Default: all locked ones.",
)
@click.option("--request-only", is_flag=True, help="Compare only the project with the lock.")
@click.option(
    "--exports-only",
    "--exports",
    is_flag=True,
    help="Compare only exported files (Dockerfile, flake, SBOM, …) with the lock.",
)
@click.option("--python-only", is_flag=True, help="Compare only the environment with the lock.")
@click.option("--os-only", is_flag=True, help="Compare only the OS packages with the lock.")
@click.option("--nix-only", is_flag=True, help="Compare only what Nix built with the lock.")
@click.option(
    "--online",
    is_flag=True,
    help="Ask indexes, archives and the registry for what is locked, and OSV for advisories, too.",
)
@click.option(
    "--advisories",
    metavar="FILE|DIR|URL",
    multiple=True,
    help="Security advisories (OSV records, or a database's all.zip); may be repeated.",
)
@click.option(
    "--lock-only", is_flag=True, help="Of the lock alone: what --online and --advisories say of it."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *FORMATS]),
    help="The form of the result. Default: table.",
)
@click.option(
    "-o", "--output", metavar="FILE", help="Write the result there; - is standard output."
)
@click.option("--paranoid", is_flag=True, help="Read every file again, touched or not.")
@click.option(
    "--portable",
    is_flag=True,
    help="Compare nothing; print a shell script that does, without envlock: sha256sum is enough.",
)
@click.option("--target", metavar="TARGET", help="With --portable: for linux/amd64@3.11.")
@click.option(
    "--content",
    is_flag=True,
    help="With --portable: with the digest of every file of the locked wheels, out of the store.",
)
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context,
    prefix: Path | None,
    python: str | None,
    root: Path | None,
    image: str | None,
    platform: str | None,
    request_only: bool,
    exports_only: bool,
    python_only: bool,
    os_only: bool,
    nix_only: bool,
    online: bool,
    advisories: tuple[str, ...],
    lock_only: bool,
    form: str | None,
    output: str | None,
    paranoid: bool,
    portable: bool,
    content: bool,
    target: str | None,
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> int:
    """Compare the project, exported files, and what is installed with the lock."""
    only = only_one(
        {
            "--request-only": request_only,
            "--exports-only": exports_only,
            "--python-only": python_only,
            "--os-only": os_only,
            "--nix-only": nix_only,
            "--lock-only": lock_only,
        },
        {
            "--prefix": prefix is not None,
            "--python": python is not None,
            "--root": root is not None,
        },
    )
    _belongs("--target", target, "--portable", portable)
    _belongs("--content", "" if content else None, "--portable", portable)
    _belongs("--platform", platform, "--image", image is not None)
    beyond = online or bool(advisories)
    if lock_only and not beyond:
        raise UsageError("--lock-only goes with --online or --advisories")
    if portable and (only or as_json or form or prefix or python or root or beyond):
        raise UsageError("--portable compares nothing: leave out what says what and how")
    if image is not None and (portable or only or prefix or python or root or paranoid or beyond):
        raise UsageError("--image goes with no other option that says what is compared")
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form} exclude one another")
    form = "json" if as_json else form or "table"
    # What a program reads is all that is said.
    context = replace(context, quiet=context.quiet or form == "json")
    path = None if output in (None, "-") else context.directory / str(output)
    since = time.time_ns()
    with noting_reads() as read:
        project = locate_project(context, name=name, script=script)
        lock, edited = read_or_edited(project)
        if edited is not None and portable:
            raise edited.error
        if portable:
            chosen = nearest_target(lock, None) if target is None else locked_target(lock, target)
            return _portable(context, project, lock, chosen, path, with_content=content)
        settings = load_check_settings(project, now=now())
        if edited is not None:
            found = Found(drift=edited.drift, layers=frozenset({Layer.REQUEST}))
        else:
            asked = Asked(only=only, prefix=prefix, python=python, root=root, paranoid=paranoid)
            found = _found(context, project, lock, asked, image, platform)
    unanswered = None
    if beyond and edited is None:
        found, unanswered = _beyond(context, project, lock, found, advisories, online=online)
    told = for_these(found.drift, name=name, script=script, prefix=prefix, python=python)
    judged = judge(told, settings, found.layers, today=now().date())
    unknown = unanswered if edited is None else edited.error
    if unknown is not None and not judged.failed:
        raise unknown  # nobody is told that there is no drift
    outcome = Outcome(
        lock=_shown(project.lock_path, context.directory),
        environment_hash=environment_hash(lock).root,
        judged=judged,
        compared=found.layers,
        scope=scope(lock, found),
        lines=package_lines(read_text(project.lock_path)),
    )
    tell(context, outcome, form, path)
    if unanswered is not None:
        raise unanswered
    plain = {name, script, prefix, python, image, output} == {None} and form == "table"
    if plain and not paranoid:
        options = [*([only] if only else []), *(["--root", str(root)] if root else [])]
        _remember(context, project, lock, outcome, found, options, read, since)
    return 1 if judged.failed else 0


def _belongs(option: str, value: str | None, other: str, given: bool) -> None:
    if value is not None and not given:
        raise UsageError(f"{option} belongs to {other}")


def _beyond(
    context: Context,
    project: Project,
    lock: Lock,
    found: Found,
    advisories: tuple[str, ...],
    *,
    online: bool,
) -> tuple[Found, SourceError | None]:
    """What others say, too; and who gave no answer. It is never remembered."""
    from envlock.cli.checking.online import beyond_drift

    settings = load_check_settings(project, now=now())
    try:
        drift, layers = beyond_drift(context, project, lock, settings, advisories, online=online)
    except SourceError as error:
        return replace(found, records=None), error
    drift, layers = found.drift + drift, found.layers | layers
    return replace(found, drift=drift, layers=layers, records=None), None


def _found(
    context: Context,
    project: Project,
    lock: Lock,
    asked: Asked,
    image: str | None,
    platform: str | None,
) -> Found:
    if image is None:
        return compare_layers(context, project, lock, asked)
    from envlock.cli.checking.image import image_drift

    drift, layers = image_drift(context, lock, image, platform)
    return Found(drift=drift, layers=frozenset(layers))


def _portable(
    context: Context,
    project: Project,
    lock: Lock,
    target: Target,
    output: Path | None,
    *,
    with_content: bool,
) -> int:
    """Print the script that checks without envlock."""
    from envlock.check.portable.script import portable

    content = ""
    if with_content:
        from envlock.check.portable.content import content as files_of_wheels

        content, without = files_of_wheels(lock, target)
        if without:
            say(context, f"no wheel is locked, so no file is known: {', '.join(without)}")
    text = portable(
        lock,
        target,
        lock_name=project.lock_path.name,
        lock_sha256=hashlib.sha256(project.lock_path.read_bytes()).hexdigest(),
        content=content,
    )
    write_result(text, output)
    return 0


def _remember(
    context: Context,
    project: Project,
    lock: Lock,
    outcome: Outcome,
    found: Found,
    options: list[str],
    read: set[str],
    since: int,
) -> None:
    """Keep that there is no drift, where that depends on what was looked at and ``read`` alone."""
    judged = outcome.judged
    if judged.drift or judged.accepted or judged.unused or context.directory != Path():
        return
    if not found.records:
        return
    from envlock.check.os.observe import STATUS

    # dpkg's status is one of the files of the OS layer's tree, which are compared by their stamps.
    files = {path for path in read if not path.endswith(f"/{STATUS}")}
    if not only_of_files(lock.request, files):
        return
    said = "\n".join([*found.notes, no_drift(outcome)])
    fresh.remember_no_drift(
        " ".join(["check", *options]),
        said,
        found.records,
        files=[*files, *found.exports.files],
        folders=found.exports.folders,
        root=str(project.root),
        since=since,
    )


def _shown(path: Path, directory: Path) -> str:
    """The lockfile's path from here; its name alone where it is not below."""
    shown = shown_path(path, directory)
    return path.name if Path(shown).is_absolute() else shown
