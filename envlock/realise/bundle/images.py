"""Base images in a bundle: manifests, configurations and layers as files by digest, and a registry
of them that can be read (OCI distribution specification 1.1: pull).

An index names images of many platforms; those of the lock's targets are there.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from envlock.errors import EnvlockError, SourceError, VerificationError
from envlock.io.images.reference import Reference, parse_reference
from envlock.io.images.registry import Manifest, Registry, read_manifest
from envlock.io.store import has_stored, store_content, stored
from envlock.lock.hashing import environment_hash
from envlock.lock.image import BaseImage
from envlock.lock.model import Lock
from envlock.realise.bundle.layout import INDEX, file_path
from envlock.realise.bundle.opened import Opened, read_file, read_text

_THREADS = 4
DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_PACKED = {"gzip": ".gz", "zstd": ".zst"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """One file of an image, which is in the store, and the name that it gets in a bundle."""

    sha256: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blob:
    """What a manifest points to."""

    digest: str
    size: int
    name: str

    @property
    def sha256(self) -> str:
        return self.digest.removeprefix("sha256:")


def fetch_image(image: BaseImage, registry: Registry) -> tuple[ImageFile, ...]:
    """Everything of an image for the lock's platforms, into the store; what is there stays.

    Raises:
        SourceError: the registry does not give it.
        VerificationError: it is not what its digest says.
    """
    reference = parse_reference(image.pinned)
    try:
        found = tuple(_manifests(image, reference, registry))
        blobs = {blob.digest: blob for manifest in found for blob in _blobs(manifest)}
        with ThreadPoolExecutor(_THREADS) as pool:
            fetched = [
                pool.submit(registry.blob, reference, blob.digest, blob.size)
                for blob in blobs.values()
            ]
            for one in fetched:
                one.result()
    except SourceError as error:
        raise SourceError(
            error.what,
            where=error.where,
            remedy=f"{error.remedy}, or do without: --without images",
        ) from None
    files = [ImageFile(sha256=_sha256(m.digest), name=_manifest_name(m)) for m in found]
    return (*files, *(ImageFile(sha256=b.sha256, name=b.name) for b in blobs.values()))


def _manifests(image: BaseImage, reference: Reference, registry: Registry) -> Iterator[Manifest]:
    wanted = [image.digest, *(platform.digest for platform in image.platforms)]
    for digest in dict.fromkeys(wanted):
        sha256 = _sha256(digest)
        if has_stored(sha256):
            yield read_manifest(stored(sha256).read_bytes(), where=str(reference))
            continue
        asked = Reference(
            registry=reference.registry, repository=reference.repository, digest=digest
        )
        manifest = registry.manifest(asked)
        store_content(io.BytesIO(manifest.content), sha256, str(asked))
        yield manifest


def _sha256(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _manifest_name(manifest: Manifest) -> str:
    return "index.json" if manifest.is_index else "manifest.json"


def _blobs(manifest: Manifest) -> Iterator[_Blob]:
    """Configuration and layers of an image; an index has none.

    Raises:
        VerificationError: it does not say what they are.
    """
    if manifest.is_index:
        return
    try:
        config, layers = manifest.document["config"], manifest.document["layers"]
        named = [(config, "config.json"), *((one, _layer_name(one)) for one in layers)]
        for table, name in named:
            if not DIGEST.fullmatch(table["digest"]):
                raise ValueError("no digest")
            yield _Blob(digest=table["digest"], size=int(table["size"]), name=name)
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationError(
            f"the manifest cannot be read: {error}",
            where=manifest.digest,
            remedy="do not use this image; ask who runs the registry",
        ) from None


def _layer_name(table: Mapping[str, object]) -> str:
    return "layer.tar" + _PACKED.get(str(table.get("mediaType", "")).rpartition("+")[2], ".gz")


def image_line(root: str, image: BaseImage) -> str:
    """The line of ``bundle.txt`` about a lock's base image: its name, and where its top is."""
    path = file_path(_sha256(image.digest), "index.json" if _has_index(image) else "manifest.json")
    return f"image {root} {image.reference} {image.digest} {path}"


def _has_index(image: BaseImage) -> bool:
    return all(platform.digest != image.digest for platform in image.platforms)


class Images:
    """The images of a bundle, as a registry answers.

    Args:
        bundle: its files.
        locks: those in it.
        files: digest → path of every artifact.
    """

    def __init__(self, bundle: Opened, locks: Iterable[Lock], files: Mapping[str, str]) -> None:
        lines = {tuple(line.split(" ")[:4]) for line in read_text(bundle, INDEX).splitlines()}
        self._bundle, self._files = bundle, files
        self.images = tuple(
            dict.fromkeys(
                lock.image
                for lock in locks
                if lock.image is not None
                and ("image", environment_hash(lock).root, lock.image.reference, lock.image.digest)
                in lines
            )
        )

    def manifest(self, digest: str) -> Manifest | None:
        """A manifest or index of these images, by digest."""
        known = {d for i in self.images for d in (i.digest, *(p.digest for p in i.platforms))}
        path = self._files.get(_sha256(digest))
        if digest not in known or path is None:
            return None
        return read_manifest(read_file(self._bundle, path), where=path)

    def names(self) -> dict[str, dict[str, str]]:
        """Repository → tag → digest. Each has its name with the registry's and without."""
        found: dict[str, dict[str, str]] = {}
        for image in self.images:
            reference = parse_reference(image.reference)
            for name in (reference.repository, reference.name):
                tags = found.setdefault(name, {})
                if reference.tag is not None:
                    tags.setdefault(reference.tag, image.digest)
        return found

    def find(self, repository: str, target: str) -> Manifest | None:
        """The manifest that a tag or a digest names."""
        tags = self.names().get(repository)
        if tags is None:
            return None
        return self.manifest(tags.get(target, target))

    def blob(self, repository: str, digest: str) -> str | None:
        """The path of a configuration or layer."""
        if repository not in self.names() or not DIGEST.fullmatch(digest):
            return None
        return self._files.get(_sha256(digest))

    def problems(self) -> Iterator[str]:
        """What these images need and the bundle has not."""
        for image in self.images:
            for digest in dict.fromkeys((image.digest, *(p.digest for p in image.platforms))):
                try:
                    manifest = self.manifest(digest)
                    blobs = [] if manifest is None else list(_blobs(manifest))
                except EnvlockError as error:
                    yield f"{digest} of {image.reference}: {error.what}"
                    continue
                if manifest is None:
                    yield f"missing: {digest} of {image.reference}"
                for blob in blobs:
                    if blob.sha256 not in self._files:
                        yield f"missing: {blob.digest} ({blob.name}) of {image.reference}"
