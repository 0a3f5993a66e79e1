"""The environment of a recorded run: made of its lock, or where there was none, found in place."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envlock.check.python.compare import compare_environment
from envlock.check.python.environment import look
from envlock.cli.common import project_guard
from envlock.cli.context import Context
from envlock.cli.output import reporting
from envlock.cli.rebuilding.find import subject_of_run
from envlock.cli.rebuilding.order import BUILT, WHEELS, Order, Report
from envlock.cli.rebuilding.report import artifacts, origins_told
from envlock.cli.rebuilding.work import rebuild
from envlock.errors import SourceError, UsageError
from envlock.io.files import make_folder, write_atomic
from envlock.io.interpreters import query
from envlock.io.machine import machine_platform
from envlock.io.paths import cache_dir
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.realise.place import Place, is_venv, place_at_prefix, python_of
from envlock.realise.rebuild.gather import Places
from envlock.runs.environment import Realised
from envlock.runs.repeat.code import Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How an environment may come back: places that have its files; from source, ``jobs`` at once.

    ``build_with`` is as in ``rebuild_work.Order``; ``jobs``: None for one a processor;
    ``build_root``: see ``build_root.choose_root``.
    """

    places: Places
    from_source: bool = False
    build_root: str | None = None
    build_with: str = BUILT
    jobs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """``prefix``: None where the command needs no environment, or it is not made yet.

    ``told`` says what it is.
    """

    prefix: Path | None
    told: str
    missing: tuple[Missing, ...] = ()


def in_place(record: dict[str, Any]) -> Ready:
    """The environment of a run without a lock: the very one, if it still holds the same."""
    environment = record.get("environment") or {}
    python = environment.get("python") or {}
    prefix = python.get("prefix")
    if prefix is None:
        return Ready(prefix=None, told="no lock and no environment: this machine as it is")
    if not is_venv(Path(prefix)):
        there = "nothing there any more"
    else:
        realised = Realised(["python"], {"VIRTUAL_ENV": prefix, "PATH": ""}, "/")
        facts = realised.facts(lambda content: hashlib.sha256(content).hexdigest())
        if facts["python"].get("packages-sha256") == python.get("packages-sha256"):
            told = f"no lock; {prefix} holds the same packages as then"
            return Ready(prefix=Path(prefix), told=told)
        there = "it holds other packages now"
    reason = f"{prefix}: {there}"
    return Ready(
        prefix=None,
        told="gone",
        missing=(
            Missing(
                what="the environment; the run had no lock",
                tried=(reason,),
                remedy="`envlock runs show` says what was in it; for later runs: envlock lock",
            ),
        ),
    )


def of_lock(
    context: Context,
    record: dict[str, Any],
    text: bytes,
    lock_path: Path,
    aside: Path,
    ways: Ways,
    *,
    blob: Callable[[str], bytes],
    dry: bool,
) -> Ready:
    """The environment that a lock describes, in the cache, by its hash; rebuilt where it is not.

    Args:
        context: for what is said meanwhile.
        record: of the run.
        text: the lockfile's content.
        lock_path: where it goes in the new folder; paths in it count from there.
        aside: a folder for an environment that belongs to this repeat alone.
        ways: see there.
        blob: content that records keep, by digest; OSError where it is not there.
        dry: only say what would be done.

    Raises:
        EnvlockError: it cannot be made; VerificationError where it is not the one of the record.
    """
    make_folder(lock_path.parent)
    write_atomic(lock_path, text)
    subject = subject_of_run(
        record,
        text.decode(),
        root=lock_path.parent,
        blob=blob,
        where=f"the lock of run {record['id']}",
    )
    lock, wanted, name = subject.lock, subject.python, environment_hash(subject.lock)
    if any(package.directory is not None for package in lock.packages):
        prefix = aside
    else:
        built = "-from-source" if ways.from_source else ""
        built += "-with-wheels" if built and ways.build_with == WHEELS else ""
        place_name = f"{name.root}-{wanted or 'any'}{built}"
        prefix = cache_dir() / "environments" / place_name
    try:
        place = _place(lock, prefix, wanted)
    except UsageError as error:
        missing = Missing(what=f"an environment {name.short} for here", tried=(error.what,))
        return Ready(prefix=None, told="not for this machine", missing=(missing,))
    if dry:
        there = "in the cache" if place.interpreter is not None else "to be rebuilt"
        return Ready(prefix=None, told=f"{name.short}, {there}")
    make_folder(prefix.parent)
    with project_guard(context, prefix.parent):
        place = _place(lock, prefix, wanted)
        if (
            place.interpreter is not None
            and not ways.from_source
            and _equal(lock, place, lock_path)
        ):
            return Ready(prefix=prefix, told=f"{name.short}, from the cache")
        order = Order(
            subject=subject,
            folder=prefix,
            target=None,
            places=ways.places,
            recreate=place.interpreter is None,
            from_source=ways.from_source,
            build_root=ways.build_root,
            build_with=ways.build_with,
            jobs=ways.jobs,
        )
        with reporting(context, in_bytes=True) as reporter:
            report = rebuild(order, reporter)
    return _rebuilt(report, name.short)


