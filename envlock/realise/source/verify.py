"""Whether a wheel comes out the same when what must not matter is different."""

from __future__ import annotations

import platform
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

from envlock.io import process
from envlock.io.confined import may_be_other_user
from envlock.io.progress import Reporter
from envlock.io.rooted import Shown, in_root
from envlock.io.store import stored
from envlock.realise.difference import diffoscope, where_they_differ
from envlock.realise.source.build import (
    CLOCK,
    BuildFailedError,
    Conditions,
    Workshop,
    building,
    input_digest,
)
from envlock.realise.source.perform import Built, log_of, processors, wheels_of
from envlock.realise.source.plan import Key

_NOBODY = 65534

WORDS = {
    "root": "path",
    "locale": "locale",
    "zone": "time zone",
    "umask": "umask",
    "cpus": "number of processors",
    "user": "user",
    "hash_seed": "order of hashes",
    "backwards": "order and times of files",
    "clock": "date",
}
"""What the two builds differ in, in words, by the fields of ``Conditions``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What two builds of one sdist came to.

    ``reproducible``: the same bytes; None where the first build failed. ``difference`` is the first
    one, in words; ``causes`` are the conditions that alone bring another wheel about, in words;
    ``report`` is diffoscope's, where that is installed.
    """

    built: Built
    reproducible: bool | None
    difference: str | None = None
    causes: tuple[str, ...] = ()
    report: str | None = None


def other_conditions(root: Path, workshop: Workshop) -> Conditions:
    """All that can be different there; the path is below ``root``."""
    return Conditions(
        root=root,
        locale="C",
        zone="Pacific/Kiritimati",
        umask=0o077,
        cpus=1 if processors() > 1 else 0,
        user=_NOBODY if may_be_other_user() else None,
        hash_seed="4242",
        backwards=True,
        clock=_later_clock(workshop),
    )


def not_tried(workshop: Workshop) -> tuple[str, ...]:
    """The conditions that cannot be different there, in words."""
    differ = differing(other_conditions(Path("/"), workshop))
    return tuple(word for name, word in WORDS.items() if name not in differ)


def _later_clock(workshop: Workshop) -> Path | None:
    """libfaketime, where Debian and others install it, and what is built in can load it."""
    debian = f"/usr/lib/{platform.machine()}-linux-gnu"
    places = (debian, "/usr/lib", "/usr/lib64", "/usr/local/lib")
    found = (Path(place, "faketime", "libfaketimeMT.so.1") for place in places)
    clock = next((path for path in found if path.is_file()), None)
    return clock if clock is None or workshop.root is None or _loads(clock, workshop) else None


def _loads(clock: Path, workshop: Workshop) -> bool:
    """Whether a root's loader takes this machine's library."""
    assert workshop.root is not None  # noqa: S101 - asked only then
    root, python = workshop.root
    shown = (*python.shown, Shown(source=clock, target=CLOCK))
    variables = {"LD_PRELOAD": CLOCK, "LC_ALL": "C.UTF-8"}
    done = process.run(
        in_root(root.folder, [python.path, "-I", "-c", ""], shown=shown, env=variables), env={}
    )
    return done.code == 0 and not done.stderr


def differing(conditions: Conditions) -> tuple[str, ...]:
    """The fields in which conditions differ from the usual ones."""
    usual = Conditions()
    names = (field.name for field in fields(Conditions))
    return tuple(name for name in names if getattr(usual, name) != getattr(conditions, name))


def verify_all(
    built: Iterable[Built], workshop: Workshop, *, jobs: int | None, reporter: Reporter
) -> tuple[Verdict, ...]:
    """Build each once more in other conditions; where that is another wheel, say why.

    Args:
        built: what was built in the usual conditions; their wheels are in the store.
        workshop: as they were built in.
        jobs: how many at once; None: one a processor.
        reporter: told how many are done.

    Raises:
        SourceError: uv is missing, or the disk cannot take it.
    """
    found = tuple(built)
    done = {one.job.key: one for one in found}
    reporter.step(f"building {len(found)} wheels again")
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="envlock-verify-other-place-") as folder:
        other = other_conditions(Path(folder), workshop)
        with ThreadPoolExecutor(jobs or processors(), "envlock-verify") as pool:
            try:
                for verdict in pool.map(lambda one: _verify(one, done, workshop, other), found):
                    verdicts.append(verdict)
                    reporter.progress(len(verdicts), len(found))
            except BaseException:
                workshop.stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return tuple(verdicts)


