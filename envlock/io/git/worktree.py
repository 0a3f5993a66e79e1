"""The git work tree that a folder is in: its commit, and what differs from it.

At most three short processes of git, none of which writes: no lock of the index is taken, so that
neither the user's own git nor other runs at the same moment are disturbed.
"""

from __future__ import annotations

import os

from envlock.io.child import output_of

_QUIET = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_TALK = ("GIT_TRACE", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_PAGER")


class WorkTree:
    """``top`` is the work tree's folder; ``commit`` and ``tree`` are ids, None before a first one.

    ``branch`` is None where HEAD is detached. ``changed`` and ``untracked`` are paths below
    ``top`` (bytes that are no UTF-8 as ``os.fsdecode`` has them), ``submodules`` those that differ.
    """

    __slots__ = ("branch", "changed", "commit", "submodules", "top", "tree", "untracked")

    def __init__(self, top: str) -> None:
        self.top = top
        self.commit: str | None = None
        self.tree: str | None = None
        self.branch: str | None = None
        self.changed: list[str] = []
        self.untracked: list[str] = []
        self.submodules: list[str] = []

    def diff(self) -> bytes:
        """From the commit to the files, binary ones included, as ``git apply`` takes it."""
        base = [self.commit] if self.commit else ["--cached", _EMPTY_TREE]
        options = ("--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv")
        code, said = _git(self.top, "diff", *options, "--src-prefix=a/", "--dst-prefix=b/", *base)
        if code != 0:
            raise OSError(f"git diff: exit code {code}")
        return said


_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def find_work_tree(folder: str) -> WorkTree | None:
    """The work tree that ``folder`` is in; None where there is none, or no git.

    Raises:
        OSError: git is there and fails; its exit code says no more.
    """
    if not _below_git(folder):
        return None
    try:
        code, said = _git(folder, "rev-parse", "--show-toplevel", "--revs-only", "HEAD^{tree}")
        if code != 0:
            # Before the first commit, HEAD is nothing.
            code, said = _git(folder, "rev-parse", "--show-toplevel")
    except FileNotFoundError:
        return None
    if code != 0:
        raise OSError("git does not read this work tree (safe.directory?)")
    top, *rest = os.fsdecode(said).rstrip("\n").split("\n")
    found = WorkTree(top)
    found.tree = rest[-1] if rest else None
    options = ("--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--no-renames")
    code, said = _git(top, "status", *options)
    if code != 0:
        raise OSError(f"git status: exit code {code}")
    _read_status(found, os.fsdecode(said))
    return found


def _read_status(found: WorkTree, text: str) -> None:
    for entry in text.split("\0"):
        kind, _, rest = entry.partition(" ")
        if kind == "#":
            key, _, value = rest.partition(" ")
            if key == "branch.oid" and value != "(initial)":
                found.commit = value
            elif key == "branch.head" and value != "(detached)":
                found.branch = value
        elif kind == "1":
            # XY sub mH mI mW hH hI path
            fields = rest.split(" ", 7)
            found.changed.append(fields[7])
            if fields[1].startswith("S"):
                found.submodules.append(fields[7])
        elif kind == "u":
            found.changed.append(rest.split(" ", 9)[9])
        elif kind == "?":
            found.untracked.append(rest)


def _below_git(folder: str) -> bool:
    """A quick look that spares two processes where there is no repository at all."""
    if "GIT_DIR" in os.environ:
        return True
    folder = os.path.abspath(folder)
    while not os.path.lexists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return False
        folder = parent
    return True


def _git(folder: str, *arguments: str) -> tuple[int, bytes]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_TALK)}
    kept |= {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0"}
    return output_of(["git", "-C", folder, *_QUIET, *arguments], kept)
