"""The default engine: ``uv lock`` on a generated project, one resolution for all targets.

uv runs as a subprocess with its own configuration and a cleaned environment. It gives, at once,
versions, per-package dependencies with markers, files, digests and upload times; the date is its
own ``exclude-newer``, always a UTC instant (its date-only form means local time).
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w
from packaging.version import Version

from envlock.io import process
from envlock.io.files import read_text
from envlock.io.http import Http
from envlock.io.progress import Reporter
from envlock.io.tools import find_uv
from envlock.lock.model import Artifact, PythonPackage
from envlock.lock.request import Request, Wish
from envlock.resolve.python import uv_lockfile, uv_messages
from envlock.resolve.python.engine import Question, Resolution
from envlock.resolve.python.local_files import local_artifact
from envlock.resolve.python.references import with_absolute_path
from envlock.resolve.python.sources import Sources
from envlock.resolve.python.view import DatedView

ROOT_NAME = "envlock-request"
"""The generated project's name; no package may be called so."""

_FILES_FOREVER = "max-age=365000000, immutable"
_PAGES_A_WHILE = "max-age=600"


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
        answer = _ask(question)
        said = answer.said
        if said.undated or said.unreadable or said.missing_metadata:
            return _through_view(question, reporter)
        return Resolution(packages=answer.packages(question, reporter))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What one run of uv left: its words, and its lock where it succeeded."""

    completed: process.Completed
    said: uv_messages.Said
    lock_text: str | None

    def packages(self, question: Question, reporter: Reporter) -> tuple[PythonPackage, ...]:
        """The packages; raises what a failure amounts to."""
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


def _ask(question: Question, cache: Path | None = None) -> _Answer:
    with tempfile.TemporaryDirectory(prefix="envlock-uv-") as folder:
        workspace = Path(folder)
        _write_project(workspace, question)
        completed = process.run(
            _command(workspace, question, cache),
            cwd=workspace,
            env=_environment(question.sources),
            remedy="pip install uv",
        )
        text = read_text(workspace / "uv.lock") if completed.code == 0 else None
    return _Answer(completed=completed, said=uv_messages.read(completed.stderr), lock_text=text)


def _through_view(question: Question, reporter: Reporter) -> Resolution:
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
        answer = _ask(replace(question, sources=view.sources, pins=pins), Path(cache))
        if view.failure is not None:
            # To uv it is a 502 of some loopback address; here is its cause.
            raise view.failure
        packages = tuple(
            _original(package, real, view) for package in answer.packages(question, reporter)
        )
        chosen = {f"{p.name}=={p.version}" for p in packages}
        repairs = tuple(sorted({r for r in view.repairs if r.subject in chosen}, key=repr))
    for subject, reason in answer.said.unreadable:
        reporter.note(f"{subject} was left out: its metadata cannot be read ({reason})")
    return Resolution(packages=packages, repairs=repairs)


def _original(package: PythonPackage, indexes: Mapping[str, str], view: DatedView) -> PythonPackage:
    """The package with true addresses in place of the view's."""

    def real(file: Artifact) -> Artifact:
        return file if file.url is None else replace(file, url=view.original(file.url))

    return replace(
        package,
        index=indexes.get(package.index or "", package.index),
        sdist=None if package.sdist is None else real(package.sdist),
        wheels=tuple(real(wheel) for wheel in package.wheels),
    )


def _command(workspace: Path, question: Question, cache: Path | None) -> list[str]:
    argv = [
        str(find_uv()),
        "lock",
        "--no-progress",
        "--color=never",
        "--no-python-downloads",
        "--python",
        sys.executable,
        "--config-file",
        str(workspace / "uv.toml"),
    ]
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


def _environment(sources: Sources) -> dict[str, str]:
    """This process's environment without uv's and pip's settings, but for cache and credentials."""
    kept = {
        name: os.environ[name]
        for name in (
            "UV_CACHE_DIR",
            "UV_HTTP_RETRIES",
            "UV_HTTP_TIMEOUT",
            "UV_KEYRING_PROVIDER",
            "UV_OFFLINE",
        )
        if name in os.environ
    }
    environment = process.clean_environment("UV_", "PIP_", "VIRTUAL_ENV", "CONDA_PREFIX", **kept)
    environment["RUST_LOG"] = "uv_resolver=warn,uv_client=warn"
    if sources.certificate:
        environment["SSL_CERT_FILE"] = sources.certificate
    for number, index in enumerate(sources.indexes):
        if index.credentials is not None:
            name = _index_name(number).upper()
            environment[f"UV_INDEX_{name}_USERNAME"] = index.credentials.user
            environment[f"UV_INDEX_{name}_PASSWORD"] = index.credentials.password
    return environment


