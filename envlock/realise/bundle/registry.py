"""What the registry in a bundle answers (OCI distribution specification 1.1: pull)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from envlock.realise.bundle.images import DIGEST, Images
from envlock.realise.bundle.own_images import REPOSITORY, OwnImages

_BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a registry answers: ``content``, the bundle's file at ``path``, or the file ``file``."""

    kind: str = "application/json"
    content: bytes | None = None
    path: str | None = None
    file: Path | None = None
    digest: str | None = None


def pull(images: Images, own: OwnImages, parts: list[str]) -> Pulled | None:
    """The answer to a request below ``/v2/``; None: there is no such thing.

    Args:
        images: base images, which are in the bundle.
        own: images that are made of the bundle's locks.
        parts: of the path.

    Raises:
        EnvlockError: an image cannot be made.
    """
    match parts:
        case []:
            return Pulled(content=b"{}")
        case ["_catalog"]:
            made = {REPOSITORY} if own.roots else set()
            return Pulled(content=_json({"repositories": sorted({*images.names(), *made})}))
        case [name, *rest] if name == REPOSITORY and own.roots:
            return _pulled_own(own, rest)
        case [*name, "tags", "list"] if "/".join(name) in images.names():
            repository = "/".join(name)
            tags = sorted(images.names()[repository])
            return Pulled(content=_json({"name": repository, "tags": tags}))
        case [*name, "manifests", target]:
            found = images.find("/".join(name), target)
            if found is not None:
                return Pulled(kind=found.media_type, content=found.content, digest=found.digest)
        case [*name, "blobs", digest]:
            path = images.blob("/".join(name), digest)
            if path is not None:
                return Pulled(kind=_BYTES, path=path, digest=digest)
    return None


def _pulled_own(own: OwnImages, parts: list[str]) -> Pulled | None:
    match parts:
        case ["tags", "list"]:
            return Pulled(content=_json({"name": REPOSITORY, "tags": sorted(own.tags())}))
        case ["manifests", target]:
            found = own.manifest(target)
            if found is not None:
                digest = f"sha256:{found.digest}"
                return Pulled(kind=found.media_type, content=found.content, digest=digest)
        case ["blobs", digest] if DIGEST.fullmatch(digest):
            blob = own.blob(digest)
            if isinstance(blob, bytes):
                return Pulled(kind=_BYTES, content=blob, digest=digest)
            if blob is not None:
                return Pulled(kind=_BYTES, file=blob, digest=digest)
    return None


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
