"""The store in a folder: one file per record, event and blob, each written once.

``runs/YYYY/MM/<id>.json`` is a finished record, ``started/<id>.json`` the note that a run leaves
before its program starts, ``events/YYYY/MM/<id>.json`` what was said of a run later, and
``blobs/xx/<sha256>`` what records name by digest. No file is ever changed, so that folders merge
by being laid over one another, in git or by hand.
"""

from __future__ import annotations

import os

from envlock.io import once
from envlock.io.sha256 import hex_of
from envlock.runs.ids import is_id, month

RUNS, EVENTS, STARTED, BLOBS = "runs", "events", "started", "blobs"


class FolderStore:
    """A ``Store`` (see ``envlock.runs.store``) in ``folder``, which need not exist."""

    def __init__(self, folder: str) -> None:
        self.name = folder

    def begin(self, run: str, content: bytes) -> None:
        """Keep the first note of a run."""
        once.write_once(self._path(STARTED, run), content, durable=False)

    def settle(self, run: str) -> None:
        """Have the first note on disk, whatever happens to the machine."""
        path = self._path(STARTED, run)
        once.sync(path)
        once.sync(os.path.dirname(path))

    def finish(self, run: str, content: bytes) -> None:
        """Keep the record of a run that ended; it takes the place of the first note."""
        once.write_once(self._path(RUNS, run), content, durable=True)
        self.withdraw(run)

    def withdraw(self, run: str) -> None:
        """Take the first note away: there is a record, or nothing was run."""
        for path in (self._path(STARTED, run), self.notes(run)):
            try:
                os.unlink(path)
            except OSError:
                continue  # the record counts, a note beside it is no harm

    def notes(self, run: str) -> str:
        """The path at which a run's program may say something of it (``envlock.runs.notes``)."""
        return self._path(STARTED, run).removesuffix(".json") + ".notes"

    def add_event(self, event: str, content: bytes) -> None:
        """Keep what is said of a run after it ended."""
        once.write_once(self._path(EVENTS, event), content, durable=True)

    def keep(self, content: bytes) -> str:
        """Keep bytes under their SHA-256; its hex digits."""
        sha256 = hex_of(content)
        path = self._blob(sha256)
        if not self.has(sha256):
            try:
                once.write_once(path, content, durable=True)
            except FileExistsError:
                return sha256  # another run was quicker
        return sha256

    def has(self, sha256: str) -> bool:
        """Whether bytes were kept under a digest."""
        return os.path.exists(self._blob(sha256))

    def blob(self, sha256: str) -> bytes:
        """The bytes that were kept under a digest."""
        return once.read(self._blob(sha256))

    def read(self, kind: str, name: str) -> bytes:
        """A record (``runs``), first note (``started``) or event (``events``) by its id."""
        return once.read(self._path(kind, name))

    def partitions(self, kind: str) -> dict[str, int]:
        """Where members of a kind are, with a stamp that changes when one comes or goes."""
        if kind == STARTED:
            return {"": _stamp(os.path.join(self.name, STARTED))}
        found = {}
        for year in _folders(os.path.join(self.name, kind)):
            for month_ in _folders(os.path.join(self.name, kind, year)):
                found[f"{year}/{month_}"] = _stamp(os.path.join(self.name, kind, year, month_))
        return found

    def members(self, kind: str, partition: str) -> list[str]:
        """The ids in a partition, in no order; what is no record is passed over."""
        try:
            names = os.listdir(os.path.join(self.name, kind, partition))
        except OSError:
            return []
        ids = (name[:-5] for name in names if name.endswith(".json"))
        return [name for name in ids if is_id(name)]

    def _path(self, kind: str, name: str) -> str:
        if not is_id(name):
            raise ValueError(f"no id of a run: {name!r}")
        folder = "" if kind == STARTED else month(name)
        return os.path.join(self.name, kind, folder, f"{name}.json")

    def _blob(self, sha256: str) -> str:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ValueError(f"no digest: {sha256!r}")
        return os.path.join(self.name, BLOBS, sha256[:2], sha256)


def _folders(path: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(path) if name.isdigit())
    except OSError:
        return []


def _stamp(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
