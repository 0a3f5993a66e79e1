"""Files of envlock's store under names of their own, to be handed to the store of Nix or Guix."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from envlock.io.copying import copy_digested
from envlock.io.files import disk_error
from envlock.io.store import stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A file by its digest, and the name that it has in the other store."""

    name: str
    sha256: str


@contextmanager
def handed_over(files: Iterable[Handed]) -> Iterator[tuple[str, ...]]:
    """The files' paths, for as long as this lasts; the last part of each is its name.

    They are files, not links to them, since the stores take a link for what is to be kept.

    Raises:
        DiskError: there is no room for them.
        VerificationError: a file in envlock's store is not what its name says.
    """
    with tempfile.TemporaryDirectory(prefix="envlock-hand-") as temporary:
        paths = []
        try:
            for number, file in enumerate(files):
                folder = Path(temporary, str(number))
                folder.mkdir()
                path = folder / file.name
                _put(stored(file.sha256), path, file.sha256)
                paths.append(str(path))
        except OSError as error:
            raise disk_error(error, Path(temporary)) from None
        yield tuple(paths)


def _put(source: Path, path: Path, sha256: str) -> None:
    try:
        os.link(source, path)
    except OSError:  # another disk
        copy_digested(source, path, sha256)
