"""Files as they were at a revision of git."""

from __future__ import annotations

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


def git(folder: Path, *arguments: str) -> process.Completed:
    """Run git in ``folder``."""
    return process.run(
        ["git", *arguments],
        cwd=folder,
        env=process.clean_environment("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"),
        remedy="install git, or name files",
    )
