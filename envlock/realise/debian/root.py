"""A root with exactly the given packages, made by mmdebstrap and kept as a tar archive."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from envlock.io.cache import DiskCache
from envlock.io.progress import Reporter
from envlock.io.store import has_stored, store_made, stored
from envlock.lock.canonical import digest
from envlock.lock.os import OsPackage
from envlock.realise.image.bootstrap import bootstrap

_KIND = "debian-roots-1"
_ALL = "all"
_KEPT = 4
"""Roots have half a gigabyte and are made in seconds: older ones go."""

_ROOM = 4 << 30

NAMESPACES = ("mmdebstrap", "--unshare-helper")
"""Gives what follows mounts, processes and names of its own; to ordinary users further ids, too."""


def make_root(
    packages: Sequence[OsPackage],
    architecture: str,
    as_of: datetime,
    reporter: Reporter,
    *,
    seconds: float | None = None,
) -> Path:
    """The archive of a root in which the packages are installed; they are in the store.

    Args:
        packages: all of them, the essential ones included.
        architecture: theirs, as Debian calls it.
        as_of: the time that maintainer scripts see, where they ask for it (UTC).
        reporter: told that it is made.
        seconds: how long that may take; None: for ever.

    Raises:
        SourceError: mmdebstrap is missing, or fails; or the disk cannot take the root.
    """
    epoch = int(as_of.timestamp())
    key = digest([architecture, epoch, sorted([p.name, p.sha256] for p in packages)])
    cache = DiskCache(_KIND)
    roots: list[list[str]] = json.loads(cache.get(_ALL) or b"[]")
    for known, sha256 in roots:
        if known == key and has_stored(sha256):
            return stored(sha256)
    reporter.step(f"installing {len(packages)} packages to build with")
    with tempfile.TemporaryDirectory(prefix="envlock-root-") as folder:
        made = Path(folder, "root.tar")
        Path(folder, "work").mkdir()
        bootstrap(
            packages,
            architecture,
            Path(folder),
            made,
            epoch,
            through=_in_memory(Path(folder, "work")),
            seconds=seconds,
            remedy="apt-get install mmdebstrap uidmap",
        )
        sha256 = store_made(made)
    roots = [[key, sha256], *(one for one in roots if one[0] != key)]
    for _, old in roots[_KEPT:]:
        with contextlib.suppress(OSError):
            stored(old).unlink()
    cache.put(_ALL, json.dumps(roots[:_KEPT]).encode())
    return stored(sha256)


def _in_memory(folder: Path) -> tuple[str, ...]:
    """Has mmdebstrap work in memory, where there is enough: a disk takes ten times as long."""
    if os.geteuid() != 0 or not roomy():
        return ()
    script = 'mount -t tmpfs tmpfs "$0" && TMPDIR=$0 exec "$@"'
    return (*NAMESPACES, "sh", "-c", script, str(folder))


def roomy() -> bool:
    """Whether there is memory for a root and a small build."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return False
    sizes = dict(line.split()[:2] for line in lines if len(line.split()) > 1)
    return int(sizes.get("MemAvailable:", "0")) << 10 >= _ROOM
