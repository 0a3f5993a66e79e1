"""An image as a folder (OCI image layout) or as one file (a tar archive of that: oci-archive).

``index.json`` comes last, so that what was cut off names no image. An archive takes its name only
when it is whole.
"""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.files import make_folder, replacing, write_atomic
from envlock.io.store import copy_stored, stored
from envlock.realise.image.layer import EARLIEST
from envlock.realise.image.oci import Document, Image, descriptor, encode

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_NAME = "org.opencontainers.image.ref.name"
TAG = "latest"
"""The image's name in a layout, for tools that want one."""


class Layout:
    """An image's blobs: ``top`` is the manifest, or the index of several platforms."""

    def __init__(self, images: tuple[Image, ...], top: Document) -> None:
        self.top = top
        self._manifests = [image.manifest for image in images if image.manifest is not top]
        documents = [top, *self._manifests, *(image.config for image in images)]
        self._documents = {document.digest: document.content for document in documents}
        self._layers = {layer.digest: layer.size for image in images for layer in image.layers}

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(map(len, self._documents.values())) + sum(self._layers.values())

    def _index(self, tag: str = TAG) -> bytes:
        entry: Mapping[str, object] = {**descriptor(self.top), "annotations": {_NAME: tag}}
        return encode({"manifests": [entry], "schemaVersion": 2})

    def write_folder(self, folder: Path) -> None:
        """Make the folder hold this image and no other; blobs that are there stay.

        Raises:
            UsageError: something else is there.
            SourceError: the disk cannot take it.
        """
        _check_folder(folder)
        blobs = folder / "blobs" / "sha256"
        make_folder(blobs)
        for digest in self._layers:
            copy_stored(digest, blobs / digest)
        for digest, content in self._documents.items():
            _write(blobs / digest, content)
        _write(folder / "oci-layout", _LAYOUT)
        _write(folder / "index.json", self._index())
        self._sweep(blobs)

    def _sweep(self, blobs: Path) -> None:
        """Blobs of an image that was here before, and what a killed run left."""
        with contextlib.suppress(OSError):
            for path in blobs.iterdir():
                if path.name not in self._documents and path.name not in self._layers:
                    path.unlink()

    def write_archive(self, path: Path, *, tag: str = TAG) -> None:
        """Replace the file by the image's archive, whole or not at all; ``tag`` names the image.

        Raises:
            UsageError: it is a folder.
            SourceError: the disk cannot take it.
        """
        if path.is_dir():
            raise UsageError("it is a folder", where=str(path), remedy="name a file, or no .tar")
        with (
            replacing(path) as file,
            tarfile.TarFile(
                fileobj=file, mode="w", format=tarfile.PAX_FORMAT, copybufsize=1 << 20
            ) as archive,
        ):
            self._add_all(archive, tag)

    def _add_all(self, archive: tarfile.TarFile, tag: str) -> None:
        for folder in ("blobs", "blobs/sha256"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, EARLIEST
            archive.addfile(info)
        for digest in sorted({*self._documents, *self._layers}):
            info = tarfile.TarInfo(f"blobs/sha256/{digest}")
            info.mtime = EARLIEST
            if digest in self._documents:
                info.size = len(self._documents[digest])
                archive.addfile(info, io.BytesIO(self._documents[digest]))
            else:
                info.size = self._layers[digest]
                with stored(digest).open("rb") as content:
                    archive.addfile(info, content)
        for name, data in (("index.json", self._index(tag)), ("oci-layout", _LAYOUT)):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), EARLIEST
            archive.addfile(info, io.BytesIO(data))

    def blobs(self) -> Iterator[tuple[str, bytes | Path]]:
        """Layers and configurations, by digest: their file or bytes."""
        for digest in self._layers:
            yield digest, stored(digest)
        listed = {document.digest for document in self.manifests()}
        for digest, content in self._documents.items():
            if digest not in listed:
                yield digest, content

    def manifests(self) -> Iterator[Document]:
        """The manifests of several platforms, then ``top``."""
        yield from self._manifests
        yield self.top


def _write(path: Path, content: bytes) -> None:
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            return
    write_atomic(path, content)


def _check_folder(folder: Path) -> None:
    """It must be missing, empty, or hold an image that envlock (or a run that was cut off) put."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError("it is a file", where=str(folder), remedy="end its name in .tar")
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if not names <= {"blobs", "oci-layout", "index.json"}:
        raise UsageError(
            "there are other files in the folder",
            where=str(folder),
            remedy="name an empty folder, or one that `envlock build image` made",
        )
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        index = json.loads((folder / "index.json").read_bytes())
        known = [m["annotations"] == {_NAME: TAG} for m in index["manifests"]]
        if known == [True]:
            return
    if (folder / "index.json").exists():
        raise UsageError(
            "the folder holds other images",
            where=str(folder),
            remedy="name an empty folder, or one that `envlock build image` made",
        )
