"""What .debs unpack to, as plain tar archives: a machine may have no ar, xz or zstd.

Such an archive is the data member of a .deb, decompressed and otherwise as it is: what
``dpkg-deb --fsys-tarfile`` writes. It is kept in the store, by its own digest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from envlock.io.cache import DiskCache
from envlock.io.progress import Reporter
from envlock.io.store import Fresh, has_stored, stored
from envlock.lock.os import OsPackage
from envlock.realise.bundle.layout import Entry
from envlock.realise.image.deb import unpacked_data

_KIND = "bundle-trees-1"
_PIECE = 1 << 20
_THREADS = 4


def unpacked(debs: Mapping[str, OsPackage], reporter: Reporter) -> Iterator[Entry]:
    """The archive of each .deb (path in the bundle → package), all of which the store has.

    Raises:
        UsageError: a .deb cannot be read.
        SourceError: the store cannot be written.
    """
    if not debs:
        return
    reporter.step("unpacking OS packages")
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        total, done = sum(deb.size for deb in debs.values()), 0
        for deb, entry in zip(debs.values(), pool.map(_entry, debs, debs.values()), strict=True):
            done += deb.size
            reporter.progress(done, total)
            yield entry


def _entry(path: str, deb: OsPackage) -> Entry:
    sha256 = _kept(deb) or _make(deb)
    source = stored(sha256)
    return Entry(path=path, sha256=sha256, size=source.stat().st_size, source=source)


def _kept(deb: OsPackage) -> str | None:
    found = DiskCache(_KIND).get(deb.sha256)
    sha256 = None if found is None else found.decode("ascii", "replace")
    return sha256 if sha256 is not None and has_stored(sha256) else None


def _make(deb: OsPackage) -> str:
    digest = hashlib.sha256()
    name = deb.file_name.rpartition("/")[2]
    with Fresh() as fresh, unpacked_data(stored(deb.sha256), name) as data:
        while piece := data.read(_PIECE):
            digest.update(piece)
            fresh.file.write(piece)
        fresh.settle(digest.hexdigest())
    DiskCache(_KIND).put(deb.sha256, digest.hexdigest().encode())
    return digest.hexdigest()