def _verify(one: Built, done: dict[Key, Built], workshop: Workshop, other: Conditions) -> Verdict:
    if one.wheel is None:
        return Verdict(built=one, reproducible=None)
    first = stored(one.wheel.sha256)
    try:
        with _again(one, done, workshop, other) as second:
            if _same(first, second):
                return Verdict(built=one, reproducible=True)
            difference = first_difference(first, second)
            report = diffoscope(first, second, one.wheel.name)
    except BuildFailedError as error:
        difference, report = f"in other conditions it fails: {error}", None
    causes = _causes(one, done, workshop, other)
    return Verdict(
        built=one, reproducible=False, difference=difference, causes=causes, report=report
    )


def _causes(
    one: Built, done: dict[Key, Built], workshop: Workshop, other: Conditions
) -> tuple[str, ...]:
    """Conditions that alone bring another wheel about, in words."""
    assert one.wheel is not None  # noqa: S101 - the first build made one
    first = stored(one.wheel.sha256)

    def matters(conditions: Conditions) -> bool:
        try:
            with _again(one, done, workshop, conditions) as second:
                return not _same(first, second)
        except BuildFailedError:
            return True

    if matters(Conditions()):
        return ("the time, or chance",)
    found = [
        WORDS[name]
        for name in differing(other)
        if matters(replace(Conditions(), **{name: getattr(other, name)}))
    ]
    return tuple(found) or ("several of them together",)


class _again:  # noqa: N801 - used as a function is
    """The wheel of one more build; there until the context ends."""

    def __init__(
        self, one: Built, done: dict[Key, Built], workshop: Workshop, conditions: Conditions
    ) -> None:
        wheels = wheels_of(one.job, done)
        assert isinstance(wheels, list)  # noqa: S101 - it was built with them
        key = input_digest(one.job, wheels, workshop)
        log = log_of(one.job, key).with_suffix(".again.log")
        self._building = building(one.job, wheels, key[:16], workshop, log, conditions)

    def __enter__(self) -> Path:
        return self._building.__enter__().path

    def __exit__(self, *error: object) -> None:
        self._building.__exit__(*error)  # type: ignore[arg-type]


def _same(first: Path, second: Path) -> bool:
    return first.read_bytes() == second.read_bytes()


def first_difference(first: Path, second: Path) -> str:
    """Where two wheels differ first, in words."""
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
        return next(_differences(one, two), "bytes between the files of the archive")


def _differences(one: zipfile.ZipFile, two: zipfile.ZipFile) -> Iterator[str]:
    ours = {info.filename: info for info in one.infolist()}
    theirs = {info.filename: info for info in two.infolist()}
    for name in sorted(ours.keys() ^ theirs.keys()):
        yield f"{name} is only in the {'first' if name in ours else 'second'} one"
    records = [name for name in ours if name.endswith(".dist-info/RECORD")]
    for name in [*(n for n in ours if n not in records), *records]:
        if name in theirs and (where := where_they_differ(one.read(name), two.read(name))):
            yield f"{name}: {where}"
    if list(ours) != list(theirs):
        yield "the order of the files"
    for name in ours.keys() & theirs.keys():
        yield from _fields(ours[name], theirs[name])


def _fields(one: zipfile.ZipInfo, two: zipfile.ZipInfo) -> Iterator[str]:
    if one.date_time != two.date_time:
        times = [datetime(*info.date_time).isoformat() for info in (one, two)]
        yield f"{one.filename}: time {times[0]}, then {times[1]}"
    if one.external_attr != two.external_attr:
        modes = [f"{info.external_attr >> 16:o}" for info in (one, two)]
        yield f"{one.filename}: mode {modes[0]}, then {modes[1]}"
