"""Files of a commit in a folder of their own, from a repository that is only read.

The folder becomes a clone that borrows the repository's objects (``git clone --shared``), not a
work tree of it: nothing is written there, and nothing has to be taken back when the folder goes.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from envlock.errors import SourceError
from envlock.io import process
from envlock.io.child import output_of

_SETTINGS = (
    *("core.hooksPath=/dev/null", "gc.auto=0", "maintenance.auto=false", "core.fsmonitor=false"),
    *("advice.detachedHead=false", "submodule.recurse=false"),
)
# Those that tie git to another repository than the one it is told.
_TIES = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_TRACE"),
)
_GITLINK = re.compile(r"160000 commit ([0-9a-f]+)\t(.*)", re.DOTALL)


def top_of(folder: str) -> str | None:
    """The work tree that a folder is in; None where there is none, or no git."""
    try:
        done = _git(folder, "rev-parse", "--show-toplevel")
    except SourceError:
        return None
    return done.stdout.rstrip("\n") if done.code == 0 else None


def has_commit(repository: str, commit: str) -> bool:
    """Whether a repository has a commit's files."""
    try:
        return _git(repository, "cat-file", "-e", f"{commit}^{{tree}}").code == 0
    except SourceError:
        return False


def checkout(repository: str, commit: str, folder: str) -> None:
    """Put the files of a commit into a folder, which is empty or not there.

    Raises:
        SourceError: git cannot do it.
    """
    _must(None, "clone", "--quiet", "--shared", "--no-checkout", "--", repository, folder)
    _must(folder, "checkout", "--quiet", "--force", "--detach", commit)


def empty_repository(folder: str) -> None:
    """Make a repository without a commit; raises SourceError."""
    _must(None, "init", "--quiet", "--", folder)


def apply_diff(folder: str, diff: bytes, leave: Sequence[str]) -> None:
    """Change a checkout's files by what ``git diff --binary`` said, but for the paths ``leave``.

    Raises:
        SourceError: it does not fit.
    """
    excluded = ["--exclude=" + re.sub(r"([*?\[\\])", r"\\\1", path) for path in leave]
    with tempfile.NamedTemporaryFile(prefix="envlock-diff-") as file:
        file.write(diff)
        file.flush()
        _must(folder, "apply", "--whitespace=nowarn", *excluded, file.name)


def exclude(folder: str, path: str) -> None:
    """Have git pass over a path (from the top) that is no part of the code."""
    file = Path(folder) / ".git" / "info" / "exclude"
    if file.parent.parent.is_dir():
        file.parent.mkdir(exist_ok=True)
        with file.open("a", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(f"\n/{path}\n")


def submodules(folder: str) -> list[tuple[str, str]]:
    """Path and commit of the submodules of a checkout."""
    done = _git(folder, "ls-tree", "-r", "-z", "HEAD")
    found = (_GITLINK.fullmatch(entry) for entry in done.stdout.split("\0"))
    return [(match[2], match[1]) for match in found if match]


def versions(repository: str, path: str) -> Iterator[bytes]:
    """The contents that a file (path from the top) had in all commits, the newest first."""
    options = ("--all", "--format=", "--raw", "--no-abbrev", "--no-renames", "-z")
    done = _git(repository, "log", *options, "--", f":(literal){path}")
    seen: set[str] = set()
    for entry in re.findall(r":\d+ \d+ [0-9a-f]+ ([0-9a-f]+) [A-Z]", done.stdout):
        if entry in seen or not entry.strip("0"):
            continue
        seen.add(entry)
        # Bytes as they are: what `process.run` gives is text.
        argv = ["git", "-C", repository, "cat-file", "blob", entry]
        code, content = output_of(argv, _environment())
        if code == 0:
            yield content


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_TIES)}
    return kept | {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0"}


def _git(folder: str | None, *arguments: str) -> process.Completed:
    argv = ["git", *(["-C", folder] if folder else [])]
    for setting in _SETTINGS:
        argv += ["-c", setting]
    return process.run([*argv, *arguments], env=_environment(), remedy="install git")


def _must(folder: str | None, *arguments: str) -> None:
    done = _git(folder, *arguments)
    if done.code != 0:
        told = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise SourceError(f"git {arguments[0]} failed: {told}", where=folder)
