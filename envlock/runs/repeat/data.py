"""Inputs and results of a recorded run, found again by their digests."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from envlock.io.content import digests
from envlock.io.store import has_stored, stored
from envlock.runs.data import folder_digest
from envlock.runs.repeat.code import Missing, real_name

Table = dict[str, Any]
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Had:
    """An input that the repeat has; ``source`` says where from."""

    path: str
    source: str


class Finder:
    """Looks for content by digest: where it was, among what the records keep, in the store.

    Args:
        home: the project's own folder, which is only read.
        blob: content by digest; OSError where it is not there.
        folders: others to look in: at the same path, for the same name, or the digest as a name.
    """

    def __init__(
        self, home: str, blob: Callable[[str], bytes], folders: Sequence[str] = ()
    ) -> None:
        self._home = home
        self._blob = blob
        self._folders = folders
        self._names: dict[str, dict[str, list[str]]] = {}

    def place_input(self, fact: Table, root: str, *, dry: bool) -> Had | Missing:
        """Have an input in the new project ``root``; ``dry``: only say whether it can be had."""
        path = real_name(fact["path"])
        target = os.path.join(root, path)
        what = f"input {fact['path']}"
        sha256 = fact.get("sha256")
        there = _matches(target, fact)
        if fact.get("changed-during-run"):
            # What it was before is known only to version control.
            if os.path.exists(target) and not os.path.isabs(path):
                return Had(path=path, source="the code")
            reason = "the run changed it, and what it was before was not kept"
            return Missing(what=what, tried=(reason,))
        if sha256 is None:
            if os.path.exists(target) and not os.path.isabs(path):
                return Had(path=path, source="the code")
            reason = f"its content was not recorded: {fact.get('problem', 'no digest')}"
            return Missing(what=what, tried=(reason,))
        if there:
            return Had(path=path, source="in place" if os.path.isabs(path) else "the code")
        what = f"{what} (sha256 {sha256})"
        if os.path.isabs(path):
            state = "other content" if os.path.exists(path) else "not there"
            remedy = f"have that file at {path}; it is outside of the project, so it must be there"
            return Missing(what=what, tried=(f"{path}: {state}",), remedy=remedy)
        tried = []
        for source, name in self._sources(fact):
            if source is None or not _has(source, fact, target, dry=dry):
                tried.append(name)
            else:
                return Had(path=path, source=self._told(source, name))
        own = os.path.join(self._home, path)
        remedy = f"have that content at {own}, or name a folder that has it: --from DIR"
        return Missing(what=what, tried=tuple(tried), remedy=remedy)

    def content(self, fact: Table) -> str | None:
        """A file or folder with what a record calls a result; None where it is gone."""
        if "sha256" not in fact:
            return None
        own = os.path.join(self._home, real_name(fact["path"]))
        if _matches(own, fact):
            return own
        path = str(stored(fact["sha256"]))
        return path if fact.get("kind") != "folder" and has_stored(fact["sha256"]) else None

    def _sources(self, fact: Table) -> Iterator[tuple[str | bytes | None, str]]:
        own = os.path.join(self._home, real_name(fact["path"]))
        if os.path.exists(own):
            yield own, f"{own}: other content"
        else:
            yield None, f"{own}: not there"
        yield from self._others(fact)
        if fact.get("kind") == "folder":
            return
        sha256 = fact["sha256"]
        try:
            yield self._blob(sha256), "the records' blobs"
        except OSError:
            yield None, "the records' blobs"
        yield str(stored(sha256)) if has_stored(sha256) else None, "envlock's store"

    def _told(self, source: str | bytes, name: str) -> str:
        """Where a file was, for a person: here, or in one of the other folders."""
        if name.startswith(self._home + os.sep):
            return "in place"
        if isinstance(source, str):
            own = (one for one in self._folders if source.startswith(one.rstrip(os.sep) + os.sep))
            return next(own, name)
        return name

    def _others(self, fact: Table) -> Iterator[tuple[str | None, str]]:
        """What may be the content in the other folders."""
        path = real_name(fact["path"])
        for folder in self._folders:
            if fact.get("kind") == "folder":
                found = [os.path.join(folder, path), os.path.join(folder, os.path.basename(path))]
                found = [one for one in found if os.path.isdir(one)]
            else:
                names = self._names.setdefault(folder, {}) or _by_name(folder, self._names[folder])
                found = names.get(fact["sha256"], []) + names.get(os.path.basename(path), [])
            yield from ((one, f"{one}: other content") for one in found)
            if not found:
                yield None, f"{folder}: no file of that name or digest"


def _by_name(folder: str, names: dict[str, list[str]]) -> dict[str, list[str]]:
    """Add the regular files below a folder, by their names."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(place, name)
            if not os.path.islink(path):
                names.setdefault(name, []).append(path)
    return names


def _matches(path: str, fact: Table) -> bool:
    """Whether what is at a path has the digest of a fact."""
    try:
        if fact.get("kind") == "folder":
            return os.path.isdir(path) and folder_digest(path)["sha256"] == fact["sha256"]
        return os.path.isfile(path) and digests.digest(path) == fact["sha256"]
    except (OSError, KeyError):
        return False


def _has(source: str | bytes, fact: Table, target: str, *, dry: bool) -> bool:
    """Copy what is at ``source`` to ``target`` where it has the digest; whether it does.

    What is copied is what was digested: an own file that changes meanwhile is not taken.
    """
    if isinstance(source, str) and (dry or fact.get("kind") == "folder"):
        if not _matches(source, fact):
            return False
        if dry:
            return True
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        return _matches(target, fact)
    if dry and isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest() == str(fact["sha256"])
    os.makedirs(os.path.dirname(target), exist_ok=True)
    part = f"{target}.{os.urandom(4).hex()}"
    try:
        if _copy(source, part) != fact["sha256"]:
            return False
        os.replace(part, target)
        return True
    except OSError:
        return False
    finally:
        if os.path.lexists(part):
            os.unlink(part)


def _copy(source: str | bytes, target: str) -> str:
    digest = hashlib.sha256()
    with open(target, "xb") as written:
        if isinstance(source, bytes):
            digest.update(source)
            written.write(source)
            return digest.hexdigest()
        with open(source, "rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                written.write(piece)
    shutil.copymode(source, target)
    return digest.hexdigest()
