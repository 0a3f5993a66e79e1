"""The JSON documents of an image (OCI image specification 1.1), as bytes that never vary.

Keys are sorted and nothing is indented: a document's digest is its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from envlock.realise.image.layer import Layer

CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A blob that is kept in memory: its media type and bytes."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """64 hex digits."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One platform's image: its layers are in the store."""

    platform: str
    layers: tuple[Layer, ...]
    config: Document
    manifest: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What a container of the image starts with: see the specification's ``config``."""

    user: str
    env: tuple[str, ...]
    command: tuple[str, ...]
    directory: str


def make_image(
    platform: str,
    layers: Sequence[Layer],
    runtime: Runtime,
    *,
    created: str,
    annotations: Mapping[str, str],
) -> Image:
    """The image of a platform (``linux/amd64``).

    Args:
        platform: operating system and architecture, as OCI calls them, too.
        layers: lowest first.
        runtime: user, environment, command and folder.
        created: RFC 3339, UTC: the lock's date.
        annotations: of the manifest, and labels of the configuration.
    """
    system, _, architecture = platform.partition("/")
    settings: dict[str, object] = {"Labels": dict(annotations), "User": runtime.user}
    if runtime.env:
        settings["Env"] = list(runtime.env)
    if runtime.command:
        settings["Cmd"] = list(runtime.command)
    if runtime.directory:
        settings["WorkingDir"] = runtime.directory
    config = _document(
        CONFIG,
        {
            "architecture": architecture,
            "config": settings,
            "created": created,
            "history": [
                {"created": created, "created_by": f"envlock: {layer.title}"} for layer in layers
            ],
            "os": system,
            "rootfs": {
                "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers],
                "type": "layers",
            },
        },
    )
    manifest = _document(
        MANIFEST,
        {
            "annotations": dict(annotations),
            "config": descriptor(config),
            "layers": [
                {
                    "digest": f"sha256:{layer.digest}",
                    "mediaType": layer.media_type,
                    "size": layer.size,
                }
                for layer in layers
            ],
            "mediaType": MANIFEST,
            "schemaVersion": 2,
        },
    )
    return Image(platform=platform, layers=tuple(layers), config=config, manifest=manifest)


def make_index(images: Sequence[Image], annotations: Mapping[str, str]) -> Document:
    """The index of several platforms' images, sorted by platform."""
    entries = []
    for image in sorted(images, key=lambda i: i.platform):
        system, _, architecture = image.platform.partition("/")
        platform = {"architecture": architecture, "os": system}
        entries.append({**descriptor(image.manifest), "platform": platform})
    return _document(
        INDEX,
        {
            "annotations": dict(annotations),
            "manifests": entries,
            "mediaType": INDEX,
            "schemaVersion": 2,
        },
    )


def descriptor(document: Document) -> dict[str, object]:
    """How other documents refer to it."""
    return {
        "digest": f"sha256:{document.digest}",
        "mediaType": document.media_type,
        "size": len(document.content),
    }


def _document(media_type: str, value: Mapping[str, object]) -> Document:
    return Document(media_type=media_type, content=encode(value))


def encode(value: object) -> bytes:
    """JSON with sorted keys and no spaces."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
