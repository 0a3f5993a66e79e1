"""Files as they were at a revision of git."""

from __future__ import annotations

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
    """The last commit that touched some files: when it was made (UTC), its id and subject.

    ``files`` are those that git tracks, ``edited`` those that differ from it; names from the
    folder that was asked.
    """

    time: datetime
    commit: str
    subject: str
    files: tuple[str, ...]
    edited: tuple[str, ...]


def last_change(folder: Path, paths: Iterable[str]) -> Change:
    """The last commit on this branch that touched one of ``paths`` (absolute).

    Raises:
        UsageError: it is no git repository, or tracks none of them.
    """
    top = git(folder, "rev-parse", "--show-toplevel")
    if top.code != 0:
        raise UsageError(
            "there is no git repository to take a date from",
            where=str(folder.absolute()),
            remedy="give a date: --as-of 2026-03-01",
        )
    root = Path(top.stdout.rstrip("\n"))
    inside = sorted(path for path in paths if Path(path).resolve().is_relative_to(root.resolve()))
    listed = git(folder, "ls-files", "-z", "--", *inside) if inside else None
    names = tuple(sorted(name for name in listed.stdout.split("\0") if name)) if listed else ()
    logged = git(folder, "log", "-1", "--format=%H %ct %s", "--", *names) if names else None
    if logged is None or not logged.stdout.strip():
        raise UsageError(
            "git tracks none of the files that say what is asked for",
            where=str(folder.absolute()),
            remedy="commit them, or give a date: --as-of 2026-03-01",
        )
    commit, seconds, subject = logged.stdout.rstrip("\n").split(" ", 2)
    changed = git(folder, "diff", "--name-only", "--relative", "-z", "HEAD", "--", *names)
    return Change(
        time=datetime.fromtimestamp(int(seconds), UTC),
        commit=commit,
        subject=subject,
        files=names,
        edited=tuple(sorted(name for name in changed.stdout.split("\0") if name)),
    )


def git(folder: Path, *arguments: str) -> process.Completed:
    """Run git in ``folder``."""
    return process.run(
        ["git", *arguments],
        cwd=folder,
        env=process.clean_environment("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"),
        remedy="install git, or name files",
    )
