"""The code of a recorded run, put into a folder of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from envlock.errors import SourceError
from envlock.io.git import checkout

Table = dict[str, Any]
_ESCAPED = re.compile(r"\\udc([89a-f][0-9a-f])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that a repeat needs and that is gone.

    ``tried`` says where it was looked for, ``remedy`` what may bring it back.
    """

    what: str
    tried: tuple[str, ...]
    remedy: str | None = None


BLOBS = "copy .envlock/blobs from where the run was recorded"
"""What helps where content is gone that a record keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where things go: ``root`` is the new folder of the project, ``top`` that of git's work tree,
    ``directory`` where the command runs. One of ``root`` and ``top`` holds the other."""

    root: str
    top: str
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What was put there: ``told`` says it to a person."""

    told: str
    missing: tuple[Missing, ...]
    left: tuple[str, ...]
    """Changes that were not made again, as the run itself made them."""


def real_name(text: str) -> str:
    """A path of a record as ``os`` takes it: escapes of bytes that are no UTF-8 become those."""
    return _ESCAPED.sub(lambda match: chr(0xDC00 + int(match[1], 16)), text)


def layout(record: Table, folder: str) -> Layout:
    """Where the parts of a run go in ``folder``."""
    in_root = _parts(record["command"]["directory"])
    in_top = _parts((record.get("code") or {}).get("directory") or record["command"]["directory"])
    # Both lead to the same folder, one from the project, one from the work tree's top.
    root = top = folder
    if in_top[len(in_top) - len(in_root) :] == in_root and len(in_top) >= len(in_root):
        root = os.path.join(folder, *in_top[: len(in_top) - len(in_root)])
    else:
        top = os.path.join(folder, *in_root[: len(in_root) - len(in_top)])
    return Layout(root=root, top=top, directory=os.path.join(root, *in_root))


def _parts(path: str) -> list[str]:
    return [part for part in real_name(path).split("/") if part not in ("", ".")]


def restore_code(record: Table, where: Layout, *, home: str, blob: Callable[[str], bytes]) -> Code:
    """Put the commit there, then the changes and new files that the record has by content.

    Args:
        record: of the run.
        where: folders, which are empty or not there.
        home: the project's own folder, in a repository that may have the commit; only read.
        blob: content by digest; OSError where it is not there.

    Raises:
        SourceError: git fails.
    """
    code = record.get("code") or {}
    os.makedirs(where.root, exist_ok=True)
    needs = _Needs(record, where)
    if "problem" in code:
        return _nothing(f"the state of the code is not known: {code['problem']}", needs)
    if not code:
        os.makedirs(where.directory, exist_ok=True)
        return Code(told="no repository: files by their digests", missing=(), left=())
    missing: list[Missing] = []
    commit = code.get("commit")
    if commit is None:
        checkout.empty_repository(where.top)
    else:
        gone = _checkout(commit, code, where, home)
        if gone is not None:
            return Code(told=f"commit {commit} is gone", missing=(gone,), left=())
        missing += _submodules(where, home, needs)
    left = _left(record, code, where)
    missing += _change(code, where, blob, left, needs)
    missing += _add(code, where, blob, needs)
    os.makedirs(where.directory, exist_ok=True)
    changed = len(code.get("changed", ())) - len(left)
    told = f"commit {commit[:12]}" if commit else "no commit"
    if changed:
        told += f", {changed} changed file{'s' if changed > 1 else ''}"
    if code.get("untracked"):
        count = len(code["untracked"])
        told += f", {count} new file{'s' if count > 1 else ''}"
    return Code(told=told, missing=tuple(missing), left=tuple(sorted(left)))


class _Needs:
    """Whether a run used a file of the work tree, as far as the record knows."""

    def __init__(self, record: Table, where: Layout) -> None:
        trace = record.get("trace") or {}
        self._all_known = trace.get("method") == "seccomp" and bool(trace.get("complete"))
        self._by_digest: set[str] = set()
        self._read: set[str] = set()
        for fact in record.get("inputs") or ():
            path = os.path.normpath(os.path.join(where.root, real_name(fact["path"])))
            self._read.add(path)
            if "sha256" in fact:
                self._by_digest.add(path)
        self._top = where.top

    def lacks(self, path: str) -> bool:
        """Whether a path (from the top) is needed and not among the inputs with a digest."""
        whole = os.path.normpath(os.path.join(self._top, real_name(path)))
        if whole in self._by_digest:
            return False  # the data's business
        if not self._all_known:
            return True
        return any(one == whole or one.startswith(whole + os.sep) for one in self._read)


def _nothing(reason: str, needs: _Needs) -> Code:
    gone = (Missing(what="the code", tried=(reason,)),) if needs.lacks("") else ()
    return Code(told=reason, missing=gone, left=())


def _checkout(commit: str, code: Table, where: Layout, home: str) -> Missing | None:
    source = checkout.top_of(home)
    if source is not None and checkout.has_commit(source, commit):
        checkout.checkout(source, commit, where.top)
        return None
    tried = f"the repository at {source}" if source else f"no repository at {home}"
    swhid = code.get("swhid")
    archived = f"; it may be archived as {swhid}" if swhid else ""
    remedy = f"git fetch from a repository that has it, such as where the run was made{archived}"
    return Missing(what=f"commit {commit}", tried=(tried,), remedy=remedy)


def _submodules(where: Layout, home: str, needs: _Needs) -> list[Missing]:
    missing = []
    source = checkout.top_of(home)
    for path, commit in checkout.submodules(where.top):
        own = os.path.join(source or home, path)
        if os.path.isdir(own) and checkout.has_commit(own, commit):
            checkout.checkout(own, commit, os.path.join(where.top, path))
        elif needs.lacks(path):
            tried = (f"the submodule's folder {own}",)
            remedy = f"git submodule update --init {path}, then fetch that commit there"
            what = f"submodule {path} at {commit}"
            missing.append(Missing(what=what, tried=tried, remedy=remedy))
    return missing


def _left(record: Table, code: Table, where: Layout) -> set[str]:
    """Changes that are the run's own doing: the difference was read while it ran."""
    late = set(code.get("changed-during-run", ()))
    outputs = {
        os.path.relpath(os.path.join(where.root, fact["path"]), where.top)
        for fact in record.get("outputs") or ()
    }
    return (late & outputs) | set(code.get("changed-submodules", ()))


