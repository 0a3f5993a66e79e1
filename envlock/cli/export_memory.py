"""What the lock gives in each format, remembered by its digests: rendering costs more than all
else that ``check`` does with generated files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import envlock
from envlock.check.exports.compare import Wanted, wanted
from envlock.cli.exporters import BUILT_IN, make
from envlock.export.exporter import FileTree
from envlock.export.marks import Mark
from envlock.io.cache import DiskCache
from envlock.lock.model import Lock

_KIND = "exports-1"


class Exports:
    """The formats of one lock."""

    def __init__(self, lock: Lock, path: Path) -> None:
        self._lock = lock
        self._lock_name = path.name
        self._identity = f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        self._wanted: dict[Mark, dict[str, Wanted]] = {}

    def wanted(self, mark: Mark) -> dict[str, Wanted]:
        """What each of the files has to be.

        Raises:
            UsageError: the lock cannot be exported so.
            NoLibraryError: not here.
        """
        if mark not in self._wanted:
            self._wanted[mark] = self._remembered(mark)
        return self._wanted[mark]

    def made(self, mark: Mark) -> FileTree:
        """The files themselves.

        Raises:
            UsageError: as above.
            NoLibraryError: as above.
        """
        return make(self._lock, mark, lock_name=self._lock_name)

    def _remembered(self, mark: Mark) -> dict[str, Wanted]:
        kept = DiskCache(_KIND)
        key = f"{mark.command}\0{self._identity}\0{_tool()}"
        # What other packages' exporters give may change with them.
        known = kept.get(key) if mark.format in BUILT_IN else None
        if known is not None:
            table = json.loads(known)
            return {name: Wanted(sha256=d, own=own) for name, (d, own) in table.items()}
        found = wanted(self.made(mark))
        if mark.format in BUILT_IN:
            table = {name: [one.sha256, one.own] for name, one in found.items()}
            kept.put(key, json.dumps(table).encode())
        return found


def _tool() -> str:
    """This installation of envlock: version, and the stamps of all that makes exports."""
    package = Path(envlock.__file__).parent
    folders = (package / "export", package / "lock", package / "templates")
    places = [*folders, package.parent / "templates"]
    stamps = sorted(stamp for place in places for stamp in _stamps(str(place)))
    return f"{envlock.__version__} {hashlib.sha256(repr(stamps).encode()).hexdigest()}"


def _stamps(folder: str) -> Iterator[tuple[str, int, int]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name != "__pycache__":
                        yield from _stamps(entry.path)
                else:
                    found = entry.stat()
                    yield entry.path, found.st_mtime_ns, found.st_size
    except FileNotFoundError:
        return
