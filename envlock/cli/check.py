"""``envlock check``: the project and the environment against the lock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from envlock.check.compare import compare, compare_request
from envlock.check.drift import MEANINGS, Code, Drift, Layer, Severity, drift
from envlock.check.observe import observe_interpreter
from envlock.check.os_compare import compare_os
from envlock.check.os_observe import distribution, observe_os
from envlock.check.policy import Judged, judge
from envlock.cli.common import (
    current_request,
    json_option,
    locate_project,
    name_option,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import result, result_json, say
from envlock.cli.style import style
from envlock.errors import UsageError
from envlock.io.files import read_text
from envlock.io.interpreters import Interpreter, query
from envlock.io.machine import machine_platform
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.realised import parse, realised_path
from envlock.lock.selection import select_target
from envlock.lock.target import Target
from envlock.project.load import load_check_settings
from envlock.project.locate import Project
from envlock.realise.place import default_prefix, is_venv, program, python_of

_EPILOG = """\b
Examples:
  envlock check                   # 0: fine, 1: drift
  envlock check --json
  envlock check --request-only    # does the lock still answer the project?
  envlock check --python-only     # is the lock installed?
  envlock check --nix-only        # is what Nix built still that, and of this lock?

An unlocked pip, setuptools, wheel or uv is no drift: tools put them into new environments."""

_TITLES = {
    Layer.REQUEST: "the project has changed since it was locked",
    Layer.PYTHON: "the environment is not what the lock says",
    Layer.OS: "the system's packages are not what the lock says",
    Layer.NIX: "what Nix built is not what the lock says",
}


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
@click.option("--request-only", is_flag=True, help="Compare only the project with the lock.")
@click.option("--python-only", is_flag=True, help="Compare only the environment with the lock.")
@click.option("--os-only", is_flag=True, help="Compare only the OS packages with the lock.")
@click.option("--nix-only", is_flag=True, help="Compare only what Nix built with the lock.")
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context,
    prefix: Path | None,
    python: str | None,
    root: Path | None,
    request_only: bool,
    python_only: bool,
    os_only: bool,
    nix_only: bool,
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
    project = locate_project(context, name=name, script=script)
    lock = read_lock(project)
    settings = load_check_settings(project, now=_now())
    found: tuple[Drift, ...] = ()
    if only in (None, "--request-only"):
        found += _request_drift(project, lock)
    if only in (None, "--python-only"):
        found += _python_drift(context, project, lock, prefix=prefix, python=python)
    if only in (None, "--os-only"):
        found += _os_drift(context, lock, root, required=only is not None or root is not None)
    if only in (None, "--nix-only"):
        found += _nix_drift(project, lock, required=only is not None)
    judged = judge(found, settings, _compared(only, project, lock, root))
    if as_json:
        result_json(_as_json(project, lock, judged))
    else:
        _report(context, lock, judged)
    return 1 if judged.failed else 0


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
    context: Context, project: Project, lock: Lock, *, prefix: Path | None, python: str | None
) -> tuple[Drift, ...]:
    if python is not None:
        interpreter = query(program(python))
    else:
        usual = default_prefix(project.lock_path)
        folder = (usual if prefix is None else context.directory / prefix).absolute()
        expected = f"CPython {_any_target(lock, None).python}"
        subject = str(prefix or usual.name)
        if not is_venv(folder):
            return (drift(Code.NO_ENVIRONMENT, subject, expected=expected),)
        try:
            interpreter = query(python_of(folder))
        except UsageError:
            broken = drift(
                Code.NO_ENVIRONMENT,
                subject,
                expected=expected,
                found="a Python that does not start",
            )
            return (replace(broken, remedy="envlock sync --recreate"),)
    target = _any_target(lock, interpreter)
    return compare(lock, target, observe_interpreter(interpreter), root=project.root)


def _os_drift(
    context: Context, lock: Lock, root: Path | None, *, required: bool
) -> tuple[Drift, ...]:
    """The OS layer against dpkg's status; ``required`` when the user asked for just that."""
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
    return compare_os(lock.os, architecture, observe_os(there))


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


def _any_target(lock: Lock, interpreter: Interpreter | None) -> Target:
    """The target that the environment should serve; where none fits, the nearest one.

    That none fits is then a difference (another interpreter), not an error.
    """
    platform = interpreter.platform if interpreter and interpreter.platform else machine_platform()
    try:
        return select_target(lock, platform, interpreter.version if interpreter else None)
    except UsageError:
        return select_target(lock, platform)


def _as_json(project: Project, lock: Lock, judged: Judged) -> dict[str, object]:
    accepted = [_entry(a.drift) | {"reason": a.ignore.reason} for a in judged.accepted]
    unused = [
        {"code": i.code, "reason": i.reason, "subject": i.subject, "where": i.where}
        for i in judged.unused
    ]
    return {
        "lock": project.lock_path.name,
        "environment-hash": environment_hash(lock).root,
        "ok": not judged.failed,
        "drift": [_entry(d) for d in judged.drift],
        "ignored": accepted,
        "unused-ignores": unused,
    }


def _entry(found: Drift) -> dict[str, str | None]:
    return {
        "cause": found.cause,
        "code": found.code,
        "expected": found.expected,
        "found": found.found,
        "layer": found.layer,
        "name": found.name,
        "remedy": found.remedy,
        "severity": found.severity,
        "subject": found.subject,
    }


def _report(context: Context, lock: Lock, judged: Judged) -> None:
    found = judged.drift
    for ignore in judged.unused:
        say(context, f"{ignore.where}: ignores {ignore.code} {ignore.subject}, which is not there")
    ignored = f", {len(judged.accepted)} ignored" if judged.accepted else ""
    short = environment_hash(lock).short
    if not found:
        say(context, f"no drift: {short}, {len(lock.packages)} packages{ignored}")
        return
    for layer in Layer:
        rows = [d for d in found if d.layer is layer]
        if rows:
            result(style(_TITLES[layer], "bold"))
            result("\n".join(_table(rows)))
    kinds = ", ".join(
        f"{sum(d.code is code for d in found)} {meaning.name}"
        for code, meaning in MEANINGS.items()
        if any(d.code is code for d in found)
    )
    remedies = list(dict.fromkeys(d.remedy for d in found))
    say(context, f"drift from {short}: {kinds}{ignored}")
    say(context, f"to repair it: {' && '.join(_few(remedies))}")


def _few(remedies: list[str]) -> list[str]:
    """Without a plain sync where the environment has to be made anew."""
    recreate = "envlock sync --recreate"
    return [r for r in remedies if not (r == "envlock sync" and recreate in remedies)]


def _request_difference(found: Drift) -> str:
    if found.expected is None:
        return f"{found.found} was added"
    if found.found is None:
        return f"{found.expected} was removed"
    return f"was {found.expected}, is now {found.found}"


def _table(rows: list[Drift]) -> list[str]:
    cells = [(d.code, d.name, d.subject, _difference(d)) for d in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    return [
        "  " + "  ".join([*(row[i].ljust(widths[i]) for i in range(3)), row[3]]).rstrip()
        for row in cells
    ]


def _difference(found: Drift) -> str:
    text = _found_and_expected(found)
    text += f"; {found.cause}" if found.cause else ""
    return text if found.severity is Severity.ERROR else f"{text} ({found.severity})"


def _found_and_expected(found: Drift) -> str:
    if found.layer is Layer.REQUEST:
        return _request_difference(found)
    if found.expected is None:
        return f"found {found.found}" if found.found else ""
    if found.found is None:
        return f"expected {found.expected}"
    return f"expected {found.expected}, found {found.found}"
