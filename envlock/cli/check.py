"""``envlock check``: the project and the environment against the lock."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from envlock.check.compare import compare_request
from envlock.check.compare_environment import compare_environment
from envlock.check.drift import Code, Drift, Layer, drift
from envlock.check.environment import Environment, key_of, look, remembered
from envlock.check.os_compare import compare_os
from envlock.check.os_content import has_digests, os_content
from envlock.check.os_observe import distribution, observe_os
from envlock.check.policy import judge
from envlock.check.report.outcome import FORMATS, Outcome
from envlock.cli import fresh
from envlock.cli.check_report import no_drift, package_lines, tell, write_result
from envlock.cli.common import (
    current_request,
    json_option,
    locate_project,
    locked_target,
    name_option,
    only_of_files,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.environment import nearest_target
from envlock.cli.output import say
from envlock.errors import UsageError
from envlock.io.files import noting_reads, read_text
from envlock.io.interpreters import query
from envlock.io.machine import machine_platform
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.realised import parse, realised_path
from envlock.project.document import shown_path
from envlock.project.load import load_check_settings
from envlock.project.locate import Project
from envlock.realise.place import default_prefix, is_venv, program, python_of

_EPILOG = """\b
Examples:
  envlock check                   # 0: fine, 1: drift
  envlock check --json
  envlock check --portable > check.sh           # then, where no envlock is: sh check.sh
  envlock check --format junit -o drift.xml     # or sarif, github, markdown
  envlock check --request-only    # does the lock still answer the project?
  envlock check --python-only     # is the lock installed?
  envlock check --image app.tar   # what is in an image, without running it
  envlock check --nix-only        # is what Nix built still that, and of this lock?

