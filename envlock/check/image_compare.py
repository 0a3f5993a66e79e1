"""An image against the lock: pure comparison."""

from __future__ import annotations

from dataclasses import replace

from envlock.check.compare import compare
from envlock.check.drift import Code, Drift, drift
from envlock.check.image_observe import ObservedImage
from envlock.check.observe import Observed
from envlock.check.os_compare import compare_os
from envlock.export.labels import ENVIRONMENT
from envlock.export.own_project import PLACES
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.target import Target

_OWN = tuple(f"file://{place}" for place in PLACES)
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
    found += compare(lock, target, _as_locked(lock, image.python))
    return tuple(sorted(found, key=lambda d: d.sort_key))


def _as_locked(lock: Lock, observed: Observed) -> Observed:
    """Without the project itself, and its folders as the lock names them.

    An image has the project as an editable install would (``own_project``), whatever the lock says
    of its folders.
    """
    folders = {p.name: p.directory for p in lock.packages if p.directory is not None}
    kept = []
    for found in observed.distributions:
        url = found.direct_url
        if url is not None and url.kind == "directory":
            if url.url in _OWN:
                continue
            directory = folders.get(found.name)
            if directory is not None and url.url.startswith(tuple(f"{own}/" for own in _OWN)):
                url = replace(url, editable=directory.editable)
        kept.append(replace(found, direct_url=url))
    return replace(observed, distributions=tuple(kept))
