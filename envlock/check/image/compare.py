"""An image against the lock: pure comparison."""

from __future__ import annotations

from pathlib import Path

from envlock.check.drift import Code, Drift, drift
from envlock.check.image.content import python_content, system_content
from envlock.check.image.observe import ObservedImage
from envlock.check.os.compare import compare_os
from envlock.check.os.content import System
from envlock.check.python.compare import compare_observed
from envlock.export.labels import ENVIRONMENT
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer
from envlock.lock.target import Target

_BASE = "org.opencontainers.image.base.digest"


def compare_image(lock: Lock, target: Target, image: ObservedImage) -> tuple[Drift, ...]:
    """Where an image differs from the lock: what it says of itself, packages, and all their files.

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
        found += _system(lock.os, image)
    content = python_content(image.files, image.python)
    found += compare_observed(lock, target, image.python, content)
    return tuple(sorted(found, key=lambda d: d.sort_key))


def _system(layer: OsLayer, image: ObservedImage) -> tuple[Drift, ...]:
    architecture = image.platform.partition("/")[2]
    found = compare_os(layer, architecture, image.os)
    off = {d.subject for d in found if d.code is not Code.OS_HELD}
    asked = System(
        root=Path("/"),
        layer=layer,
        architecture=architecture,
        packages=tuple(
            p for p in layer.packages if p.architecture == architecture and p.name not in off
        ),
        installed=image.os,
    )
    return found + system_content(image.files, asked)
