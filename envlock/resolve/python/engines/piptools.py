"""The second engine: real ``pip-compile`` (pip-tools), for this machine and this Python.

It resolves through the dated view, since neither pip-tools nor every index knows upload times.
pip evaluates markers and tags of the Python that it runs in, so only that one target can be had.
Where pip merges indexes and find-links (its candidates have no order of preference but version),
pip's own report says which place each file came from.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from collections.abc import Iterable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from envlock.errors import SourceError, UsageError
from envlock.io.files import read_text
from envlock.io.http.client import Http
from envlock.io.machine import machine_platform, running_python
from envlock.io.process import Completed
from envlock.io.progress import Reporter
from envlock.lock.package import PythonPackage
from envlock.lock.target import Target
from envlock.resolve.python.engines import pip_messages, pip_report
from envlock.resolve.python.engines.engine import Question, Resolution
from envlock.resolve.python.engines.pip_files import FilesOfVersion
from envlock.resolve.python.engines.pip_messages import Cleaner
from envlock.resolve.python.engines.pip_report import Found, Pin
from envlock.resolve.python.engines.pip_workspace import Workspace
from envlock.resolve.python.index.view import DatedView

_MOMENT = timedelta(microseconds=1)
"""The view shows files of its own instant; uv, asked directly, none of its cut-off's."""


class PipToolsEngine:
    """``envlock.engines: pip-tools``."""

    name = "pip-tools"

    def resolve(self, question: Question, reporter: Reporter) -> Resolution:
        """See ``Engine.resolve``. Existing pins are kept as pip-compile keeps them.

        Raises:
            UsageError: another target than this machine's, overrides, or a source tree although
                building is forbidden; pip-tools cannot do these.
        """
        target = _only_target(question)
        _refuse_what_pip_tools_lacks(question)
        with (
            tempfile.TemporaryDirectory(prefix="envlock-pip-") as folder,
            Http(certificate=question.sources.certificate) as http,
            DatedView(
                question.sources,
                question.as_of - _MOMENT,
                http,
                reporter=reporter,
                refresh=question.refresh,
            ) as view,
        ):
            workspace = Workspace(Path(folder), question, view.sources)
            reporter.step("resolving with pip-compile")
            pins = _compile(workspace, question, view, reporter)
            reporter.step("reading what pip chose")
            found = _places(workspace, question, view, pins)
            packages = _packages(pins, found, question, view, target)
            chosen = {f"{p.name}=={p.version}" for p in packages}
            repairs = tuple(sorted({r for r in view.repairs if r.subject in chosen}, key=repr))
        return Resolution(packages=packages, repairs=repairs)


def _only_target(question: Question) -> Target:
    """The one target, which must be what runs here.

    Raises:
        UsageError: several targets, or another one.
    """
    here = Target(platform=machine_platform(), python=running_python())
    exact = Target(platform=here.platform, python=platform.python_version().rstrip("+"))
    targets = question.request.targets
    if len(targets) == 1 and targets[0] in (here, exact):
        if sys.implementation.name == "cpython":
            return targets[0]
        raise UsageError(
            f"engine pip-tools needs CPython, not {sys.implementation.name}",
            remedy="use --engine uv",
        )
    asked = ", ".join(t.key for t in targets)
    raise UsageError(
        f"engine pip-tools resolves only for the machine and Python it runs on ({here.key}),"
        f" not for {asked}",
        remedy="use --engine uv, or change the targets",
    )


def _refuse_what_pip_tools_lacks(question: Question) -> None:
    request = question.request
    if find_spec("piptools") is None:
        raise SourceError("pip-tools is not installed", remedy="pip install pip-tools")
    if request.overrides:
        raise UsageError(
            "engine pip-tools knows no overrides",
            where=request.overrides[0].origin or None,
            remedy="use --engine uv, or a constraint",
        )
    if question.build:
        return
    for wish in request.wishes:
        url = Requirement(wish.text).url
        if url is not None and not url.partition("#")[0].endswith(".whl"):
            raise UsageError(
                f"{wish.text}: its metadata can be learnt only by building, which is forbidden",
                where=wish.origin or None,
                remedy="name a wheel, or leave out --no-build",
            )


def _compile(
    workspace: Workspace, question: Question, view: DatedView, reporter: Reporter
) -> tuple[Pin, ...]:
    """Run pip-compile; its pins, sorted by name."""
    completed = workspace.compile()
    if completed.code != 0 and view.failure is None and workspace.forget_pins():
        # pip-tools gives single pins up, but not every set of them that is in the way.
        completed = workspace.compile()
        if completed.code == 0:
            reporter.note("no answer keeps the versions that were locked: all were chosen anew")
    cleaner = _cleaner(workspace, question, view)
    _check(completed, cleaner, question, view)
    for note in pip_messages.notes(completed, cleaner):
        reporter.note(note)
    return pip_report.read_compiled(read_text(workspace.compiled))


def _places(
    workspace: Workspace, question: Question, view: DatedView, pins: Iterable[Pin]
) -> dict[str, Found]:
    """What pip's report tells of each pin, where the index pages alone do not tell it."""
    sources = workspace.sources
    several = len(sources.indexes) + len(sources.find_links) > 1
    local = any(not index.url.startswith("http") for index in sources.indexes)
    asked = [pin for pin in pins if several or local or pin.direct]
    if not asked:
        return {}
    completed = workspace.report(pin.line for pin in asked)
    _check(completed, _cleaner(workspace, question, view), question, view)
    return pip_report.read_report(read_text(workspace.reported))


def _check(completed: Completed, cleaner: Cleaner, question: Question, view: DatedView) -> None:
    """Raise what a run amounts to when it failed, or when an index did."""
    if view.failure is not None:
        # pip goes on without an index that fails; a lock must not.
        raise view.failure
    if completed.code != 0:
        raise pip_messages.error(completed, cleaner, question.as_of)


def _cleaner(workspace: Workspace, question: Question, view: DatedView) -> Cleaner:
    def knows(name: str) -> bool:
        return any(
            view.page(index.url, name) is not None
            for index in question.sources.indexes
            if index.url.startswith("http")
        )

    return Cleaner(
        folder=workspace.folder,
        view_base=view.base,
        indexes=tuple(index.url for index in question.sources.indexes),
        wishes=workspace.wishes,
        knows=knows,
    )


def _packages(
    pins: Iterable[Pin],
    found: dict[str, Found],
    question: Question,
    view: DatedView,
    target: Target,
) -> tuple[PythonPackage, ...]:
    files = FilesOfVersion(question, view, target)
    packages = []
    for pin in pins:
        place = found.get(pin.name)
        if pin.direct:
            packages.append(files.direct(pin, place))
        elif place is not None and not place.url.startswith(f"{view.base}/"):
            packages.append(files.undated(pin, place))
        else:
            packages.append(files.listed(pin, place))
    return tuple(sorted(packages, key=lambda p: p.sort_key))
