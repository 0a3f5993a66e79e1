"""An image against the lock: pure comparison."""

from __future__ import annotations

from envlock.check.compare import compare
from envlock.check.drift import Code, Drift, drift
from envlock.check.image_observe import ObservedImage
from envlock.check.os_compare import compare_os
from envlock.export.labels import ENVIRONMENT
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.target import Target

_BASE = "org.opencontainers.image.base.digest"


def compare_image(lock: Lock, target: Target, image: ObservedImage) -> tuple[Drift, ...]:
    """Where an image differs from the lock: what it says of itself, OS packages, Python packages.

    What it does not say is no difference. OS packages beyond the lock are none either: they may be
    the base image's.
    """
    found = []
    own = environment_hash(lock).root
    said = image.said.get(ENVIRONMENT)
    if said is not None and said != own:
        found.append(drift(Code.IMAGE_OTHER_LOCK, "environment hash", expected=own, found=said))
    if lock.image is not None:
        base = image.said.get(_BASE)
        digests = {lock.image.digest}
        digests |= {p.digest for p in lock.image.platforms if p.platform == image.platform}
        if base is not None and base not in digests:
            expected = lock.image.digest
            subject = lock.image.reference
            found.append(drift(Code.IMAGE_OTHER_BASE, subject, expected=expected, found=base))
    if lock.os is not None:
        found += compare_os(lock.os, image.platform.partition("/")[2], image.os)
    found += compare(lock, target, image.python)
    return tuple(sorted(found, key=lambda d: d.sort_key))
