"""What files said when they were read last, and the stamps they had: git's index, for any tree.

Kept in the cache folder, one record for each key. A file with the same stamp is not read again.
A record is of one machine, one start of it and one user, and of this very envlock; it is not
believed when the clock is behind the time of its making, and nothing is kept of a file that
changed so shortly before the scan that a later change could have the same stamp (git's "racy"
rule, as in ``io.unchanged``).
"""

from __future__ import annotations

import os
import stat
import time

from envlock import __version__
from envlock.io.cache import DiskCache
from envlock.io.content.unchanged import COARSE, settled
from envlock.io.content.untouched import FIELDS, packed, unpacked, untouched

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envlock.io.content.scan import Scan

    Facts = Mapping[tuple[str, str], bytes]  # (path, kind of reading) → what it said

_KIND = "index-2"
_FACTS = "index-facts-2"
"""Apart, since who asks whether anything moved does not need them."""
_MTIME, _CTIME = 2, 3


class Index:
    """The record of one key.

    ``since`` is when its scan began (nanoseconds since the epoch), which tells a record from the
    next one of the same key.
    """

    __slots__ = ("_key", "_paths", "_stamps", "_told", "since", "whole")

    def __init__(self) -> None:
        self.since = 0
        self.whole = False
        self._key = ""
        self._told = b"null"
        self._paths = b""
        self._stamps = memoryview(b"").cast("q")

    @property
    def verdict(self) -> Any:
        """What was made of the tree then, as JSON values; to be read costs more than ``holds``."""
        import json

        return json.loads(self._told)

    def holds(self) -> bool:
        """Whether every file has the stamp it had, none came and none went: ``verdict`` holds.

        Nothing is listed: where a file comes, goes or takes another name, its folder's stamp moves.
        """
        return self.whole and untouched(self._paths, self._stamps)

    def facts(self, scan: Scan) -> dict[tuple[str, str], bytes]:
        """What is still known: the facts of files whose stamp is the same and tells."""
        kept = DiskCache(_FACTS).get(self._key) if self._key else None
        if kept is None:
            return {}
        since, *lines = kept.split(b"\n")
        if int(since) != self.since:
            return {}  # another process's, made meanwhile
        paths = [
            f"{folder.rstrip('/')}/{name}"
            for folder, *names in unpacked(self._paths)
            for name in names
        ]
        found = {}
        for line in lines:
            number, kind, fact = line.split(b" ")
            old = int(number)
            place = scan.place(paths[old])
            if place is not None and scan.stamp(place) == tuple(
                self._stamps[old * FIELDS : (old + 1) * FIELDS]
            ):
                found[paths[old], kind.decode()] = bytes.fromhex(fact.decode())
        return found


def load(key: str) -> Index:
    """The record of ``key``, empty when there is none that can be believed."""
    index = Index()
    full = _full(key)
    kept = DiskCache(_KIND).get(full)
    if kept is None:
        return index
    try:
        start = kept.index(b"\n") + 1
        since, whole, paths, stamps = map(int, kept[:start].split())
        if since > time.time_ns():
            return index  # the clock has been set back: stamps do not tell before from after
        second = start + paths
        index._paths, index._told = kept[start:second], kept[second + stamps :]
        index._stamps = memoryview(kept)[second : second + stamps].cast("q")
        index._key, index.since, index.whole = full, since, bool(whole)
    except ValueError:
        return Index()
    return index


def keep(
    key: str,
    scan: Scan,
    facts: Facts,
    *,
    verdict: object,
    since: int,
    whole: bool,
) -> None:
    """Remember what was read.

    Args:
        key: of the tree.
        scan: made after ``since``. What changed between it and a reading changed after ``since``,
            too, and is not kept.
        facts: what files said.
        verdict: what was made of it, as JSON values.
        since: when the scan began, nanoseconds since the epoch.
        whole: False where the verdict depends on something that stamps do not tell.
    """
    import json

    lines = []
    times = zip(scan.stamps[_MTIME::FIELDS], scan.stamps[_CTIME::FIELDS], strict=True)
    fresh = {
        place
        for place, (mtime, ctime) in enumerate(times)
        if max(mtime, ctime) + COARSE >= since and not settled(mtime, ctime, since)
    }
    places, modes = scan.places, scan.stamps[::FIELDS]
    for (path, kind), fact in facts.items():
        found = places.get(path)
        if found is not None and found not in fresh and not stat.S_ISLNK(modes[found] & 0xFFFF):
            lines.append(f"{found} {kind} {fact.hex()}")
    try:
        told = json.dumps(verdict).encode()
    except ValueError:
        return
    paths, stamps = packed(scan.paths), scan.stamps.tobytes()
    head = (since, int(whole and not fresh and not scan.problems), len(paths), len(stamps))
    full = _full(key)
    DiskCache(_FACTS).put(full, "\n".join([str(since), *lines]).encode())
    DiskCache(_KIND).put(full, b" ".join(b"%d" % n for n in head) + b"\n" + paths + stamps + told)


def _full(key: str) -> str:
    """The key with all that a record must not be carried over."""
    here = os.stat(__file__)  # another installation may judge otherwise
    return (
        "\0".join((key, __version__, f"{here.st_mtime_ns}", *_machine()))
        .encode("utf-8", "surrogateescape")
        .hex()
    )


def _machine() -> tuple[str, ...]:
    """This machine since its last start, this container, this user."""
    name = os.uname()
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            boot = file.read().strip().decode()
    except OSError:
        boot = name.version
    return (name.nodename, name.machine, boot, str(os.geteuid()))
