"""What `envlock rebuild` is to bring back: a lockfile, the lock of a run, of a git revision."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from envlock.cli.common import locate_project, require_lock
from envlock.cli.context import Context
from envlock.cli.rebuilding.subject import Subject, subject_of_text
from envlock.cli.revision import commit_of, text_at
from envlock.errors import UsageError, VerificationError
from envlock.io.files import read_text
from envlock.lock import codec
from envlock.lock.hashing import PREFIX, environment_hash, shorten
from envlock.project.locate import Project

_RUN = re.compile(r"last(~[0-9]+)?|[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4,12}")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SHORT = re.compile(r"[0-9a-f]{4,12}")


def find_subject(
    context: Context,
    what: str | None,
    *,
    name: str | None,
    script: Path | None,
    bundles: tuple[Path, ...] = (),
) -> Subject:
    """What a user means by ``what``: a file, else a run, else a git revision; None: the lock here.

    Args:
        context: see there.
        what: may also be the environment hash of a lock in one of the bundles, or its beginning.
        name: of the environment.
        script: in place of a project.
        bundles: places, some of which may be bundles; where there is no lock here, theirs counts.

    Raises:
        UsageError: it is none of these, or its lock is gone.
        VerificationError: the lock was edited or damaged.
    """
    if what is None:
        return _here(context, name, script, bundles)
    path = context.directory / what
    if path.is_file():
        return _file(path.absolute(), what, root=_outside_bundles(path.absolute(), context))
    if what.startswith(PREFIX) and bundles:
        from envlock.cli.rebuilding.bundled import bundled_subject

        return bundled_subject(context, bundles, what)
    if _RUN.fullmatch(what):
        return _run(context, what)
    project = locate_project(context, name=name, script=script)
    if what.startswith(PREFIX):
        return _hashed(project, what)
    try:
        return _revision(project.root, project.lock_path.name, what)
    except UsageError:
        if _SHORT.fullmatch(what) and (run := _short_run(context, what)) is not None:
            return _run(context, run)
        raise


def _here(
    context: Context, name: str | None, script: Path | None, bundles: tuple[Path, ...]
) -> Subject:
    try:
        project = locate_project(context, name=name, script=script)
    except UsageError:
        if not bundles or name is not None or script is not None:
            raise
        project = None
    if project is None or (bundles and not project.lock_path.exists()):
        from envlock.cli.rebuilding.bundled import bundled_subject

        return bundled_subject(context, bundles, None)
    require_lock(project)
    return _file(project.lock_path, project.lock_path.name, root=project.lock_path.parent)


def _outside_bundles(path: Path, context: Context) -> Path:
    """The lockfile's folder; of one inside a bundle, in which nothing is to be made, this one."""
    from envlock.realise.bundle.layout import INDEX, MANIFEST

    for folder in path.parents:
        if (folder / INDEX).is_file() and (folder / MANIFEST).is_file():
            here = context.directory.absolute()
            return folder.parent if here.is_relative_to(folder) else here
    return path.parent


def _file(path: Path, title: str, *, root: Path) -> Subject:
    return subject_of_text(read_text(path), path.name, title, root=root, where=str(path))


def _revision(root: Path, lock_name: str, what: str) -> Subject:
    try:
        commit = commit_of(root, what, where=what)
    except UsageError as error:
        runs = "see what was run with `envlock runs list`"
        remedy = f"{error.remedy}; {runs}" if error.remedy else runs
        told = error.what.replace("is no file", "is no file, no run")
        if _DATE.match(what):
            remedy = (
                f"a date is no environment yet: `envlock lock --as-of {what}` makes its lock (of a"
                " copy of the project, so that yours stays); or name the revision of then:"
                f" `git rev-list -1 --before={what} HEAD`"
            )
        raise UsageError(told, where=error.where, remedy=remedy) from None
    text = text_at(root, commit, f"./{lock_name}", revision=what)
    return Subject(
        title=f"{lock_name} at {what} ({commit[:12]})",
        root=root.absolute(),
        lock_name=lock_name,
        text=text,
        lock=codec.load(text, where=f"{what}:{lock_name}"),
        folder=f".venv-{commit[:12]}",
        commit=commit,
    )


def _hashed(project: Project, what: str) -> Subject:
    """The lock here, by its environment hash or the beginning of that."""
    path = project.lock_path
    if path.exists():
        found = _file(path, path.name, root=path.parent)
        if environment_hash(found.lock).root.startswith(what):
            return found
    raise UsageError(
        f"the lock here is not of the environment {what}",
        remedy="name a bundle that has it: --from BUNDLE; or a run that was made in it:"
        " `envlock runs list --env HASH` (the whole hash)",
    )


def _short_run(context: Context, what: str) -> str | None:
    """The id of the run that `envlock runs list` shows so."""
    from envlock.cli.runs.common import Runs

    try:
        return Runs(context).index.find(what)[0]
    except UsageError:
        return None


def _run(context: Context, what: str) -> Subject:
    from envlock.cli.runs.common import Runs
    from envlock.runs.repeat.code import Missing
    from envlock.runs.repeat.prepare import find_lock

    runs = Runs(context)
    record = runs.table(what)
    run, told, root = record["id"], record.get("lock") or {}, runs.place.root
    if "sha256" not in told:
        raise UsageError(
            f"the run had no lock{': ' + told['problem'] if told.get('problem') else ''}",
            where=run,
            remedy="name a lockfile or a git revision in its place",
        )
    content = find_lock(record, home=root, blob=runs.blob)
    if isinstance(content, Missing):
        raise UsageError(
            f"{content.what} is gone; looked at: {', '.join(content.tried)}",
            where=run,
            remedy=content.remedy,
        )
    return subject_of_run(
        record, content.decode(), root=Path(root), blob=runs.blob, where=f"the lock of run {run}"
    )


def subject_of_run(
    record: dict[str, Any],
    text: str,
    *,
    root: Path,
    blob: Callable[[str], bytes],
    where: str,
) -> Subject:
    """The environment of a recorded run.

    Args:
        record: of the run.
        text: its lockfile.
        root: the folder that the lock's relative paths count from.
        blob: content that records keep, by digest; OSError where it is not there.
        where: names the lockfile.

    Raises:
        UsageError: it is no lock that this envlock reads.
        VerificationError: it is not the lock, or not the list of packages, of the record.
    """
    run, lock = record["id"], codec.load(text, where=where)
    name, said = environment_hash(lock), record.get("environment-hash")
    if said and said != name.root:
        raise VerificationError(
            f"the lock of the run gives {name.short}, its record says {shorten(said)}", where=run
        )
    python = (record.get("environment") or {}).get("python") or {}
    return Subject(
        title=f"the environment of run {run}",
        root=root.absolute(),
        lock_name=Path(record["lock"]["path"]).name,
        text=text,
        lock=lock,
        folder=f".venv-{run}",
        run=run,
        packages=_packages(python, run, blob),
        prefix=python.get("scripts-prefix") or python.get("prefix"),
        python=python.get("version"),
    )


def _packages(python: dict[str, Any], run: str, blob: Callable[[str], bytes]) -> bytes | None:
    """The list of what was installed; None where the run was not in an environment."""
    digest = python.get("packages-sha256")
    if not digest:
        return None
    try:
        content = blob(digest)
    except (OSError, ValueError):
        return None
    if hashlib.sha256(content).hexdigest() != digest:
        raise VerificationError(
            f"the list of packages is not what its digest says ({digest})", where=run
        )
    return content
