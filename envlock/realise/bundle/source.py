"""A bundle as a place to take files from: by digest, straight from where it lies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from envlock.errors import DiskError, VerificationError
from envlock.io.store import store_content
from envlock.realise.bundle.layout import INDEX, MANIFEST, artifacts
from envlock.realise.bundle.opened import (
    Opened,
    named,
    open_bundle,
    read_manifest,
    read_text,
    refused,
)
from envlock.realise.bundle.verify import out_of_place


class Source:
    """The files of a bundle whose manifest lists what is there, and nothing else.

    What they hold is verified when they are taken.
    """

    def __init__(self, bundle: Opened) -> None:
        listed = read_manifest(bundle)
        problems = sorted(out_of_place(bundle, listed))
        if problems:
            raise named(problems, bundle.place)
        self._bundle, self._listed = bundle, listed
        self._paths = artifacts(listed)

    def bring(self, sha256: str) -> bool:
        """Copy a file into the store; False: it is not in the bundle.

        Raises:
            DiskError: the disk cannot take it.
            VerificationError: it has other bytes.
        """
        path = self._paths.get(sha256)
        if path is None:
            return False
        try:
            with self._bundle.open(path) as content:
                store_content(content, sha256, self.shown(sha256))
        except VerificationError:
            raise refused(f"changed: {path}", self._bundle.place) from None
        except OSError as error:
            raise DiskError(f"cannot read: {error.strerror}", where=self.shown(sha256)) from None
        return True

    def locks(self) -> Iterator[tuple[str, str]]:
        """The lockfiles, by their paths in the bundle, as text.

        Raises:
            VerificationError: one is not what the manifest says.
        """
        for path, sha256 in self._listed.items():
            if path.startswith("locks/") and path.endswith(".toml"):
                text = read_text(self._bundle, path)
                if hashlib.sha256(text.encode()).hexdigest() != sha256:
                    raise refused(f"changed: {path}", self._bundle.place)
                yield path, text

    def shown(self, sha256: str) -> str:
        """Where a file is, for people."""
        return f"{self._bundle.place}/{self._paths[sha256]}"


def open_whole(place: Path) -> Source | None:
    """The bundle in a folder or an archive; None: a folder that is none.

    Raises:
        SourceError: it cannot be read.
        VerificationError: it is not what it must be: the file is named.
    """
    if place.is_dir() and not all((place / name).is_file() for name in (MANIFEST, INDEX)):
        return None
    return Source(open_bundle(place))