def _change(
    code: Table, where: Layout, blob: Callable[[str], bytes], left: set[str], needs: _Needs
) -> list[Missing]:
    changed = [path for path in code.get("changed", ()) if path not in left]
    if not changed:
        return [
            Missing(what=f"changes in submodule {path}", tried=("they are not in the record",))
            for path in code.get("changed-submodules", ())
            if needs.lacks(path)
        ]
    reason = code.get("diff-problem", "the record has no difference")
    if "diff" in code:
        try:
            checkout.apply_diff(where.top, blob(code["diff"]), [real_name(p) for p in left])
        except OSError:
            reason = f"no blob {code['diff']}"
        except SourceError as error:
            reason = error.what
        else:
            return []
    return [
        Missing(what=f"the changes of {path}", tried=(reason,), remedy=BLOBS)
        for path in changed
        if needs.lacks(path)
    ]


def _add(code: Table, where: Layout, blob: Callable[[str], bytes], needs: _Needs) -> list[Missing]:
    missing = []
    for fact in code.get("untracked", ()):
        path = os.path.join(where.top, real_name(fact["path"]))
        try:
            if "sha256" not in fact:
                raise OSError(f"it was not kept: {fact.get('not-kept')}")
            _write(path, blob(fact["sha256"]), fact.get("mode", "100644"))
        except FileNotFoundError:
            reason = f"no blob {fact['sha256']}"
        except OSError as error:
            reason = error.strerror or str(error)
        else:
            continue
        if needs.lacks(fact["path"]):
            what = f"the new file {fact['path']}"
            missing.append(Missing(what=what, tried=(reason,), remedy=BLOBS))
    return missing


def _write(path: str, content: bytes, mode: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if mode == "120000":
        os.symlink(os.fsdecode(content), path)
        return
    with open(path, "wb") as file:
        file.write(content)
    if mode == "100755":
        os.chmod(path, os.stat(path).st_mode | 0o111)  # noqa: S103 - a program
