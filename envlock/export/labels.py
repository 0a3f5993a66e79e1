"""What images of a lock say of themselves: OCI annotations, and the environment's name."""

from __future__ import annotations

from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock

ENVIRONMENT = "org.envlock.environment"
"""The label that holds the environment hash (``env1-…``)."""


def labels(lock: Lock, *, with_base: bool = True) -> dict[str, str]:
    """Labels by key, sorted: the image specification's predefined ones, and ``ENVIRONMENT``.

    ``with_base`` is for images that are made on the base image of the lock, if it has one.
    """
    found = {
        "org.opencontainers.image.created": f"{lock.as_of:%Y-%m-%dT%H:%M:%SZ}",
        ENVIRONMENT: environment_hash(lock).root,
    }
    if lock.image is not None and with_base:
        found["org.opencontainers.image.base.name"] = lock.image.reference
        found["org.opencontainers.image.base.digest"] = lock.image.digest
    return dict(sorted(found.items()))
