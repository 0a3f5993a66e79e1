"""The git command line: which commit a branch, a tag or an id meant, at a date.

Only commits are fetched, never files (``--filter=tree:0``), into bare repositories under the given
cache folder. Where a branch stood at a date is read from committer dates: the commit nearest to
the branch's tip, along first parents, that is not later. That is what
``git rev-list -1 --first-parent --before`` answers; dates need not be in order along a branch, and
the answer stays the same while the branch grows. A committer date is a claim: when a commit was
pushed is written nowhere.

The user's own git configuration serves (proxies, credential helpers, ``insteadOf``, ssh keys),
but never a prompt, a hook, or the variables of a repository that this process happens to run in.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from envlock.errors import SourceError, UsageError
from envlock.io import process
from envlock.io.files import project_lock

_FULL_ID = re.compile(r"[0-9a-f]{40}")
_SHORT_ID = re.compile(r"[0-9a-f]{7,39}")
_MESSAGE_LINES = 3
_FOUND = "refs/envlock/found"

# Variables that tie git to one repository (`git rev-parse --local-env-vars`), or make it talk.
# GIT_CONFIG_COUNT and its like stay: CI systems hand credentials over with them.
_REPOSITORY_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TRACE",
    "GIT_WORK_TREE",
)
# Of the user's settings, those that start other programs or hang are overruled.
_SETTINGS = (
    "gc.auto=0",
    "maintenance.auto=false",
    "core.hooksPath=/dev/null",
    "core.commitGraph=false",
    "fetch.writeCommitGraph=false",
    "fetch.recurseSubmodules=false",
    "fetch.prune=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit: its 40-digit id, its committer date (UTC), and the ref asked for, if any."""

    id: str
    time: datetime
    requested: str | None = None


def resolve_commit(
    url: str, ref: str | None, *, not_later_than: datetime | None, cache: Path
) -> Commit:
    """The commit that ``ref`` of the repository at ``url`` meant at ``not_later_than``.

    Args:
        url: what ``git clone`` takes, without credentials (``https://…``, ``ssh://…``,
            ``file:///…``).
        ref: a branch (then the newest first-parent commit that is not later), a tag, an id (full
            or at least 7 digits), a whole ``refs/…`` name; None for the default branch. A branch
            goes before a tag of the same name, as pip and uv have it.
        not_later_than: UTC; None for no bound.
        cache: the cache folder; repositories are kept under ``git/``.

    Raises:
        SourceError: git is missing, or the repository cannot be reached.
        UsageError: no such ref, a tag or commit later than the date, or no commit old enough.
    """
    if url.startswith("-") or (ref is not None and ref.startswith("-")):
        raise UsageError("a git URL or ref may not begin with a dash", where=f"{url}@{ref or ''}")
    if ref is not None and _FULL_ID.fullmatch(ref):
        return _by_id(url, ref, not_later_than, cache)
    refs = _remote_refs(url)
    name = _choose(refs, ref)
    if name is None:
        if ref is not None and _SHORT_ID.fullmatch(ref):
            return _by_id(url, ref, not_later_than, cache)
        raise _no_such_ref(url, ref, refs)
    tip = _Repository(url, cache, shallow=True).fetch_commit(name)
    found = Commit(id=tip.id, time=tip.time, requested=ref)
    if name.startswith("refs/tags/"):
        latest = max(found.time, tip.tagged or found.time)
        return _not_later(found, latest, not_later_than, url)
    if not_later_than is None or found.time <= not_later_than:
        return found
    return _back_to(url, name, ref, not_later_than, cache)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tip:
    """What a fetched ref points at; ``tagged`` is an annotated tag's own date."""

    id: str
    time: datetime
    tagged: datetime | None


def _choose(refs: dict[str, str], ref: str | None) -> str | None:
    """The remote's full ref name for what a user wrote."""
    if ref is None:
        return "HEAD" if "HEAD" in refs else None
    names = [ref] if ref.startswith("refs/") else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
    if ref == "HEAD":
        names.append(ref)
    return next((name for name in names if name in refs), None)


