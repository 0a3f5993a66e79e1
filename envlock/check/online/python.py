"""The lock against the places that its Python packages came from, as they are today.

Whoever cannot be asked is an error, never a pass: silence would look like agreement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from envlock.check.drift import Code, Drift, drift
from envlock.errors import EnvlockError, SourceError
from envlock.io.http.client import Http
from envlock.io.http.reach import Reached, reach
from envlock.io.http.urls import without_credentials
from envlock.io.progress import Reporter
from envlock.lock.model import Lock
from envlock.lock.package import Artifact, PythonPackage
from envlock.resolve.python.index.page import PageFile, ProjectPage
from envlock.resolve.python.index.pages import Pages
from envlock.resolve.python.sources import Credentials, Index, Sources

PARALLEL = 16
_NAMED = 3
_QUARANTINED = "quarantined"
_TOLD = ("archived", "deprecated")

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Project:
    """A project on an index, and what the lock has of it."""

    index: str
    name: str
    packages: tuple[PythonPackage, ...]


def compare_index(
    lock: Lock, sources: Sources, http: Http, reporter: Reporter
) -> tuple[Drift, ...]:
    """What the locked indexes say of every locked file now.

    Asked are the projects' pages, of every package and of what they are built with; and the
    addresses that requirements name directly, and those of archives of Python.

    Raises:
        SourceError: someone gives no answer; names them.
    """
    projects = _projects(lock)
    reporter.step(f"asking for {len(projects)} projects" if projects else "asking the index")
    pages = Pages(http, refresh=True)

    def ask(project: _Project) -> ProjectPage | None:
        login = sources.login(project.index)
        credentials = None if login is None else Credentials(user=login[0], password=login[1])
        return pages.plain(Index(url=project.index, credentials=credentials), project.name)

    found: list[Drift] = []
    for project, page in ask_all(ask, projects, reporter).items():
        found += _compare_project(project, page)
    found += _addresses(lock, sources, http)
    return tuple(sorted(found, key=lambda d: d.sort_key))


def ask_all(
    ask: Callable[[_Asked], _Answer], asked: Sequence[_Asked], reporter: Reporter
) -> Mapping[_Asked, _Answer]:
    """Every answer, asked for in parallel.

    Raises:
        SourceError: for some there is none; the first ones are named.
    """
    answers: dict[_Asked, _Answer] = {}
    failures: list[EnvlockError] = []
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="envlock-online") as pool:
        pending = [(one, pool.submit(ask, one)) for one in asked]
        for number, (one, future) in enumerate(pending, 1):
            try:
                answers[one] = future.result()
            except SourceError as error:
                failures.append(error)
            reporter.progress(number, len(pending))
    if failures:
        raise _failed(failures, len(asked))
    return answers


def _failed(failures: Sequence[EnvlockError], asked: int) -> SourceError:
    first = failures[0]
    if asked == 1:
        return SourceError(first.what, where=first.where, remedy=first.remedy)
    named = [f"  {error.where}: {error.what}" for error in failures[:_NAMED]]
    rest = len(failures) - len(named)
    return SourceError(
        "\n".join(
            [
                f"{len(failures)} of {asked} questions got no answer, so nothing is known of them:",
                *named,
                *([f"  and {rest} more"] if rest else []),
            ]
        ),
        remedy=first.remedy,
    )


def _projects(lock: Lock) -> list[_Project]:
    found: dict[tuple[str, str], list[PythonPackage]] = {}
    for package in (*lock.packages, *lock.build_packages):
        if package.index is not None and package.files:
            found.setdefault((package.index, package.name), []).append(package)
    return [
        _Project(index=index, name=name, packages=tuple(packages))
        for (index, name), packages in sorted(found.items())
    ]


def _compare_project(project: _Project, page: ProjectPage | None) -> list[Drift]:
    where = without_credentials(project.index)
    if page is None:
        return [drift(Code.PROJECT_GONE, project.name, expected=f"listed by {where}")]
    if page.status == _QUARANTINED:
        return [drift(Code.QUARANTINED, project.name, found=_reason(page.status, page.reason))]
    found = []
    if page.status in _TOLD:
        told = _reason(page.status, page.reason)
        found.append(drift(Code.PROJECT_STATUS, project.name, found=told))
    listed = {file.filename: file for file in page.files}
    versions: dict[str, dict[str, Artifact]] = {}
    for package in project.packages:
        files = {file.name: file for file in package.files}
        versions.setdefault(package.version or "", {}).update(files)
    for version, files in sorted(versions.items()):
        found += _compare_files(project.name, version, list(files.values()), listed, where)
    return found


def _compare_files(
    name: str, version: str, files: list[Artifact], listed: Mapping[str, PageFile], where: str
) -> list[Drift]:
    found = []
    gone = [file.name for file in files if file.name not in listed]
    if gone:
        expected = f"{_named(gone, len(files))} listed by {where}"
        found.append(drift(Code.LISTED_NO_MORE, name, expected=expected))
    yanked: dict[str, list[str]] = {}
    for file in files:
        there = listed.get(file.name)
        if there is None:
            continue
        if there.yanked is not None:
            yanked.setdefault(there.yanked, []).append(file.name)
        found += _changed(name, file, there)
    for reason, names in sorted(yanked.items()):
        told = f"{_named(names, len(files), version)} yanked"
        found.append(drift(Code.YANKED, name, found=_reason(told, reason or None)))
    return found


def _changed(name: str, file: Artifact, there: PageFile) -> list[Drift]:
    if there.sha256 is not None and there.sha256 != file.sha256:
        expected, found = f"sha256:{file.sha256}", f"sha256:{there.sha256}"
    elif None not in (there.size, file.size) and there.size != file.size:
        expected, found = f"{file.size} bytes", f"{there.size} bytes"
    else:
        return []
    return [drift(Code.LISTED_CHANGED, name, expected=f"{file.name}, {expected}", found=found)]


def _reason(told: str, reason: str | None) -> str:
    return told if reason is None else f"{told}: {' '.join(reason.split())}"


def _named(names: Sequence[str], of: int, whole: str | None = None) -> str:
    """Files by name, or the version where all of them are meant."""
    if whole and len(names) == of:
        return whole
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _addresses(lock: Lock, sources: Sources, http: Http) -> list[Drift]:
    """What is locked by its address: whether it is there, and of its size."""
    wanted: dict[str, tuple[str, int | None]] = {
        package.archive.url: (package.name, package.archive.size)
        for package in lock.packages
        if package.archive is not None and package.archive.url is not None
    }
    wanted |= {build.url: ("python", build.size) for build in lock.standalone}
    # Of a page of links (find-links) no project's page is known.
    wanted |= {
        file.url: (package.name, file.size)
        for package in (*lock.packages, *lock.build_packages)
        for file in package.files
        if package.index is None and file.url is not None
    }
    answers = reach(http, wanted, sources.login)
    return list(_unreached((*wanted[url], url, answer) for url, answer in answers.items()))


def _unreached(rows: Iterable[tuple[str, int | None, str, Reached]]) -> Iterable[Drift]:
    for name, size, url, answer in rows:
        where = without_credentials(url)
        if not answer.there:
            yield drift(Code.LISTED_NO_MORE, name, expected=where, found=f"HTTP {answer.status}")
        elif None not in (size, answer.size) and size != answer.size:
            expected = f"{where}, {size} bytes"
            yield drift(Code.LISTED_CHANGED, name, expected=expected, found=f"{answer.size} bytes")