An unlocked pip, setuptools, wheel or uv is no drift: tools put them into new environments."""


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
    help="A container image instead: in a registry, an archive of one, or an OCI image layout.",
)
@click.option("--request-only", is_flag=True, help="Compare only the project with the lock.")
@click.option("--python-only", is_flag=True, help="Compare only the environment with the lock.")
@click.option("--os-only", is_flag=True, help="Compare only the OS packages with the lock.")
@click.option("--nix-only", is_flag=True, help="Compare only what Nix built with the lock.")
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
    request_only: bool,
    python_only: bool,
    os_only: bool,
    nix_only: bool,
    form: str | None,
    output: str | None,
    paranoid: bool,
    portable: bool,
    target: str | None,
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> int:
    """Compare the project with the lock, and the installed packages with the lock."""
    only = _only(
        {
            "--request-only": request_only,
            "--python-only": python_only,
            "--os-only": os_only,
            "--nix-only": nix_only,
        },
        {
            "--prefix": prefix is not None,
            "--python": python is not None,
            "--root": root is not None,
        },
    )
    if target is not None and not portable:
        raise UsageError("--target belongs to --portable")
    if portable and (only or as_json or form or prefix or python or root):
        raise UsageError("--portable compares nothing: leave out what says what and how")
    if image is not None and (portable or only or prefix or python or root or paranoid):
        raise UsageError("--image goes with no other option that says what is compared")
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form} exclude one another")
    form = "json" if as_json else form or "table"
    path = None if output in (None, "-") else context.directory / str(output)
    since = time.time_ns()
    with noting_reads() as read:
        project = locate_project(context, name=name, script=script)
        lock = read_lock(project)
        if portable:
            return _portable(project, lock, target, path)
        settings = load_check_settings(project, now=_now())
        if image is not None:
            from envlock.cli.check_image import image_drift

            found, compared = image_drift(context, lock, image)
        else:
            found, compared = _compare(context, project, lock, only, prefix, python, root, paranoid)
    judged = judge(found, settings, compared)
    outcome = Outcome(
        lock=_shown(project.lock_path, context.directory),
        environment_hash=environment_hash(lock).root,
        packages=len(lock.packages),
        judged=judged,
        compared=frozenset(compared),
        lines=package_lines(read_text(project.lock_path)),
    )
    tell(context, outcome, form, path)
    plain = {name, script, prefix, python, root, image, output} == {None} and form == "table"
    if plain and not paranoid and only in (None, "--python-only"):
        _remember(context, project, lock, outcome, only, read, since)
    return 1 if judged.failed else 0


def _portable(project: Project, lock: Lock, target: str | None, output: Path | None) -> int:
    """Print the script that checks without envlock."""
    from envlock.check.portable import portable

    text = portable(
        lock,
        nearest_target(lock, None) if target is None else locked_target(lock, target),
        lock_name=project.lock_path.name,
        lock_sha256=hashlib.sha256(project.lock_path.read_bytes()).hexdigest(),
    )
    write_result(text, output)
    return 0


def _compare(
    context: Context,
    project: Project,
    lock: Lock,
    only: str | None,
    prefix: Path | None,
    python: str | None,
    root: Path | None,
    paranoid: bool,
) -> tuple[tuple[Drift, ...], set[Layer]]:
    """The differences of what is asked for, and the layers that were compared."""
    found: tuple[Drift, ...] = ()
    if only in (None, "--request-only"):
        found += _request_drift(project, lock)
    if only in (None, "--python-only"):
        found += _python_drift(
            context, project, lock, prefix=prefix, python=python, paranoid=paranoid
        )
    if only in (None, "--os-only"):
        asked = only is not None or root is not None
        found += _os_drift(context, lock, root, required=asked, paranoid=paranoid)
    if only in (None, "--nix-only"):
        found += _nix_drift(project, lock, required=only is not None)
    return found, _compared(only, project, lock, root)


def _remember(
    context: Context,
    project: Project,
    lock: Lock,
    outcome: Outcome,
    only: str | None,
    read: set[str],
    since: int,
) -> None:
    """Keep that there is no drift, where that depends on the environment and ``read`` alone."""
    judged = outcome.judged
    if judged.drift or judged.accepted or judged.unused or context.directory != Path():
        return
    if not outcome.compared <= {Layer.REQUEST, Layer.PYTHON} or lock.os is not None:
        return
    if not only_of_files(lock.request, read):
        return
    question = " ".join(["check", *([only] if only else [])])
    tree = key_of(python_of(default_prefix(project.lock_path).absolute()))
    fresh.remember_no_drift(
        question, no_drift(outcome), tree, files=read, root=str(project.root), since=since
    )


def _compared(only: str | None, project: Project, lock: Lock, root: Path | None) -> set[Layer]:
    """The layers of which something is known now."""
    if only is not None:
        return {Layer(only.removeprefix("--").removesuffix("-only"))}
    found = {Layer.REQUEST, Layer.PYTHON}
    if realised_path(project.lock_path).exists():
        found.add(Layer.NIX)
    if lock.os is not None and (root is not None or distribution(Path("/")) == lock.os.base):
        found.add(Layer.OS)
    return found


def _shown(path: Path, directory: Path) -> str:
    """The lockfile's path from here; its name alone where it is not below."""
    shown = shown_path(path, directory)
    return path.name if Path(shown).is_absolute() else shown


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


_BELONGS = {"--prefix": "--python-only", "--python": "--python-only", "--root": "--os-only"}
"""An option that names a place → the part of the comparison that looks there."""


def _only(parts: dict[str, bool], places: dict[str, bool]) -> str | None:
    """The one part that is asked for, or None for all."""
    asked = [option for option, given in parts.items() if given]
    named = [option for option, given in places.items() if given]
    clashes = [asked] if len(asked) > 1 else []
    clashes += [[part, place] for part in asked for place in named if _BELONGS[place] != part]
    clashes += [["--prefix", "--python"]] if {"--prefix", "--python"} <= set(named) else []
    for clash in clashes:
        raise UsageError(f"{' and '.join(clash)} exclude one another")
    return asked[0] if asked else None


def _request_drift(project: Project, lock: Lock) -> tuple[Drift, ...]:
    return compare_request(current_request(project, lock, now=_now()), lock)


