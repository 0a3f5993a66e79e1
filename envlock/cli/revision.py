"""Files as they were at a revision of git."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from envlock.errors import UsageError
from envlock.io import process


def commit_of(folder: Path, revision: str, *, where: str) -> str:
    """The commit (40 digits) that a revision means in the repository of ``folder``.

    ``where`` is what the user wrote, which may have been meant as a file.

    Raises:
        UsageError: there is none.
    """
    if revision.startswith("-") or not revision:
        raise UsageError(f"{where!r} is no file and no git revision")
    if git(folder, "rev-parse", "--git-dir").code != 0:
        raise UsageError(
            f"{where!r} is no file, and {folder.absolute()} is not in a git repository",
            remedy="name a file, or work in a git repository",
        )
    known = git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if known.code != 0:
        raise UsageError(
            f"{where!r} is no file and no revision that git knows",
            remedy="see the revisions with `git log --oneline`",
        )
    return known.stdout.strip()


def text_at(folder: Path, commit: str, path: str, *, revision: str) -> str:
    """A file's text at a commit; ``path`` counts from the top, with ``./`` from ``folder``.

    Raises:
        UsageError: it was not there.
    """
    shown = git(folder, "show", f"{commit}:{path}")
    if shown.code != 0:
        raise UsageError(
            f"there was no {path.removeprefix('./')} at {revision}",
            remedy=f"see when it came: git log --oneline -- {path}",
        )
    return shown.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The last commit that changed some files: when it was made (UTC), its id and subject.

    ``files`` are those that git tracks, ``edited`` those that differ from it; names from the
    folder that was asked. ``renamed`` are later commits that only gave them other names, newest
    first: id, and the names before.
    """

    time: datetime
    commit: str
    subject: str
    files: tuple[str, ...]
    edited: tuple[str, ...]
    renamed: tuple[tuple[str, tuple[str, ...]], ...] = ()


def last_change(folder: Path, paths: Iterable[str]) -> Change:
    """The last commit on this branch that changed one of ``paths`` (absolute).

    One that only gave the files other names does not count: it asks for nothing else.

    Raises:
        UsageError: it is no git repository, or tracks none of them; or its history ends before.
    """
    paths = tuple(paths)
    top = git(folder, "rev-parse", "--show-toplevel")
    if top.code != 0:
        raise UsageError(
            "there is no git repository to take a date from",
            where=str(folder.absolute()),
            remedy=_by_files(paths),
        )
    root = Path(top.stdout.rstrip("\n"))
    inside = sorted(path for path in paths if Path(path).resolve().is_relative_to(root.resolve()))
    listed = git(folder, "ls-files", "-z", "--", *inside) if inside else None
    names = tuple(sorted(name for name in listed.stdout.split("\0") if name)) if listed else ()
    found = _last_touch(folder, "HEAD", names) if names else None
    if found is None:
        raise UsageError(
            "git tracks none of the files that say what is asked for",
            where=str(folder.absolute()),
            remedy=f"commit them, or {_by_files(paths)}",
        )
    renamed: list[tuple[str, tuple[str, ...]]] = []
    earlier = names
    while before := _renamed_from(folder, found[0], earlier):
        older = _last_touch(folder, f"{found[0]}^", before)
        if older is None:
            break
        renamed.append((found[0], before))
        found, earlier = older, before
    commit, seconds, subject = found
    _refuse_shallow(folder, commit, names)
    changed = git(folder, "diff", "--name-only", "--relative", "-z", "HEAD", "--", *names)
    return Change(
        time=datetime.fromtimestamp(int(seconds), UTC),
        commit=commit,
        subject=subject,
        files=names,
        edited=tuple(sorted(name for name in changed.stdout.split("\0") if name)),
        renamed=tuple(renamed),
    )


def _last_touch(folder: Path, revision: str, names: Iterable[str]) -> tuple[str, str, str] | None:
    """Id, seconds and subject of the newest commit from ``revision`` on that touched a file."""
    logged = git(folder, "log", "-1", "--format=%H %ct %s", revision, "--", *names)
    if logged.code != 0 or not logged.stdout.strip():
        return None
    commit, seconds, subject = logged.stdout.rstrip("\n").split(" ", 2)
    return commit, seconds, subject


def _renamed_from(folder: Path, commit: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """What the files were called before ``commit``, where it did nothing else to them."""
    argv = ("diff-tree", "-r", "-z", "--no-commit-id", "--relative", "--name-status", "-M100%")
    told = git(folder, *argv, commit).stdout.split("\0")
    before: dict[str, str] = {}
    rest = iter(told)
    for status in rest:
        if status.startswith("R"):
            old, new = next(rest), next(rest)
            before[new] = old
        elif status and next(rest) in names:
            return ()
    if not before.keys() & set(names):
        return ()
    return tuple(sorted(before.get(name, name) for name in names))


def _refuse_shallow(folder: Path, commit: str, names: tuple[str, ...]) -> None:
    """At the edge of a shallow clone every file looks as if it came with that commit.

    Raises:
        UsageError: the commit is at the edge.
    """
    where = git(folder, "rev-parse", "--git-path", "shallow").stdout.rstrip("\n")
    try:
        edge = (folder / where).read_text("ascii").split()
    except (OSError, UnicodeDecodeError):
        return
    if commit in edge:
        raise UsageError(
            f"the repository is a shallow clone: {commit[:12]} is the oldest commit here, and when"
            f" {', '.join(names)} changed before is not known",
            where=str(folder.absolute()),
            remedy="bring the history: git fetch --unshallow; or give a date: --as-of 2026-03-01",
        )


def _by_files(paths: Iterable[str]) -> str:
    """A date to propose: when the newest of the files was written."""
    times = []
    for path in paths:
        with contextlib.suppress(OSError):
            times.append((Path(path).stat().st_mtime, Path(path).name))
    if not times:
        return "give a date: --as-of 2026-03-01"
    seconds, name = max(times)
    day = datetime.fromtimestamp(seconds, UTC)
    return (
        f"give a date: --as-of {day:%Y-%m-%d} is when {name} was last written here, which may be"
        " when it was copied"
    )


def git(folder: Path, *arguments: str) -> process.Completed:
    """Run git in ``folder``."""
    return process.run(
        ["git", *arguments],
        cwd=folder,
        env=process.clean_environment("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"),
        remedy="install git, or name files",
    )
