"""Files as they were in the project's own git history."""

from __future__ import annotations

from pathlib import Path

from envlock.errors import UsageError
from envlock.io import process


def show_file(folder: Path, revision: str, name: str) -> str:
    """The text of ``folder/name`` at a git revision (``HEAD~3``, a branch, a commit).

    Raises:
        UsageError: not a git repository, no such revision, or the file was not there.
        SourceError: git is not installed.
    """
    if revision.startswith("-"):
        raise UsageError(f"{revision!r} is no git revision", remedy="see `envlock diff --help`")
    environment = process.clean_environment(GIT_OPTIONAL_LOCKS="0")
    known = process.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"],
        cwd=folder,
        env=environment,
    )
    if known.code != 0:
        raise UsageError(
            f"{revision!r} is neither a file nor a git revision here",
            where=str(folder),
            remedy="give a lockfile's path, or a revision such as HEAD~1",
        )
    shown = process.run(
        ["git", "show", f"{known.stdout.strip()}:./{name}"], cwd=folder, env=environment
    )
    if shown.code != 0:
        raise UsageError(
            f"{name} is not in {revision}",
            where=str(folder),
            remedy=f"see the commits that have it: git log -- {name}",
        )
    return shown.stdout
