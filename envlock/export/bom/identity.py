"""What names a document: derived from the lock, so that the same lock gives the same bytes."""

from __future__ import annotations

import uuid

from envlock.export.bom.parts import Inventory

MADE_BY = "Made by envlock from a lock; make it again with `envlock export`."
"""By this envlock knows files that it may replace."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/envlock/envlock")


def document_id(kind: str, content: Inventory) -> uuid.UUID:
    """The document's UUID (RFC 9562, version 5): of its kind, environment, lockfile and scope."""
    name = f"{kind} {content.environment_hash} {content.lock_sha256} {content.scope}"
    return uuid.uuid5(_NAMESPACE, name)