def _place(lock: Lock, prefix: Path, wanted: str | None) -> Place:
    platform = machine_platform()
    try:
        return place_at_prefix(lock, prefix, platform=platform, python=wanted)
    except UsageError:
        # Another patch release than that of the run, or an environment that is damaged.
        return place_at_prefix(lock, prefix, platform=platform, recreate=True)


def _equal(lock: Lock, place: Place, lock_path: Path) -> bool:
    """Whether it is what the lock says, every file of it."""
    interpreter = query(python_of(place.prefix))
    environment = look(interpreter, virtual=True)
    return not compare_environment(lock, place.target, environment, root=lock_path.parent)


def _rebuilt(report: Report, name: str) -> Ready:
    """What came of it: an environment that is the lock's, or what it lacks."""
    if report.missing or report.failed:
        missing = (*_files(report), *_wheels(report))
        return Ready(prefix=None, told=f"{name}, cannot be rebuilt", missing=missing)
    wrong = [d for d in report.drift if d.severity == "error"]
    if wrong:
        listed = "\n".join(
            f"{d.name} {d.subject}: expected {d.expected}, found {d.found}" for d in wrong
        )
        raise SourceError(
            f"what was rebuilt is not what the lock says:\n{listed}",
            where=str(report.order.folder),
        )
    made = " from source" if report.built else ""
    if report.built and report.surroundings is not None:
        made += f", {report.surroundings.told()}"
    counts = Counter(one.origin for one in report.gathered.values() if one.origin)
    told = origins_told(counts)
    return Ready(prefix=report.order.folder, told=f"{name}, rebuilt{made}" + (told and f": {told}"))


def _files(report: Report) -> Iterator[Missing]:
    """Files that nobody has, with the places that were asked."""
    for one in artifacts(report):
        if one["state"] == "missing":
            tried = [f"the store, {cache_dir() / 'sha256'}"]
            tried += [f"{place['place']}: {place['why']}" for place in one["tried"]]
            tried += [
                f"{bundle}: no file of that digest or name"
                for bundle in map(str, report.order.places.bundles)
                if not any(told.startswith(bundle) for told in tried)
            ]
            if report.order.places.offline:
                tried.append("no network, as --offline says")
            yield Missing(
                what=f"{one['file']} (sha256 {one['sha256']})",
                tried=tuple(tried),
                remedy="name a place that has it: --from DIR, --index URL",
            )


def _wheels(report: Report) -> Iterator[Missing]:
    """Wheels that were not built, with the end of their logs."""
    for one in report.failed:
        log = () if one.log is None else (str(one.log),)
        yield Missing(what=f"a wheel of {one.job.title}", tried=(one.failure or "", *log))