def _remote_refs(url: str) -> dict[str, str]:
    """Full ref name → object id, as the remote advertises them."""
    completed = _git("ls-remote", "--quiet", "--", url)
    if completed.code != 0:
        raise SourceError(
            f"the repository cannot be read: {_reason(completed)}",
            where=url,
            remedy="check the URL, the network, and that `git ls-remote` may read it",
        )
    lines = (line.split("\t", 1) for line in completed.stdout.splitlines() if "\t" in line)
    return {name: identity for identity, name in lines if not name.endswith("^{}")}


def _no_such_ref(url: str, ref: str | None, refs: dict[str, str]) -> UsageError:
    if ref is None:
        return UsageError("the repository has no commit on its default branch", where=url)
    names = sorted(
        name.split("/", 2)[2] for name in refs if name.startswith(("refs/heads/", "refs/tags/"))
    )
    near = difflib.get_close_matches(ref, names, n=3, cutoff=0.4) or names[:3]
    return UsageError(
        f"no branch, tag or commit {ref!r}",
        where=url,
        remedy=f"nearest: {', '.join(near)}" if near else "the repository has no refs",
    )


def _not_later(
    commit: Commit, latest: datetime, not_later_than: datetime | None, url: str
) -> Commit:
    if not_later_than is None or latest <= not_later_than:
        return commit
    if latest > commit.time:
        what = f"the tag {commit.requested!r} was made {_stamp(latest)}"
        remedy = f"name the commit itself (@{commit.id}), or a later date"
    else:
        what = f"{commit.requested or commit.id} is of {_stamp(latest)}"
        remedy = "name an older tag or commit, or a later date"
    raise UsageError(f"{what}, later than {_stamp(not_later_than)}", where=url, remedy=remedy)


def _by_id(url: str, ref: str, not_later_than: datetime | None, cache: Path) -> Commit:
    """A commit named by its id, which the remote must have."""
    if _FULL_ID.fullmatch(ref):
        with contextlib.suppress(_RefusedError):
            tip = _Repository(url, cache, shallow=True).fetch_commit(ref)
            found = Commit(id=tip.id, time=tip.time, requested=ref)
            return _not_later(found, found.time, not_later_than, url)
    # A server may refuse to be asked for an id, and never knows a shortened one.
    repository = _Repository(url, cache, shallow=False)
    refs = _remote_refs(url)
    tip = repository.find(ref, refs)
    found = Commit(id=tip.id, time=tip.time, requested=ref)
    return _not_later(found, found.time, not_later_than, url)


def _back_to(url: str, name: str, ref: str | None, date: datetime, cache: Path) -> Commit:
    """The commit nearest to the tip of ``name`` that is not later than ``date``."""
    repository = _Repository(url, cache, shallow=False)
    history = repository.first_parents(name)
    for identity, time in history:
        if time <= date:
            return Commit(id=identity, time=time, requested=ref)
    first = min(time for _, time in history)
    raise UsageError(
        f"no commit of {ref or 'the default branch'} is as old as {_stamp(date)};"
        f" the first is of {_stamp(first)}",
        where=url,
        remedy=f"lock as of {_stamp(first)} or later",
    )


class _RefusedError(Exception):
    """The remote did not give what was asked for by id, or not in the shape asked for."""