def _python_drift(
    context: Context,
    project: Project,
    lock: Lock,
    *,
    prefix: Path | None,
    python: str | None,
    paranoid: bool,
) -> tuple[Drift, ...]:
    if python is not None:
        environment = _look(program(python), paranoid=paranoid)
    else:
        usual = default_prefix(project.lock_path)
        folder = (usual if prefix is None else context.directory / prefix).absolute()
        expected = f"CPython {nearest_target(lock, None).python}"
        subject = str(prefix or usual.name)
        there = python_of(folder)
        if not is_venv(folder) and not (prefix is not None and there.exists()):
            return (drift(Code.NO_ENVIRONMENT, subject, expected=expected),)
        try:
            environment = _look(
                there, paranoid=paranoid, prefix=folder if is_venv(folder) else None
            )
        except _Elsewhere as other:
            found = str(other)
            return (drift(Code.ELSEWHERE, subject, expected=str(folder), found=found),)
        except UsageError:
            broken = drift(
                Code.NO_ENVIRONMENT,
                subject,
                expected=expected,
                found="a Python that does not start",
            )
            return (replace(broken, remedy="envlock sync --recreate"),)
    target = nearest_target(lock, environment.interpreter)
    return compare_environment(lock, target, environment, root=project.root)


class _Elsewhere(Exception):  # noqa: N818 - a finding, not an error
    """The environment that a virtual environment's Python really belongs to."""


def _look(python: Path, *, paranoid: bool, prefix: Path | None = None) -> Environment:
    """The environment of an interpreter: as it was last time, where nothing moved.

    ``prefix`` is the virtual environment that it has to be of.
    """
    known = None if paranoid else remembered(python)
    if known is not None:
        return known
    interpreter = query(python)
    if prefix is not None and interpreter.prefix.resolve() != prefix.resolve():
        raise _Elsewhere(interpreter.prefix)
    return look(interpreter, virtual=interpreter.isolated, paranoid=paranoid)


def _os_drift(
    context: Context, lock: Lock, root: Path | None, *, required: bool, paranoid: bool
) -> tuple[Drift, ...]:
    """The OS layer against dpkg's status and digests.

    ``required``: the user asked for just that.
    """
    if lock.os is None:
        if required:
            raise UsageError(
                "the lock has no OS packages",
                remedy="ask for some in [tool.envlock.os], and run `envlock lock`",
            )
        return ()
    there = context.directory / root if root is not None else Path("/")
    machine = distribution(there)
    if machine != lock.os.base and root is None:
        told = f"this system is {machine or 'no Debian or Ubuntu'}, the lock is for {lock.os.base}"
        if required:
            raise UsageError(told, remedy="name the root to compare: --root DIR")
        say(context, f"OS packages not compared: {told}")
        return ()
    architecture = machine_platform().partition("/")[2]
    architectures = {p.architecture for p in lock.os.packages}
    if architecture not in architectures:
        architecture = min(architectures)
    installed = observe_os(there)
    found = compare_os(lock.os, architecture, installed)
    if not has_digests(there):
        say(context, "content of OS packages not compared: dpkg keeps no lists of files there")
        return found
    off = {d.subject for d in found if d.code is not Code.OS_HELD}
    packages = (p for p in lock.os.packages if p.architecture == architecture)
    conffiles = {package: one.conffiles for package, one in installed.items()}
    return found + os_content(
        there, (p for p in packages if p.name not in off), conffiles, paranoid=paranoid
    )


def _nix_drift(project: Project, lock: Lock, *, required: bool) -> tuple[Drift, ...]:
    """What Nix built and the store has; ``required`` when the user asked for just that."""
    path = realised_path(project.lock_path)
    if not path.exists():
        if required:
            raise UsageError(
                "Nix has built nothing of this lock", where=str(path), remedy="envlock build nix"
            )
        return ()
    from envlock.check.nix import compare_nix, observe_nix

    built = parse(read_text(path), where=str(path))
    return compare_nix(environment_hash(lock).root, built, observe_nix(built))
