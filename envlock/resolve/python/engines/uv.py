"""The default engine: ``uv lock`` on a generated project, one resolution for all targets.

uv runs as a subprocess with its own configuration and a cleaned environment. It gives, at once,
versions, per-package dependencies with markers, files, digests and upload times; the date is its
own ``exclude-newer``, always a UTC instant (its date-only form means local time).
"""

from __future__ import annotations

import platform
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w
from packaging.version import Version

from envlock.errors import EnvlockError, SourceError
from envlock.io import process
from envlock.io.progress import Reporter
from envlock.io.tools import find_uv
from envlock.lock.request import Request, Wish
from envlock.lock.target import wheel_tags
from envlock.resolve.python.engines import uv_runs, uv_settings, uv_workspace
from envlock.resolve.python.engines.engine import Question, Resolution
from envlock.resolve.python.engines.uv_runs import LOCK, UvAnswer, UvOrder
from envlock.resolve.python.engines.uv_workspace import ROOT_NAME
from envlock.resolve.python.references import with_absolute_path

if TYPE_CHECKING:
    from envlock.io.interpreters import Interpreter
    from envlock.lock.package import Artifact, PythonPackage
    from envlock.resolve.python.engines import uv_messages

NEXT = (
    "envlock.resolve.python.engines.uv_messages",
    "envlock.resolve.python.engines.uv_lockfile",
    "envlock.resolve.python.local_files",
    "envlock.io.content.unchanged",
    "envlock.io.http.client",
    "envlock.resolve.sizes",
    "envlock.lock.codec",
    "envlock.lock.tables.standard",
    "envlock.lock.diff",
)
"""What is needed once uv is done, loaded while it works."""
NEXT_OS = ("envlock.resolve.os.lock",)
"""And where OS packages are asked for."""


class UvEngine:
    """``envlock.engines: uv``."""

    name = "uv"

    def resolve(self, question: Question, reporter: Reporter) -> Resolution:
        """See ``Engine.resolve``.

        The index is asked directly, with uv's own cut-off. Only when uv found files without a
        time, or metadata that it could not read or that the index claims and does not have, the
        question is asked again through the dated view, which finds the times elsewhere and makes
        the metadata itself.
        """
        reporter.step("resolving")
        answer = _ask(question, reporter)
        said = answer.said
        if said.undated or said.unreadable or said.missing_metadata:
            return _through_view(question, reporter)
        return Resolution(packages=answer.packages(question, reporter))


_BUILDING = re.compile(r"Preparing metadata for: (\S+==\S+)")
_AGAIN = 20.0
"""Seconds in which uv comes as far again as it came; all that it fetched is in its cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What one run of uv left: its words, and its lock where it succeeded."""

    completed: process.Completed
    said: uv_messages.Said
    lock_text: str | None

    def packages(self, question: Question, reporter: Reporter) -> tuple[PythonPackage, ...]:
        """The packages; raises what a failure amounts to."""
        from envlock.resolve.python.engines import uv_lockfile, uv_messages
        from envlock.resolve.python.local_files import local_artifact

        if self.lock_text is None:
            raise uv_messages.error(self.completed, self.said, question.as_of)
        for warning in self.said.warnings:
            reporter.note(warning)
        packages, graph = uv_lockfile.read(self.lock_text, root_name=ROOT_NAME)
        return uv_lockfile.to_packages(
            packages,
            graph,
            question.request.targets,
            local_file=lambda path: local_artifact(Path(path), question.root),
        )


def _ask(question: Question, reporter: Reporter, cache: Path | None = None) -> _Answer:
    """uv's answer; a source distribution that envlock's Python cannot build, by a target's own.

    What is old enough builds with the Pythons of its time alone. They are asked only where
    envlock's own fails: as long as it does not, nothing depends on what else a machine has.
    """
    answer = _run(question, cache, Path(sys.executable))
    for python in _pythons(question.request) if answer.said.unbuilt else ():
        reporter.note(f"metadata that has to be built is built by CPython {python.version}")
        answer = _run(question, cache, python.executable)
        if not answer.said.unbuilt:
            break
    return answer


