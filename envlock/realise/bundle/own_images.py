"""The images of a bundle's locks, as its registry gives them: made when they are asked for.

They are those of ``envlock rebuild --backend image``, of the bundle's files alone. Each is called
by its environment hash, whole and short; the only one is ``latest``, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from envlock.errors import EnvlockError, SourceError
from envlock.io.progress import SilentReporter
from envlock.lock.artifacts import UsedFiles
from envlock.lock.hashing import shorten
from envlock.lock.model import Lock
from envlock.realise.bundle.source import Source
from envlock.realise.image.layout import Layout
from envlock.realise.image.oci import Document
from envlock.realise.image.whole import image_of, parts_of

REPOSITORY = "envlock"
"""What they are called in the registry."""


@dataclass(slots=True)
class _Made:
    """What there is of a lock's image: manifests and blobs by digest (``sha256:…``)."""

    top: Document
    manifests: dict[str, Document] = field(default_factory=dict)
    blobs: dict[str, bytes | Path] = field(default_factory=dict)


class OwnImages:
    """The images of locks.

    Args:
        locks: environment hash → lock.
        source: the bundle that has their files.
        told: called with what is done for a request, which may take long.
    """

    def __init__(
        self, locks: Mapping[str, Lock], source: Source, told: Callable[[str], None]
    ) -> None:
        self._source, self._told = source, told
        self._guard = threading.Lock()
        self._made: dict[str, _Made] = {}
        self.refused: dict[str, str] = {}
        """Environment hash → why its lock cannot become an image."""
        self._locks: dict[str, Lock] = {}
        for root, lock in locks.items():
            try:
                parts_of(lock)
            except EnvlockError as error:
                self.refused[root] = error.what
            else:
                self._locks[root] = lock

    @property
    def roots(self) -> tuple[str, ...]:
        """Environment hashes of the locks that can become images."""
        return tuple(self._locks)

    def tags(self) -> dict[str, str]:
        """Tag → environment hash."""
        found: dict[str, str] = {}
        for root in self._locks:
            found |= {root: root, shorten(root): root}
        if len(self._locks) == 1:
            found["latest"] = next(iter(self._locks))
        return found

    def manifest(self, target: str) -> Document | None:
        """What a tag or a digest names.

        Raises:
            EnvlockError: it cannot be made.
        """
        root = self.tags().get(target)
        if root is not None:
            return self._image(root).top
        return next((i.manifests[target] for i in self._images() if target in i.manifests), None)

    def blob(self, digest: str) -> bytes | Path | None:
        """A configuration, or the file of a layer.

        Raises:
            EnvlockError: its image cannot be made.
        """
        return next((i.blobs[digest] for i in self._images() if digest in i.blobs), None)

    def _images(self) -> Iterator[_Made]:
        """Those that are made, then the others: a client may go on where another server was."""
        made = tuple(self._made)
        for root in (*made, *(root for root in self._locks if root not in made)):
            yield self._image(root)

    def _image(self, root: str) -> _Made:
        with self._guard:
            if root not in self._made:
                self._told(f"making the image of {shorten(root)}")
                lock = self._locks[root]
                layout = image_of(lock, parts_of(lock), self._bring, SilentReporter())
                self._made[root] = _sorted(layout)
                self._told(f"it is sha256:{layout.top.digest}")
            return self._made[root]

    def _bring(self, files: UsedFiles) -> None:
        """The files of the bundle, into the store.

        Raises:
            SourceError: one is not in the bundle.
        """
        named = {build.sha256: str(build) for build in files.interpreters}
        named |= {one.file.sha256: one.file.name for one in files.python}
        named |= {deb.sha256: deb.file_name for deb in files.os}
        for sha256, name in named.items():
            if not self._source.bring(sha256):
                raise SourceError(
                    f"{name} is not in the bundle, and its image needs it",
                    remedy="make a bundle of the whole lock: envlock bundle",
                )


def _sorted(layout: Layout) -> _Made:
    documents = {f"sha256:{document.digest}": document for document in layout.manifests()}
    blobs = {f"sha256:{digest}": content for digest, content in layout.blobs()}
    return _Made(top=layout.top, manifests=documents, blobs=blobs)
