"""The cache of layers: what a layer was made from → the layer, and what was learnt in making it.

The layer's file is in the content-addressed store; one that is gone or damaged there is made again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from envlock.io.cache import DiskCache
from envlock.io.store import has_stored
from envlock.realise.image.layer import Layer, compression_identity
from envlock.realise.image.oci import encode

_KIND = "layers-3"
"""Another number when the same content becomes other bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What decides a layer's bytes: ``kind`` and ``content`` (as JSON has it), and compression."""

    kind: str
    content: Mapping[str, object]
    compression: str

    def text(self, part: str) -> str:
        """The cache's name of one ``part`` of what is kept."""
        value = {
            "compression": compression_identity(self.compression) if part == "layer" else "",
            "content": self.content,
            "kind": self.kind,
            "part": part,
        }
        return encode(value).decode()


def kept_layer(key: Key) -> Layer | None:
    """The layer, where it was made before and its file is there."""
    found = DiskCache(_KIND).get(key.text("layer"))
    if found is None:
        return None
    layer = Layer(**json.loads(found))
    return layer if has_stored(layer.digest, layer.size) else None


def keep_layer(key: Key, layer: Layer) -> None:
    """Remember a layer that the store has."""
    DiskCache(_KIND).put(key.text("layer"), encode(asdict(layer)))


def kept_state(key: Key) -> dict[str, Any] | None:
    """What was learnt in making a layer, whatever its compression."""
    found = DiskCache(_KIND).get(key.text("state"))
    return None if found is None else json.loads(found)


def keep_state(key: Key, state: Mapping[str, object]) -> None:
    """Remember it."""
    DiskCache(_KIND).put(key.text("state"), encode(state))
