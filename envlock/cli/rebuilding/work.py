"""How `envlock rebuild` goes: interpreter, files, installation, comparison."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envlock.cli.rebuilding.order import Order, Report
from envlock.cli.rebuilding.python import provided_python
from envlock.errors import UsageError
from envlock.io.interpreters import Interpreter
from envlock.io.machine import machine_platform
from envlock.io.progress import Reporter
from envlock.lock.artifacts import PythonFile, UsedFiles
from envlock.lock.model import Lock
from envlock.lock.provider import locked_python
from envlock.lock.selection import select_target
from envlock.lock.target import Target
from envlock.realise.place import Place, occupied, place_at_prefix
from envlock.realise.rebuild.choose import Chosen, choose_files
from envlock.realise.rebuild.gather import Gathered, gather
from envlock.realise.rebuild.install import finished, install, tidy

if TYPE_CHECKING:
    from envlock.check.drift import Drift
    from envlock.check.python.environment import Environment
    from envlock.lock.installed import BuiltWheel
    from envlock.realise.notes import Stamps
    from envlock.realise.rebuild.realised import Realised


def rebuild(order: Order, reporter: Reporter) -> Report:
    """Bring it back.

    Raises:
        SourceError: nothing provides the interpreter, or the environment cannot be made.
        UsageError: the folder holds something else, or the lock is not for this machine.
        VerificationError: a file is not what the lock says.
    """
    lock = order.subject.lock
    platform = machine_platform()
    target = target_of(order, platform)
    if target.platform != platform:
        raise UsageError(
            f"an environment for {target.key} cannot be made on {platform}",
            remedy="`envlock fetch --target` brings its files; --backend image makes an image",
        )
    place = place_at_prefix(
        lock,
        order.folder,
        platform=platform,
        recreate=order.recreate,
        python=locked_python(lock, target),
    )
    base, needed, gathered = _base(order, place, reporter)
    python = place.interpreter or base
    version = None if python is None else python.version
    chosen = choose_files(lock, place.target, version)
    report = Report(
        order=order,
        target=place.target,
        files=replace(needed, python=chosen.files),
        gathered=gathered,
        chosen=chosen,
        python=version,
    )
    to_build = [f.package for f in chosen.files if order.from_source or _has_to_be_built(lock, f)]
    if to_build and python is not None:
        from envlock.cli.rebuilding.source import build_from_source

        report = build_from_source(report, to_build, python, reporter)
    else:
        found = gather(
            lock, UsedFiles(python=chosen.files), order.subject.root, order.places, reporter
        )
        report = replace(report, gathered=gathered | found)
    if report.missing or report.failed:
        return report
    chosen = report.chosen
    built = _built(report)
    fresh = not occupied(order.folder)
    try:
        environment = _installed(order, place, chosen, base, built, reporter)
    except BaseException:
        if fresh:  # what is half made looks like an environment
            shutil.rmtree(order.folder, ignore_errors=True)
        raise
    drift = _drift(order, place, environment)
    wrong = _wrong(environment, drift, chosen)
    if wrong:
        # What an interrupted run left, or a person edited, is installed once more.
        place = place_at_prefix(lock, order.folder, platform=platform)
        environment = _installed(order, place, chosen, base, built, reporter, anew=wrong)
        drift = _drift(order, place, environment)
    if _wrong(environment, drift, chosen) and python is not None:
        # Files whose metadata is gone belong to nobody: the environment is made anew.
        version = locked_python(lock, place.target)
        place = place_at_prefix(
            lock, order.folder, platform=platform, recreate=True, python=version
        )
        base, _, _ = _base(order, place, reporter)
        environment = _installed(order, place, chosen, base, built, reporter)
        drift = _drift(order, place, environment)
    realised = _realised(order, environment, chosen)
    return replace(report, drift=drift, realised=realised, mended=wrong)


def _built(report: Report) -> dict[str, BuiltWheel]:
    """What was built here of what is installed, by name."""
    if not report.built:
        return {}
    from envlock.lock.installed import BuiltWheel

    return {
        one.job.key[0]: BuiltWheel(
            file=one.wheel.name, sha256=one.wheel.sha256, inputs=one.inputs or ""
        )
        for one in report.built
        if one.wheel is not None and not one.job.deep
    }


def target_of(order: Order, platform: str) -> Target:
    """The target that is asked for, else that of the run's Python, where the lock has it; else the
    newest for this machine.
    """
    subject = order.subject
    if order.target is not None:
        return order.target
    if subject.python is not None:
        with suppress(UsageError):
            return select_target(subject.lock, platform, subject.python)
    return select_target(subject.lock, platform)


def _has_to_be_built(lock: Lock, entry: PythonFile) -> bool:
    """Whether no wheel serves, and the lock says how to build one."""
    package = entry.package
    return (
        not entry.file.name.endswith(".whl")
        and lock.build(package.name, package.version) is not None
    )


def _base(
    order: Order, place: Place, reporter: Reporter
) -> tuple[Interpreter | None, UsedFiles, dict[str, Gathered]]:
    """The interpreter to make the environment from, where it is not there already."""
    if place.interpreter is not None:
        return None, UsedFiles(), {}
    subject = order.subject
    return provided_python(
        subject.lock,
        subject.root,
        place.target,
        order.places,
        reporter,
        preferred=subject.python,
    )


def _wrong(environment: Environment, drift: tuple[Drift, ...], chosen: Chosen) -> tuple[str, ...]:
    """Packages that are not what was to be installed, or whose files are not."""
    names = {entry.package.name for entry in chosen.files}
    found = {f.package for f in environment.content.findings if f.drift.severity == "error"}
    found |= {d.subject for d in drift if d.severity == "error"}
    return tuple(sorted(name for name in found if name in names))


def _installed(
    order: Order,
    place: Place,
    chosen: Chosen,
    base: Interpreter | None,
    built: Mapping[str, BuiltWheel],
    reporter: Reporter,
    anew: tuple[str, ...] = (),
) -> Environment:
    lock = order.subject.lock
    there: Stamps = {}
    if place.interpreter is not None:
        from envlock.realise.notes import built_otherwise, stamps

        before = _infos(place.interpreter)
        there = stamps(before)
        wheels = {f.package.name for f in chosen.files if f.file.name.endswith(".whl")}
        anew = (*anew, *built_otherwise(before, built, wheels - set(built)))
    interpreter = install(
        lock,
        chosen,
        order.subject.root,
        place,
        base=None if base is None else base.executable,
        offline=order.places.offline,
        anew=anew,
        reporter=reporter,
        meanwhile=_load,
    )
    from envlock.check.python.environment import look
    from envlock.realise.notes import write_notes

    infos = _infos(interpreter)
    packages = [entry.package for entry in chosen.files]
    tidy(infos, packages)
    write_notes(lock, place.target, packages, infos, there, built)
    finished(place.prefix)
    reporter.step("comparing")
    return look(interpreter, virtual=True, paranoid=True)


def _load() -> None:
    """Load what is needed once everything is installed."""
    import envlock.check.python.compare
    import envlock.cli.rebuilding.report
    import envlock.realise.notes  # noqa: F401


def _infos(interpreter: Interpreter) -> dict[Path, str]:
    from envlock.check.python.observe import observe_interpreter

    return {d.path: d.name for d in observe_interpreter(interpreter).distributions}


def _drift(order: Order, place: Place, environment: Environment) -> tuple[Drift, ...]:
    from envlock.check.python.compare import compare_environment

    return compare_environment(
        order.subject.lock, place.target, environment, root=order.subject.root
    )


def _realised(order: Order, environment: Environment, chosen: Chosen) -> tuple[Realised, ...]:
    subject = order.subject
    if subject.packages is None:
        return ()
    from envlock.realise.rebuild.realised import compare_realised, recorded

    infos = {d.path: (d.name, d.version or "") for d in environment.observed.distributions}
    rows = recorded(subject.packages, where=subject.run or "")
    without = {package.name for package in chosen.without}
    return compare_realised(rows, infos, order.folder, subject.prefix, without)
