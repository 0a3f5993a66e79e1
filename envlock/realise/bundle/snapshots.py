"""States of archives in a bundle: signed Releases and indexes, as a snapshot service has them.

A state is served for every instant between its own and the lock's date: the lock saw that nothing
newer was there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.realise.bundle.layout import INDEX
from envlock.realise.bundle.opened import Opened, read_file, read_text
from envlock.resolve.os.archive.locked import ArchivedFile, moment_of, signed_text
from envlock.resolve.os.archive.snapshot import timestamp

_SIGNED = ("InRelease", "Release")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A suite of an archive at an instant.

    ``until`` is the last instant of which it is known that this was the newest state; ``files``
    are paths in the archive → in the bundle.
    """

    archive: str
    suite: str
    components: tuple[str, ...]
    moment: str
    until: str
    release_sha256: str
    files: Mapping[str, str]


def snapshot_line(root: str, file: ArchivedFile, path: str) -> str:
    """The line of ``bundle.txt`` about one file: whose lock, which archive, when, and where."""
    return f"snapshot {root} {file.archive} {file.moment} {file.path} {path}"


def states(bundle: Opened, locks: Iterable[Lock]) -> tuple[State, ...]:
    """All states of archives that a bundle has, for its locks."""
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    for line in read_text(bundle, INDEX).splitlines():
        words = line.split(" ")
        if words[0] == "snapshot" and len(words) == 6:
            lines.setdefault((words[1], words[2], words[3]), {})[words[4]] = words[5]
    found = []
    for lock in locks:
        root = environment_hash(lock).root
        for one in lock.os.archives if lock.os is not None else ():
            key = (root, one.archive, moment_of(one))
            start = f"dists/{one.suite}/"
            files = {p: f for p, f in lines.get(key, {}).items() if p.startswith(start)}
            if files:
                found.append(
                    State(
                        archive=one.archive,
                        suite=one.suite,
                        components=one.components,
                        moment=moment_of(one),
                        until=timestamp(lock.as_of),
                        release_sha256=one.release_sha256,
                        files=files,
                    )
                )
    return tuple(found)


def wrong_states(bundle: Opened, listed: Mapping[str, str], locks: Iterable[Lock]) -> Iterator[str]:
    """What is not as the locks say: a Release by digest, an index by what the Release says."""
    for state in states(bundle, locks):
        absent = [file for file in state.files.values() if file not in listed]
        if absent:
            yield from (f"missing: {file}" for file in absent)
            continue
        start = f"dists/{state.suite}/"
        path = next((state.files[start + n] for n in _SIGNED if start + n in state.files), None)
        if path is None:
            yield f"{INDEX} names no signed Release of {state.suite} at {state.moment}"
            continue
        text = signed_text(read_file(bundle, path))
        if hashlib.sha256(text).hexdigest() != state.release_sha256:
            yield f"not the locked Release of {state.suite}: {path}"
            continue
        said = {tuple(line.split()[::2]) for line in text.decode("utf-8", "replace").splitlines()}
        for place, file in state.files.items():
            below = place.removeprefix(start)
            if below not in (*_SIGNED, "Release.gpg") and (listed[file], below) not in said:
                yield f"not what the Release of {state.suite} says: {file}"


class Snapshots:
    """The states as a snapshot service answers."""

    def __init__(self, states: Iterable[State]) -> None:
        self.states = tuple(states)

    def find(self, archive: str, moment: str, path: str) -> tuple[str, str] | None:
        """The moment of the state that answers at an instant, and the file in the bundle.

        A path by digest (``by-hash/SHA256/…``) is the digest's in place of a file.
        """
        for state in sorted(self.states, key=lambda one: one.moment, reverse=True):
            if state.archive != archive or not state.moment <= moment <= state.until:
                continue
            if path in state.files:
                return state.moment, state.files[path]
            folder, hashed, digest = path.rpartition("/by-hash/SHA256/")
            for place, file in state.files.items():
                if hashed and place.startswith(f"{folder}/") and file.split("/")[1] == digest:
                    return state.moment, file
        return None

    def imports(self) -> bytes:
        """The list of all instants, as ``/mr/timestamp/`` gives it."""
        listed: dict[str, set[str]] = {}
        for state in self.states:
            listed.setdefault(state.archive, set()).add(state.moment)
        result = {name: sorted(moments) for name, moments in sorted(listed.items())}
        return json.dumps({"result": result}).encode()
