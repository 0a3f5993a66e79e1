"""What a traced run used, for its record: inputs and outputs by digest, and what they belong to."""

from __future__ import annotations

import os

from envlock.io.content import digests
from envlock.io.content.changed import MOST, changed_since
from envlock.io.owners import distributions, packages
from envlock.io.paths import cache_folder
from envlock.io.trace.kinds import Method
from envlock.runs.data import shown_path
from envlock.runs.observed import observe

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from envlock.io.trace.model import Trace
    from envlock.runs.observed import Input, Observed

Facts = dict[str, "Any"]

_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"
"""How a file CACHEDIR.TAG begins: https://bford.info/cachedir/"""

_LAG = 0.004
"""Seconds by which a file system's clock may lag behind."""


def used_facts(
    trace: Trace, *, root: str, declared: Sequence[str], records: str, since: float
) -> Facts:
    """``inputs``, ``outputs`` and ``trace`` of a record.

    Args:
        trace: what was seen.
        root: the project; paths below are relative to it.
        declared: paths that the record has already, folders with all that is in them.
        records: where records are kept, which is no output.
        since: when the run began, in seconds since 1970.
    """
    written: list[str] = []
    whole = True
    if trace.method not in (Method.SECCOMP, Method.NONE):
        written, whole = changed_since(root, since - _LAG, leave=(records,))
    observed = observe(
        trace,
        still_there=os.path.lexists,
        work=(root,),
        aside=(cache_folder(), *_caches(), records),
        written=written,
    )
    known = tuple(os.path.realpath(path) for path in declared)
    inputs = [i for i in observed.inputs if not _within(i.path, known)]
    caches = _TaggedFolders(os.path.realpath(root))
    outputs = [
        path
        for path in _files(observed.outputs)
        if not _within(path, known) and not caches.have(path)
    ]
    facts: Facts = {
        "inputs": [_input(one, root, set(observed.outputs)) for one in inputs],
        "outputs": [_output(path, root) for path in outputs],
        "trace": _trace(observed, root),
    }
    if not whole:
        told = f"the project has more than {MOST} files: not all were looked at"
        facts["trace"].setdefault("gaps", []).append(told)
    return facts


def _caches() -> tuple[str, ...]:
    """The folders of this user's caches, which are no results: matplotlib's list of fonts."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    own = (os.path.realpath(given),) if os.path.isabs(given) else ()
    return (os.path.realpath(os.path.expanduser("~/.cache")), *own)


def _files(paths: Sequence[str]) -> list[str]:
    """A folder that was moved to where it is brought all its files."""
    found: set[str] = set()
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            for parent, folders, names in os.walk(path):
                links = (name for name in folders if os.path.islink(os.path.join(parent, name)))
                found.update(os.path.join(parent, name) for name in (*names, *links))
        else:
            found.add(path)
    return sorted(found)


class _TaggedFolders:
    """Folders below ``top`` whose owner says that they are caches (Cache Directory Tagging)."""

    def __init__(self, top: str) -> None:
        self._known = {top: False}

    def have(self, path: str) -> bool:
        folder = os.path.dirname(path)
        found = self._known.get(folder)
        if found is None:
            above = os.path.dirname(folder) != folder and self.have(folder)
            found = self._known[folder] = above or _is_tagged(folder)
        return found


def _is_tagged(folder: str) -> bool:
    try:
        with open(os.path.join(folder, "CACHEDIR.TAG"), "rb") as file:
            return file.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        return False


def unwatched(why: str, argv: Sequence[str], since: float) -> Trace:
    """Of a program that nobody watched: the files that its command line names were read."""
    from envlock.io.trace.model import unseen
    from envlock.io.trace.sampler import named_files

    named = [path for path in named_files(argv) if os.stat(path).st_ctime < since - _LAG]
    return unseen(why, named)


def _within(path: str, known: tuple[str, ...]) -> bool:
    return any(path == one or path.startswith(one + os.sep) for one in known)


def _input(one: Input, root: str, outputs: set[str]) -> Facts:
    fact: Facts = {"path": shown_path(one.path, root), "found": "traced"}
    now = digests.state(one.path)
    if one.seen is not None:
        first = (one.seen.size, one.seen.modified, one.seen.inode)
        if one.path in outputs or now is None or first != (now[0], now[1], now[3]):
            fact["changed-during-run"] = True
    return _content(fact, one.path)


def _output(path: str, root: str) -> Facts:
    fact: Facts = {"path": shown_path(path, root), "found": "traced", "written": True}
    return _content(fact, path)


def _content(fact: Facts, path: str) -> Facts:
    try:
        if os.path.islink(path):
            fact |= {"kind": "link", "target": _text(os.readlink(path))}
        elif os.path.isfile(path):
            fact |= {"kind": "file", "sha256": digests.digest(path), "size": os.stat(path).st_size}
        else:
            fact["problem"] = "missing" if not os.path.exists(path) else "no regular file"
    except OSError as error:
        fact["problem"] = str(error.strerror)
    return fact


def _text(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def _trace(observed: Observed, root: str) -> Facts:
    """Libraries and modules by what brought them; by name only those that nothing did."""
    code = (*observed.libraries, *observed.programs)
    system = packages(code)
    python = distributions((*observed.libraries, *observed.environment))
    facts: Facts = {"method": observed.method.value, "complete": observed.complete}
    lists = {
        "gaps": list(observed.gaps),
        "removed": [shown_path(path, root) for path in observed.removed],
        "folders": [shown_path(path, root) for path in observed.folders],
        "programs": [shown_path(path, root) for path in observed.programs],
        "packages": sorted(set(system.values())),
        "distributions": sorted(set(python.values())),
        "libraries": [
            shown_path(path, root)
            for path in observed.libraries
            if path not in system and path not in python
        ],
        "network": [
            {"contact": c.contact.value, "family": c.family, "address": c.address, "port": c.port}
            for c in observed.network
        ],
    }
    return facts | {name: values for name, values in lists.items() if values}