def _index_name(number: int) -> str:
    return f"envlock{number}"


def _write_project(workspace: Path, question: Question) -> None:
    request = question.request
    targets = request.targets
    lowest = min(
        [*(t.series for t in targets), ".".join(platform.python_version_tuple()[:2])], key=Version
    )
    settings: dict[str, Any] = {
        "package": False,
        "environments": sorted(t.marker for t in targets),
        "constraint-dependencies": [_absolute(w, question.root) for w in request.constraints],
        "override-dependencies": [_absolute(w, question.root) for w in request.overrides],
    }
    project = {
        "project": {
            "name": ROOT_NAME,
            "version": "0",
            "requires-python": f">={lowest}",
            "dependencies": sorted({_absolute(w, question.root) for w in request.wishes}),
        },
        "tool": {"uv": {k: v for k, v in settings.items() if v not in ([], None)}},
    }
    (workspace / "pyproject.toml").write_text(tomli_w.dumps(project))
    (workspace / "uv.toml").write_text(tomli_w.dumps(_configuration(question)))
    preferences = _preferences(question, f">={lowest}")
    if preferences is not None:
        (workspace / "uv.lock").write_text(preferences)


def _absolute(wish: Wish, root: Path) -> str:
    """The wish's text, with a local path made absolute, as uv needs it."""
    return with_absolute_path(wish.text, root)


def _configuration(question: Question) -> dict[str, Any]:
    request, sources = question.request, question.sources
    configuration: dict[str, Any] = {
        "exclude-newer": _cutoff(question),
        "index-strategy": sources.strategy,
        "index": [
            {
                "name": _index_name(number),
                "url": index.url,
                "default": index.default,
                "cache-control": _cache_control(question),
            }
            for number, index in enumerate(sources.indexes)
        ],
        "find-links": [link.location for link in sources.find_links],
    }
    if not sources.indexes:
        configuration["no-index"] = True
    if request.prereleases:
        configuration["prerelease"] = "allow"
    configuration |= _build_settings(request)
    return {key: value for key, value in configuration.items() if value not in ([], None)}


def _cache_control(question: Question) -> dict[str, str]:
    """An index without cache headers would be fetched again each time.

    What is said here goes before uv's ``--refresh``.
    """
    pages = {} if question.refresh else {"api": _PAGES_A_WHILE}
    return pages | {"files": _FILES_FOREVER}


def _cutoff(question: Question) -> str:
    """uv sees files uploaded before this instant, never one of it or later."""
    return question.as_of.strftime("%Y-%m-%dT%H:%M:%SZ")


def _build_settings(request: Request) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, names in (("no-build", request.only_binary), ("no-binary", request.no_binary)):
        if ":all:" in names:
            settings[key] = True
        elif names:
            settings[f"{key}-package"] = sorted(names)
    return settings


def _preferences(question: Question, requires_python: str) -> str | None:
    """The existing pins as a uv.lock, which uv prefers where they still answer."""
    if question.upgrade.everything or not question.pins:
        return None
    tables = [
        {"name": p.name, "version": p.version, "source": {"registry": p.index}}
        for p in question.pins
        if p.index is not None and p.version is not None
    ]
    if len({(t["name"], t["version"]) for t in tables}) != len(tables):
        # Several entries of one version (they differ by marker) are one package to uv.
        unique = {json.dumps(t, sort_keys=True): t for t in tables}
        tables = list(unique.values())
    if len({t["name"] for t in tables}) != len(tables):
        # uv refuses two versions of one package without their resolution markers.
        names = [t["name"] for t in tables]
        tables = [t for t in tables if names.count(t["name"]) == 1]
    return tomli_w.dumps(
        {
            "version": 1,
            "requires-python": requires_python,
            "options": {"exclude-newer": _cutoff(question)},
            "package": tables,
        }
    )