def _pythons(request: Request) -> Iterator[Interpreter]:
    """This machine's interpreters of the targets' series, but for the one that runs this."""
    from envlock.resolve.python.builds.hook import find_python

    own = ".".join(platform.python_version_tuple()[:2])
    for series in sorted({target.series for target in request.targets} - {own}, key=Version):
        with suppress(SourceError):  # the machine does not have it
            yield find_python(series)


def _run(question: Question, cache: Path | None, python: Path) -> _Answer:
    """One run of uv; the one that was begun ahead, where it was asked the same."""
    order = _order(question, cache, python)
    load = partial(_load_next, question.request)
    try:
        answer = uv_runs.take(order, load) or _run_now(order, load)
    except process.TimeLimitError:
        raise _waits_for_ever(order) from None
    uv_runs.note(order, answer)
    from envlock.resolve.python.engines import uv_messages

    completed = process.Completed(
        argv=order.argv, code=answer.code, stdout=answer.stdout, stderr=answer.stderr
    )
    said = uv_messages.read(completed.stderr)
    return _Answer(completed=completed, said=said, lock_text=answer.lock)


def _run_now(order: UvOrder, meanwhile: Callable[[], None]) -> UvAnswer:
    with tempfile.TemporaryDirectory(prefix=uv_runs.PREFIX) as folder:
        order.write(folder)
        completed = process.run(
            order.arguments(folder),
            cwd=Path(folder),
            env=dict(order.env),
            meanwhile=meanwhile,
            remedy="pip install uv",
            seconds=uv_runs.seconds(),
        )
        text = Path(folder, LOCK).read_text("utf-8") if completed.code == 0 else None
    return UvAnswer(
        code=completed.code, stdout=completed.stdout, stderr=completed.stderr, lock=text
    )


def _waits_for_ever(order: UvOrder) -> EnvlockError:
    """What uv was building for so long, by its own words when it is asked the same again.

    Source distributions whose backends ask for one another, and have no wheels, it builds to build
    each other, and waits.
    """
    building: list[str] = []

    def look(line: str) -> None:
        if (found := _BUILDING.search(line)) is not None:
            building.append(found[1].replace("==", " "))

    limit = uv_runs.seconds()
    with tempfile.TemporaryDirectory(prefix=uv_runs.PREFIX) as folder, suppress(EnvlockError):
        order.write(folder)
        process.run(
            order.arguments(folder),
            cwd=Path(folder),
            env=dict(order.env) | {"RUST_LOG": "uv_distribution=debug"},
            on_stderr=look,
            seconds=min(limit, _AGAIN),
        )
    names = sorted(set(building))
    told = f": it builds {', '.join(names)} to learn their metadata" if names else ""
    return SourceError(
        f"uv did not end within {limit:g} seconds{told}",
        remedy="what has no wheels and is built with one another can never be built: take releases"
        " with wheels, or say only-binary; what only takes long gets more time by"
        " ENVLOCK_BUILD_TIMEOUT=7200",
    )


def _load_next(request: Request) -> None:
    for name in NEXT if request.os_base is None else NEXT + NEXT_OS:
        import_module(name)
    for target in request.targets:
        wheel_tags(target)  # which keeps them


def _through_view(question: Question, reporter: Reporter) -> Resolution:
    # Imported here: most indexes are asked directly.
    from envlock.io.http.client import Http
    from envlock.resolve.python.index.view import DatedView

    reporter.step("resolving through a dated view of the index")
    with (
        # The view's address is new each time: in uv's own cache its pages would never be met again.
        tempfile.TemporaryDirectory(prefix="envlock-uv-cache-") as cache,
        Http(certificate=question.sources.certificate) as http,
        DatedView(question.sources, question.as_of, http, reporter=reporter) as view,
    ):
        pairs = list(zip(question.sources.indexes, view.sources.indexes, strict=True))
        shown = {real.url: seen.url for real, seen in pairs}
        real = {seen.url: real.url for real, seen in pairs}
        pins = tuple(replace(p, index=shown.get(p.index or "", p.index)) for p in question.pins)
        seen = replace(question, sources=view.sources, pins=pins)
        answer = _ask(seen, reporter, Path(cache))
        if view.failure is not None:
            # To uv it is a 424 of some loopback address; here is its cause.
            raise view.failure
        packages = tuple(
            _original(package, real, view.original)
            for package in answer.packages(question, reporter)
        )
        chosen = {f"{p.name}=={p.version}" for p in packages}
        repairs = tuple(sorted({r for r in view.repairs if r.subject in chosen}, key=repr))
    for subject, reason in answer.said.unreadable:
        reporter.note(f"{subject} was left out: its metadata cannot be read ({reason})")
    return Resolution(packages=packages, repairs=repairs)


