"""Where an image is read from: a layout's folder, a tar of one, ``docker save``'s tar, a registry.

Nothing is unpacked. Every blob is held to its digest: in the store by the registry's client, else
while it is read.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from envlock.errors import MissingError, SourceError, UsageError, VerificationError
from envlock.io.images.reference import DIGEST, parse_reference
from envlock.io.images.registry import (
    MAX_MANIFEST_BYTES,
    OCI_MANIFEST,
    Manifest,
    Registry,
    read_manifest,
)

_MAX_MEMBERS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A blob as it lies there: a file, and from where to where in it."""

    path: Path
    start: int = 0
    size: int


class ImageSource(Protocol):
    """A place that has an image. ``where`` names it in errors."""

    where: str

    def top(self) -> Manifest:
        """The index or manifest that the place stands for."""

    def manifest(self, digest: str) -> Manifest:
        """Another one, by digest."""

    def blob(self, digest: str, size: int) -> Span:
        """Where a blob lies; its bytes are held to the digest by who reads them."""


def open_image(text: str, directory: Path, registry: Registry) -> ImageSource:
    """The image that ``text`` names: a folder, a file, or else a reference.

    Args:
        text: ``DIR`` (OCI image layout), ``TAR`` (of one, or of ``docker save``), or a reference.
        directory: what a relative path starts from.
        registry: is asked for references.

    Raises:
        UsageError: none of these.
        VerificationError: the place does not hold together.
    """
    path = directory / text
    try:
        if path.is_dir():
            return _Layout(path)
        if path.is_file():
            return _archive(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read: {error}", where=text) from None
    if text.startswith((".", "/")) or text.endswith(".tar"):
        raise UsageError("no such file or folder", where=text)
    return _InRegistry(text, registry)


def bytes_of(source: ImageSource, digest: str, size: int) -> bytes:
    """A small blob (a configuration), verified.

    Raises:
        VerificationError: it has other bytes, or is far too large.
    """
    if size > MAX_MANIFEST_BYTES:
        raise damaged(source.where, f"{digest} is too large for what it is: {size} bytes")
    span = source.blob(digest, size)
    with span.path.open("rb") as file:
        file.seek(span.start)
        content = file.read(span.size)
    _hold(content, digest, source.where)
    return content


def damaged(where: str, what: str) -> VerificationError:
    """The error for an image that is not whole, or not honest."""
    return VerificationError(what, where=where, remedy="do not use this image; get or make it anew")


def _hold(content: bytes, digest: str, where: str) -> None:
    found = "sha256:" + hashlib.sha256(content).hexdigest()
    if found != digest:
        raise damaged(where, f"sha256 is {found}, it must be {digest}")


class _Files:
    """What a layout has, as names of files to spans."""

    def __init__(self, where: str) -> None:
        self.where = where

    def find(self, name: str) -> Span | None:
        raise NotImplementedError

    def read(self, name: str) -> bytes:
        span = self.find(name)
        if span is None:
            raise damaged(self.where, f"it has no {name}")
        if span.size > MAX_MANIFEST_BYTES:
            raise damaged(self.where, f"{name} is too large for what it is: {span.size} bytes")
        with span.path.open("rb") as file:
            file.seek(span.start)
            return file.read(span.size)

    def top(self) -> Manifest:
        index = as_object(self.read("index.json"), self.where)
        entries = index.get("manifests")
        if not isinstance(entries, list) or not entries:
            raise damaged(self.where, "its index.json lists no image")
        if len(entries) > 1:
            raise UsageError(
                f"it holds {len(entries)} images",
                where=self.where,
                remedy="give a layout with one of them (skopeo copy oci:DIR:TAG oci:OTHER)",
            )
        return self.manifest(str(entries[0].get("digest") if isinstance(entries[0], dict) else ""))

    def manifest(self, digest: str) -> Manifest:
        content = self.read(_blob_name(digest, self.where))
        _hold(content, digest, self.where)
        return read_manifest(content, where=self.where)

    def blob(self, digest: str, size: int) -> Span:
        span = self.find(_blob_name(digest, self.where))
        if span is None:
            raise MissingError(
                f"it has no blob {digest}", where=self.where, remedy="get or make the image anew"
            )
        if span.size != size:
            raise damaged(self.where, f"{digest} has {span.size} bytes, it must have {size}")
        return span


class _Layout(_Files):
    """A folder. Its files are opened without following links out of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self._folder = folder
        if not (folder / "oci-layout").is_file():
            raise UsageError(
                "no OCI image layout: it has no file oci-layout",
                where=str(folder),
                remedy="give the folder that has one, a .tar, or a reference",
            )

    def find(self, name: str) -> Span | None:
        path = self._folder / name
        if not path.is_file() or path.is_symlink():
            return None
        return Span(path=path, size=path.stat().st_size)


class _Tar(_Files):
    """A tar with a layout in it."""

    def __init__(self, path: Path, members: Mapping[str, Span]) -> None:
        super().__init__(str(path))
        self._members = members

    def find(self, name: str) -> Span | None:
        return self._members.get(name)


class _Saved(_Tar):
    """The tar of ``docker save`` without a layout: layers are named by path, not by digest.

    A manifest is made of what it says; layers are held to the configuration's ``diff_ids`` alone.
    """

    def __init__(self, path: Path, members: Mapping[str, Span]) -> None:
        super().__init__(path, members)
        self._by_digest: dict[str, Span] = {}

    def top(self) -> Manifest:
        listed = parse_json(self.read("manifest.json"), self.where)
        if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], dict):
            raise UsageError("it holds no image, or more than one", where=self.where)
        config = self.read(str(listed[0].get("Config")))
        diff_ids = diff_ids_of(as_object(config, self.where), self.where)
        layers = listed[0].get("Layers")
        if not isinstance(layers, list) or len(layers) != len(diff_ids):
            raise damaged(self.where, "its manifest.json and configuration differ in layers")
        entries = []
        for name, diff_id in zip(layers, diff_ids, strict=True):
            span = self.find(str(name))
            if span is None:
                raise damaged(self.where, f"it has no {str(name)[:200]}")
            self._by_digest[diff_id] = span
            entries.append({"mediaType": "", "digest": diff_id, "size": span.size})
        digest = "sha256:" + hashlib.sha256(config).hexdigest()
        self._by_digest[digest] = self._members[str(listed[0].get("Config"))]
        own = {
            "mediaType": OCI_MANIFEST,
            "config": {"digest": digest, "size": len(config)},
            "layers": entries,
        }
        return read_manifest(json.dumps(own).encode(), where=self.where)

    def blob(self, digest: str, size: int) -> Span:
        return self._by_digest[digest]


class _InRegistry:
    """In a registry; blobs come through the store."""

    def __init__(self, text: str, registry: Registry) -> None:
        self.text = text
        self.reference = parse_reference(text)
        self.where = str(self.reference)
        self._registry = registry

    def top(self) -> Manifest:
        try:
            return self._registry.manifest(self.reference)
        except SourceError as error:
            if "/" in self.text:
                raise
            raise SourceError(
                error.what,
                where=error.where,
                remedy=f"no file or folder here is called {self.text}, so a registry was asked"
                f" for it; {error.remedy or 'name what there is'}",
            ) from None

    def manifest(self, digest: str) -> Manifest:
        return self._registry.manifest(replace(self.reference, tag=None, digest=digest))

    def blob(self, digest: str, size: int) -> Span:
        return Span(path=self._registry.blob(self.reference, digest, size), size=size)


def _archive(path: Path) -> ImageSource:
    """A tar: its members are found once, and read where they lie."""
    members: dict[str, Span] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]
                parts = PurePosixPath(member.name)
                if parts.is_absolute() or ".." in parts.parts:
                    raise damaged(str(path), f"the path {member.name[:200]!r} leads out of it")
                if len(members) >= _MAX_MEMBERS:
                    raise damaged(str(path), f"it has more than {_MAX_MEMBERS} files")
                if member.isreg() and not member.issparse():
                    span = Span(path=path, start=member.offset_data, size=member.size)
                    members[str(parts)] = span
    except (tarfile.TarError, EOFError, ValueError, OverflowError, MemoryError) as error:
        raise UsageError(
            f"not the tar of an image: {error}",
            where=str(path),
            remedy="give one as `skopeo copy … oci-archive:` or `docker save` write it, unpacked of"
            " any compression",
        ) from None
    if "index.json" in members:
        return _Tar(path, members)
    if "manifest.json" in members:
        return _Saved(path, members)
    raise UsageError("not the tar of an image: no index.json or manifest.json", where=str(path))


def _blob_name(digest: str, where: str) -> str:
    if not DIGEST.fullmatch(digest):
        raise damaged(where, f"{digest[:80]!r} is no sha256 digest")
    return "blobs/sha256/" + digest.partition(":")[2]


def parse_json(content: bytes, where: str) -> Any:
    """What a JSON text holds.

    Raises:
        VerificationError: it is none.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise damaged(where, "a part of it is not JSON") from None


def as_object(content: bytes, where: str) -> dict[str, Any]:
    """``parse_json``, which has to give an object."""
    found = parse_json(content, where)
    if not isinstance(found, dict):
        raise damaged(where, "a part of it is no JSON object")
    return found


def diff_ids_of(config: Mapping[str, Any], where: str) -> list[str]:
    """The digests of an image's unpacked layers, from its configuration.

    Raises:
        VerificationError: they are not there.
    """
    rootfs = config.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(found, list) or not all(
        isinstance(one, str) and DIGEST.fullmatch(one) for one in found
    ):
        raise damaged(where, "its configuration has no diff_ids")
    return found