class _Repository:
    """A bare repository in the cache that holds commits of one remote, and no files.

    A ``shallow`` one holds single commits, the other one whole histories: git would cut every
    history short at each commit that was fetched alone.
    """

    def __init__(self, url: str, cache: Path, *, shallow: bool) -> None:
        self.url = url
        self.shallow = shallow
        name = hashlib.sha256(url.encode()).hexdigest()
        self.folder = cache / "git" / (f"{name}-tips" if shallow else name)

    def fetch_commit(self, name: str) -> _Tip:
        """Fetch one ref or id, and say what it points at.

        Raises:
            _RefusedError: the remote does not give that id.
            SourceError: the remote cannot be read.
        """
        with self._open():
            by_id = _FULL_ID.fullmatch(name) is not None
            if by_id and self._has(name):
                return self._tip(name)
            completed = self._fetch(f"+{name}:{_FOUND}", depth=1)
            if completed.code != 0 and by_id:
                raise _RefusedError
            if completed.code != 0:
                # A server of plain files cannot cut a history short.
                self._fetch_surely(f"+{name}:{_FOUND}")
            return self._tip(_FOUND)

    def find(self, ref: str, refs: dict[str, str]) -> _Tip:
        """The commit with the (perhaps shortened) id ``ref``, after fetching every ref."""
        with self._open():
            if not (_FULL_ID.fullmatch(ref) and self._has(ref)):
                self._fetch_surely("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            if not self._has(ref):
                same = self._run("rev-parse", f"--disambiguate={ref}").stdout.split()
                if len(same) > 1:
                    raise UsageError(
                        f"several commits begin with {ref!r}",
                        where=self.url,
                        remedy="write more of its digits",
                    )
                raise _no_such_ref(self.url, ref, refs)
            return self._tip(ref)

    def first_parents(self, name: str) -> tuple[tuple[str, datetime], ...]:
        """Ids and committer dates along first parents, from the tip of ``name`` to the root."""
        with self._open():
            self._fetch_surely(f"+{name}:{_FOUND}")
            listed = self._run("rev-list", "--first-parent", "--timestamp", _FOUND, "--")
            pairs = (line.split() for line in listed.stdout.splitlines())
            return tuple((identity, _instant(stamp)) for stamp, identity in pairs)

    @contextlib.contextmanager
    def _open(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SourceError(f"cannot write: {error.strerror}", where=str(self.folder)) from None
        with project_lock(self.folder, on_wait=lambda: None):
            if not (self.folder / "HEAD").exists():
                self._create()
            yield

    def _create(self) -> None:
        completed = self._run("init", "--quiet", "--bare", "--template=", ".")
        if completed.code == 0:
            completed = self._run("config", "remote.origin.url", self.url)
        if completed.code != 0:
            raise SourceError(f"git init failed: {_reason(completed)}", where=str(self.folder))

    def _fetch(self, *refspecs: str, depth: int | None = None) -> process.Completed:
        shape = ["--filter=tree:0", *([f"--depth={depth}"] if depth else [])]
        return self._run("fetch", "--quiet", "--no-tags", *shape, "origin", *refspecs)

    def _fetch_surely(self, *refspecs: str) -> None:
        """Fetch; when that fails, once more into a new repository, for this one may be damaged."""
        if self._fetch(*refspecs).code == 0:
            return
        for entry in self.folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self._create()
        completed = self._fetch(*refspecs)
        if completed.code != 0:
            raise SourceError(
                f"git fetch failed: {_reason(completed)}",
                where=self.url,
                remedy="check the network and the repository, then try again",
            )

    def _has(self, identity: str) -> bool:
        return self._run("rev-parse", "--verify", "--quiet", f"{identity}^{{commit}}").code == 0

    def _tip(self, name: str) -> _Tip:
        completed = self._run("rev-list", "--no-walk", "--timestamp", f"{name}^{{commit}}", "--")
        if completed.code != 0:
            raise UsageError(f"{name} is no commit", where=self.url)
        stamp, identity = completed.stdout.split()
        tagged = self._run("for-each-ref", "--format=%(taggerdate:unix)", name).stdout.strip()
        return _Tip(id=identity, time=_instant(stamp), tagged=_instant(tagged) if tagged else None)

    def _run(self, *arguments: str) -> process.Completed:
        return _git(*arguments, folder=self.folder)


def _git(*arguments: str, folder: Path | None = None) -> process.Completed:
    settings = [part for setting in _SETTINGS for part in ("-c", setting)]
    place = ["--git-dir=."] if folder is not None else []
    return process.run(
        ["git", *settings, *place, *arguments],
        cwd=folder,
        env=_environment(),
        remedy="install git (Debian: apt install git)",
    )


def _environment() -> dict[str, str]:
    extra = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        # `ext::` and its like would run commands named in a requirements file.
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    }
    if "GIT_SSH_COMMAND" not in os.environ and "GIT_SSH" not in os.environ:
        extra["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes"
    environment = process.clean_environment(*_REPOSITORY_VARIABLES, **extra)
    environment.pop("GIT_CONFIG", None)  # the file that `git config` would write to
    return environment | {"LC_ALL": "C"}  # messages are shown: untranslated


def _reason(completed: process.Completed) -> str:
    """git's own words: the last lines that are not hints."""
    lines = [line.strip() for line in completed.stderr.splitlines()]
    said = [line for line in lines if line and not line.startswith(("hint:", "warning:"))]
    return "; ".join(said[:_MESSAGE_LINES]) or f"exit code {completed.code}"


def _instant(stamp: str) -> datetime:
    return datetime.fromtimestamp(int(stamp), UTC)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