def _original(
    package: PythonPackage, indexes: Mapping[str, str], original: Callable[[str], str]
) -> PythonPackage:
    """The package with true addresses in place of the view's."""

    def real(file: Artifact) -> Artifact:
        return file if file.url is None else replace(file, url=original(file.url))

    return replace(
        package,
        index=indexes.get(package.index or "", package.index),
        sdist=None if package.sdist is None else real(package.sdist),
        wheels=tuple(real(wheel) for wheel in package.wheels),
    )


def _order(question: Question, cache: Path | None, python: Path) -> UvOrder:
    request = question.request
    lowest = min(
        [*(t.series for t in request.targets), ".".join(platform.python_version_tuple()[:2])],
        key=Version,
    )
    project = uv_workspace.project(
        python=lowest,
        dependencies=_texts(request.wishes, question.root),
        environments=(t.marker for t in request.targets),
        constraints=_texts(request.constraints, question.root),
        overrides=_texts(request.overrides, question.root),
    )
    configuration = _configuration(question)
    files = uv_workspace.files(project, configuration)
    preferences = _preferences(question, configuration, f">={lowest}")
    if preferences is not None:
        files[LOCK] = preferences
    environment = uv_settings.environment(question.sources) | uv_workspace.LOG
    return uv_runs.order(tuple(_command(question, cache, python)), files, environment)


def _command(question: Question, cache: Path | None, python: Path) -> list[str]:
    argv = uv_workspace.arguments(str(find_uv()), str(python))
    if cache is not None:
        argv += ["--cache-dir", str(cache)]
    if question.upgrade.everything:
        argv.append("--upgrade")
    for name in sorted(question.upgrade.names):
        argv += ["--upgrade-package", name]
    if question.refresh:
        argv.append("--refresh")
    if not question.build:
        argv.append("--no-build")
    return argv


def _texts(wishes: Iterable[Wish], root: Path) -> list[str]:
    """The wishes' texts, with local paths made absolute, as uv needs them."""
    return [with_absolute_path(wish.text, root) for wish in wishes]


def _configuration(question: Question) -> dict[str, Any]:
    kept = uv_workspace.cache_control(question.as_of, datetime.now(UTC), refresh=question.refresh)
    table = uv_settings.configuration(question.sources, question.as_of, kept)
    if question.request.prereleases:
        table["prerelease"] = "allow"
    return table | _build_settings(question.request)


def _build_settings(request: Request) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, names in (("no-build", request.only_binary), ("no-binary", request.no_binary)):
        if ":all:" in names:
            settings[key] = True
        elif names:
            settings[f"{key}-package"] = sorted(names)
    return settings


def _preferences(question: Question, settings: Mapping[str, Any], bound: str) -> str | None:
    """The existing pins as a uv.lock, which uv prefers where they still answer."""
    if question.upgrade.everything or not question.pins:
        return None
    # Entries of one version that differ by marker are one package to uv, and of two versions it
    # would want their resolution markers: such a package is chosen anew, at the same date.
    pins = {(p.name, p.version): p.index for p in question.pins if p.index and p.version}
    count = Counter(name for name, _ in pins)
    return tomli_w.dumps(
        {
            "version": 1,
            "requires-python": bound,
            "options": {"exclude-newer": settings["exclude-newer"]},
            "package": [
                {"name": name, "version": version, "source": {"registry": index}}
                for (name, version), index in pins.items()
                if count[name] == 1
            ],
        }
    )
