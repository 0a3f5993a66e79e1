"""How `envlock rebuild` goes: interpreter, files, installation, comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from envlock.check.compare_environment import compare_environment
from envlock.check.drift import Drift
from envlock.check.environment import Environment, look
from envlock.cli.rebuild_subject import Subject
from envlock.errors import SourceError
from envlock.io.interpreters import Interpreter
from envlock.io.machine import machine_platform
from envlock.io.progress import Reporter
from envlock.lock.artifacts import UsedFiles
from envlock.lock.provider import locked_python, standalone
from envlock.lock.selection import select_target
from envlock.lock.target import Target
from envlock.realise.notes import stamps, write_notes
from envlock.realise.place import Place, place_at_prefix
from envlock.realise.rebuild.choose import Chosen, choose_files
from envlock.realise.rebuild.gather import Gathered, Places, gather
from envlock.realise.rebuild.install import install, tidy
from envlock.realise.rebuild.interpreter import machine_python, unpacked_python
from envlock.realise.rebuild.realised import Realised, compare_realised, recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to rebuild, into which folder (absolute), and where its files may be had."""

    subject: Subject
    folder: Path
    target: Target | None
    places: Places
    recreate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of it.

    ``files`` are those that the environment is made of, ``gathered`` says where each came from
    (by digest). ``python`` is the interpreter's version, None where there is none. ``drift`` is
    how the environment differs from the lock, ``realised`` how from the run's record.
    """

    order: Order
    target: Target
    files: UsedFiles
    gathered: dict[str, Gathered]
    chosen: Chosen
    python: str | None = None
    drift: tuple[Drift, ...] = ()
    realised: tuple[Realised, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The digests of the files that nobody has."""
        return tuple(sha256 for sha256, one in self.gathered.items() if one.origin is None)

    @property
    def same(self) -> bool:
        """Whether it is the same environment, as far as can be told."""
        fine = ("identical", "content-equal")
        return (
            not self.missing
            and not any(d.severity == "error" for d in self.drift)
            and all(one.state in fine for one in self.realised)
        )


def rebuild(order: Order, reporter: Reporter) -> Report:
    """Bring it back.

    Raises:
        SourceError: nothing provides the interpreter, or the environment cannot be made.
        UsageError: the folder holds something else, or the lock is not for this machine.
        VerificationError: a file is not what the lock says.
    """
    lock = order.subject.lock
    platform = machine_platform()
    target = order.target or select_target(lock, platform)
    if target.platform != platform:
        select_target(lock, platform)  # says for what the lock is
    place = place_at_prefix(
        lock,
        order.folder,
        platform=platform,
        recreate=order.recreate,
        python=locked_python(lock, target),
    )
    base, needed, gathered = _base(order, place, reporter)
    if base is None and place.interpreter is None:
        return Report(
            order=order,
            target=place.target,
            files=needed,
            gathered=gathered,
            chosen=Chosen(files=(), without=()),
        )
    version = (place.interpreter or base or _never()).version
    chosen = choose_files(lock, place.target, version)
    needed = replace(needed, python=chosen.files)
    found = gather(lock, UsedFiles(python=chosen.files), order.subject.root, order.places, reporter)
    report = Report(
        order=order,
        target=place.target,
        files=needed,
        gathered=gathered | found,
        chosen=chosen,
        python=version,
    )
    if report.missing:
        return report
    environment = _installed(order, place, chosen, base, reporter)
    drift = _drift(order, place, environment)
    wrong = _wrong(environment, chosen)
    if wrong:
        # What an interrupted run left, or a person edited, is installed once more.
        environment = _installed(order, place, chosen, base, reporter, anew=wrong)
        drift = _drift(order, place, environment)
    return replace(report, drift=drift, realised=_realised(order, environment))


def _never() -> Interpreter:
    raise AssertionError("there is an interpreter")


def _base(
    order: Order, place: Place, reporter: Reporter
) -> tuple[Interpreter | None, UsedFiles, dict[str, Gathered]]:
    """The interpreter to make the environment from, and the files that it is from.

    It is None where the environment is there already, or where such a file is missing.
    """
    if place.interpreter is not None:
        return None, UsedFiles(), {}
    own = machine_python(place.python)
    if own is not None:
        return own, UsedFiles(), {}
    lock, subject = order.subject.lock, order.subject
    build = standalone(lock, place.target)
    if build is None:
        raise SourceError(
            f"CPython {place.python} is not installed, and the lock is for it",
            remedy=f"install it (for example: uv python install {place.python}); with"
            ' interpreter = "standalone" in [tool.envlock] a lock brings its own',
        )
    files = UsedFiles(interpreters=(build,))
    gathered = gather(lock, files, subject.root, order.places, reporter)
    if any(one.origin is None for one in gathered.values()):
        return None, files, gathered
    reporter.step(f"unpacking {build}")
    return unpacked_python(build), files, gathered


def _wrong(environment: Environment, chosen: Chosen) -> tuple[str, ...]:
    """Packages whose files are not what was installed."""
    names = {entry.package.name for entry in chosen.files}
    found = {f.package for f in environment.content.findings if f.drift.severity == "error"}
    return tuple(sorted(name for name in found if name in names))


def _installed(
    order: Order,
    place: Place,
    chosen: Chosen,
    base: Interpreter | None,
    reporter: Reporter,
    anew: tuple[str, ...] = (),
) -> Environment:
    lock = order.subject.lock
    if anew:
        place = place_at_prefix(lock, order.folder, platform=machine_platform())
    before = _infos(place.interpreter)
    there = stamps(before)
    interpreter = install(
        lock,
        chosen,
        order.subject.root,
        place,
        base=None if base is None else base.executable,
        offline=order.places.offline,
        anew=anew,
        reporter=reporter,
    )
    infos = _infos(interpreter)
    packages = [entry.package for entry in chosen.files]
    tidy(infos, packages)
    write_notes(lock, place.target, packages, infos, there)
    reporter.step("comparing")
    return look(interpreter, virtual=True, paranoid=True)


def _infos(interpreter: Interpreter | None) -> dict[Path, str]:
    from envlock.check.observe import observe_interpreter

    if interpreter is None:
        return {}
    return {d.path: d.name for d in observe_interpreter(interpreter).distributions}


def _drift(order: Order, place: Place, environment: Environment) -> tuple[Drift, ...]:
    return compare_environment(
        order.subject.lock, place.target, environment, root=order.subject.root
    )


def _realised(order: Order, environment: Environment) -> tuple[Realised, ...]:
    subject = order.subject
    if subject.packages is None:
        return ()
    infos = {d.path: (d.name, d.version or "") for d in environment.observed.distributions}
    rows = recorded(subject.packages, where=subject.run or "")
    return compare_realised(rows, infos, order.folder, subject.prefix)
