"""What `envlock rebuild` is to bring back: a lockfile, the lock of a run, of a git revision."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envlock.cli.common import locate_project, read_lock
from envlock.cli.context import Context
from envlock.cli.revision import commit_of, text_at
from envlock.errors import UsageError, VerificationError
from envlock.io.files import read_text
from envlock.lock import codec
from envlock.lock.hashing import environment_hash, shorten
from envlock.lock.model import Lock

_RUN = re.compile(r"last(~[0-9]+)?|[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A lock, and where it is from.

    ``title`` is for people; ``root`` (absolute) the folder that its relative paths count from;
    ``text`` the lockfile; ``folder`` the default folder's name for what is rebuilt. Of a run:
    ``run`` its id, ``packages`` the list of what was installed, ``prefix`` where.
    """

    title: str
    root: Path
    lock_name: str
    text: str
    lock: Lock
    folder: str
    run: str | None = None
    commit: str | None = None
    packages: bytes | None = None
    prefix: str | None = None


def find_subject(
    context: Context, what: str | None, *, name: str | None, script: Path | None
) -> Subject:
    """What a user means by ``what``: a file, else a run, else a git revision; None: the lock here.

    Raises:
        UsageError: it is none of these, or its lock is gone.
        VerificationError: the lock was edited or damaged.
    """
    if what is None:
        project = locate_project(context, name=name, script=script)
        read_lock(project)
        return _file(project.lock_path, project.lock_path.name)
    path = context.directory / what
    if path.is_file():
        return _file(path.absolute(), what)
    if _RUN.fullmatch(what):
        return _run(context, what)
    project = locate_project(context, name=name, script=script)
    return _revision(project.root, project.lock_path.name, what)


def _file(path: Path, title: str) -> Subject:
    text = read_text(path)
    stem = path.name.removeprefix("pylock").removesuffix(".toml").strip(".")
    return Subject(
        title=title,
        root=path.parent.absolute(),
        lock_name=path.name,
        text=text,
        lock=codec.load(text, where=str(path)),
        folder=f".venv-{stem}-rebuilt" if stem else ".venv-rebuilt",
    )


def _revision(root: Path, lock_name: str, what: str) -> Subject:
    try:
        commit = commit_of(root, what, where=what)
    except UsageError as error:
        runs = "see what was run with `envlock runs list`"
        remedy = f"{error.remedy}; {runs}" if error.remedy else runs
        raise UsageError(error.what, where=error.where, remedy=remedy) from None
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


def _run(context: Context, what: str) -> Subject:
    from envlock.runs.folder import FolderStore
    from envlock.runs.index import Index
    from envlock.runs.place import find_place
    from envlock.runs.record import parse

    place = find_place(str(context.directory), None)
    folders = [place.records, *([place.fallback] if os.path.isdir(place.fallback) else [])]  # noqa: PTH112
    stores = {folder: FolderStore(folder) for folder in folders}
    index = Index(list(stores.values()), key=place.root)
    run, store, kind = index.find(what)
    try:
        record = parse(stores[store].read(kind, run), where=run)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=run) from None
    text = _lock_text(record, run, stores[store], Path(place.root))
    lock = codec.load(text, where=f"the lock of run {run}")
    said = record.get("environment-hash")
    if said and said != environment_hash(lock).root:
        raise VerificationError(
            f"the lock that was kept is {environment_hash(lock).short}, the record says"
            f" {shorten(said)}",
            where=run,
        )
    python = (record.get("environment") or {}).get("python") or {}
    return Subject(
        title=f"the environment of run {run}",
        root=Path(place.root).absolute(),
        lock_name=Path(record["lock"]["path"]).name,
        text=text,
        lock=lock,
        folder=f".venv-{run}",
        run=run,
        packages=_packages(python, run, stores[store]),
        prefix=python.get("prefix"),
    )


def _lock_text(record: dict[str, Any], run: str, store: Any, root: Path) -> str:
    """The lockfile that a record names by digest: kept beside it, or still in the project."""
    told = record.get("lock") or {}
    digest = told.get("sha256")
    if not digest:
        raise UsageError(
            f"the run had no lock{': ' + told['problem'] if told.get('problem') else ''}",
            where=run,
            remedy="name a lockfile or a git revision in its place",
        )
    try:
        content: bytes = store.blob(digest)
    except (OSError, ValueError):
        try:
            content = (root / str(told.get("path") or "pylock.toml")).read_bytes()
        except OSError:
            content = b""
    if hashlib.sha256(content).hexdigest() != digest:
        raise UsageError(
            f"the lock of the run is gone (sha256 {digest})",
            where=run,
            remedy="fetch .envlock/blobs from where the run was recorded, or name a git revision"
            " that has the lock",
        )
    return content.decode("utf-8", "strict")


def _packages(python: dict[str, Any], run: str, store: Any) -> bytes | None:
    """The list of what was installed; None where the run was not in an environment."""
    digest = python.get("packages-sha256")
    if not digest:
        return None
    try:
        content: bytes = store.blob(digest)
    except (OSError, ValueError):
        return None
    if hashlib.sha256(content).hexdigest() != digest:
        raise VerificationError(
            f"the list of packages is not what its digest says ({digest})", where=run
        )
    return content
