"""The code of a run: the commit, and by content all that differs from it. No commit is demanded."""

from __future__ import annotations

import os
import stat

from envlock.io import once
from envlock.io.git.worktree import find_work_tree
from envlock.runs.place import FOLDER
from envlock.runs.secrets import has_secret, is_secret_file

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from envlock.io.git.worktree import WorkTree

LARGEST = 1_000_000
"""Bytes of an untracked file that is kept: code is smaller, data is declared as input."""
MOST = 16_000_000
"""Bytes of all untracked files that are kept for one run."""
MOST_TEXTS = 200
"""Files that are kept for one run where there is no repository."""

_TICK = 0.01
"""Seconds by which the stamps of a file system lag behind the clock."""


def code_facts(
    folder: str, *, started: float, leave: set[str], keep: Callable[[bytes], str]
) -> dict[str, Any]:
    """For the record.

    Args:
        folder: where the run takes place.
        started: when, in seconds since 1970; what was written later is the run's own doing.
        leave: absolute paths that are declared as inputs or outputs.
        keep: takes content, gives its digest.
    """
    try:
        found = find_work_tree(folder)
    except OSError as error:
        return {"problem": str(error)}
    if found is None:
        return {}
    facts: dict[str, Any] = {"commit": found.commit, "tree": found.tree, "branch": found.branch}
    if found.commit:
        facts["swhid"] = f"swh:1:rev:{found.commit}"
    facts["directory"] = os.path.relpath(os.path.realpath(folder), os.path.realpath(found.top))
    untracked = [path for path in found.untracked if not _is_ours(path)]
    changed = [path for path in found.changed if not _is_ours(path)]
    started -= _TICK
    facts["dirty"] = bool(changed or untracked)
    if changed:
        facts |= _changed(found, changed, started, keep)
    if untracked:
        facts["untracked"] = list(_untracked(found.top, untracked, started, leave, keep))
    return facts


def keep_programs(inputs: list[dict[str, Any]], root: str, keep: Callable[[bytes], Any]) -> None:
    """Where there is no repository, texts that a run read of its project are kept as new files are.

    These are programs and settings: data in other forms is no code, nor what comes in hundreds.
    """
    room, left = MOST, MOST_TEXTS
    for fact in inputs:
        if left == 0:
            return
        path = fact["path"]
        if os.path.isabs(path) or fact.get("kind") != "file" or fact.get("changed-during-run"):
            continue
        whole = os.path.join(root, path)
        try:
            if _reason(path, os.lstat(whole), room) is not None:
                continue
            content = once.read(whole)
        except OSError:
            continue  # gone meanwhile, or its name is no UTF-8
        if b"\0" not in content and not has_secret(content.decode("utf-8", "replace")):
            keep(content)
            room -= len(content)
            left -= 1


def _is_ours(path: str) -> bool:
    return path.startswith(f"{FOLDER}/") or f"/{FOLDER}/" in path


def _changed(
    found: WorkTree, changed: list[str], started: float, keep: Callable[[bytes], str]
) -> dict[str, Any]:
    facts: dict[str, Any] = {"changed": sorted(_shown(path) for path in changed)}
    if found.submodules:
        facts["changed-submodules"] = sorted(_shown(path) for path in found.submodules)
    late = [p for p in changed if _modified(os.path.join(found.top, p)) > started]
    if late:
        facts["changed-during-run"] = sorted(_shown(path) for path in late)
    try:
        diff = found.diff()
    except OSError as error:
        return facts | {"diff-problem": str(error)}
    if len(diff) > MOST:
        return facts | {"diff-problem": f"not kept: {len(diff)} bytes"}
    if has_secret(diff.decode("utf-8", "replace")):
        return facts | {"diff-problem": "not kept: it holds what looks like a secret"}
    return facts | {"diff": keep(diff)} if diff else facts


def _untracked(
    top: str, paths: list[str], started: float, leave: set[str], keep: Callable[[bytes], str]
) -> Any:
    room = MOST
    for path in sorted(paths):
        whole = os.path.join(top, path)
        try:
            found = os.lstat(whole)
        except OSError:
            continue  # gone meanwhile
        if found.st_mtime > started or whole in leave:
            continue
        fact: dict[str, Any] = {"path": _shown(path), "size": found.st_size}
        reason = _reason(path, found, room)
        if reason is None:
            try:
                content = os.fsencode(os.readlink(whole)) if _is_link(found) else once.read(whole)
                if has_secret(content.decode("utf-8", "replace")):
                    reason = "it holds what looks like a secret"
                else:
                    fact["sha256"] = keep(content)
                    fact["mode"] = _mode(found)
                    room -= len(content)
            except OSError as error:
                reason = error.strerror or str(error)
        if reason is not None:
            fact["not-kept"] = reason
        yield fact


def _reason(path: str, found: os.stat_result, room: int) -> str | None:
    if not (stat.S_ISREG(found.st_mode) or _is_link(found)):
        return "no regular file"
    if is_secret_file(path):
        return "its name is that of a file with secrets"
    if found.st_size > LARGEST:
        return f"larger than {LARGEST} bytes"
    return None if found.st_size <= room else f"more than {MOST} bytes in all"


def _is_link(found: os.stat_result) -> bool:
    return stat.S_ISLNK(found.st_mode)


def _mode(found: os.stat_result) -> str:
    """As git writes it."""
    if _is_link(found):
        return "120000"
    return "100755" if found.st_mode & 0o100 else "100644"


def _modified(path: str) -> float:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()
