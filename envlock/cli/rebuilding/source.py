"""How `envlock rebuild` builds wheels from locked sdists."""

from __future__ import annotations

from dataclasses import replace

from envlock.cli.build_root import MACHINE, choose_root
from envlock.cli.rebuilding.order import WHEELS, Report
from envlock.io.interpreters import Interpreter
from envlock.io.progress import Reporter
from envlock.lock.artifacts import PythonFile, UsedFiles
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from envlock.realise.rebuild.gather import gather
from envlock.realise.source.build import Workshop, build_seconds
from envlock.realise.source.perform import build_all
from envlock.realise.source.plan import Job, make_plan
from envlock.realise.source.programs import missing_programs

_SHOWN = 3


def build_from_source(
    report: Report, packages: list[PythonPackage], python: Interpreter, reporter: Reporter
) -> Report:
    """The report with wheels of ``packages`` that were built here in place of the locked files."""
    order, lock = report.order, report.order.subject.lock
    wheels_only = not order.from_source or order.build_with == WHEELS
    root, places = order.subject.root, order.places
    # What only has no wheel is built as ever: a root is for who asks for sources, or for it.
    wanted = order.build_root or (None if order.from_source else MACHINE)
    where = choose_root(lock, root, report.target, python, places, wanted, reporter)
    report = replace(
        report,
        surroundings=where,
        files=replace(report.files, os=(*report.files.os, *where.packages)),
        gathered=report.gathered | where.gathered,
    )
    if report.missing:
        # What would be built, and with what, only the root's Python says.
        return replace(report, files=replace(report.files, python=()))
    workshop = Workshop(python=python, root=where.root, seconds=build_seconds())
    plan = make_plan(
        lock, packages, report.target, workshop.version, where.glibc_minor, wheels=wheels_only
    )
    own = {job.package.sort_key for job in plan.jobs}
    wheels = tuple(f for f in report.chosen.files if f.package.sort_key not in own)
    needed = tuple({f.file.sha256: f for f in (*plan.files, *wheels)}.values())
    published = tuple(
        PythonFile(package=job.package, file=wheel)
        for job in plan.jobs
        for wheel in (job.published, job.pure)
        if wheel is not None and not job.deep
    )
    found = gather(lock, UsedFiles(python=(*needed, *published)), root, places, reporter)
    mine = {f.file.sha256 for f in needed}
    report = replace(
        report,
        files=replace(report.files, python=needed),
        gathered=report.gathered | {sha256: g for sha256, g in found.items() if sha256 in mine},
        not_built=plan.not_built,
        taken=plan.taken,
    )
    if report.missing:
        return report
    if where.root is None:
        _note_programs(plan.jobs, lock, reporter)
    built = build_all(plan, workshop, jobs=order.jobs, reporter=reporter)
    made = {one.job.key: one.wheel for one in built}
    files = []
    for entry in report.chosen.files:
        wheel = made.get((entry.package.name, entry.package.version or ""))
        files.append(entry if wheel is None else PythonFile(package=entry.package, file=wheel))
    return replace(report, chosen=replace(report.chosen, files=tuple(files)), built=built)


def _note_programs(jobs: tuple[Job, ...], lock: Lock, reporter: Reporter) -> None:
    """Say what this machine lacks before a build fails of it."""
    found = missing_programs(jobs)
    for package, titles in found.items():
        more = f" and {len(titles) - _SHOWN} more" if len(titles) > _SHOWN else ""
        locked = () if lock.os is None else lock.os.build_package(package)
        version = f" (the lock has {locked[0].version})" if locked else ""
        reporter.note(
            f"{package}{version} is not on this machine, and known to be needed to build"
            f" {', '.join(titles[:_SHOWN])}{more}"
        )
    if found:
        reporter.note(f"to have them: apt-get install {' '.join(found)}, or the like")
