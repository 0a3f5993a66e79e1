"""An image against the lock: pure comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from envlock.check.compare_environment import compare_observed
from envlock.check.drift import Code, Drift, drift
from envlock.check.image_content import python_content, system_content
from envlock.check.image_observe import ObservedImage
from envlock.check.observe import Observed
from envlock.check.os_compare import compare_os
from envlock.check.os_content import System
from envlock.export.labels import ENVIRONMENT
from envlock.export.own_project import PLACES
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer
from envlock.lock.target import Target

_OWN = tuple(f"file://{place}" for place in PLACES)
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
    strays = (f for f in content.findings if not _finds_project(f.drift, image))
    content = replace(content, findings=tuple(strays))
    found += compare_observed(lock, target, _as_locked(lock, image.python), content)
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


def _finds_project(found: Drift, image: ObservedImage) -> bool:
    """Whether it is the file by which an image finds the project: paths and nothing else."""
    if found.code is not Code.STARTUP_HOOK or found.subject != "project.pth":
        return False
    kept = (c for path, c in image.files.content().items() if path.endswith("/project.pth"))
    lines = b"\n".join(kept).decode("utf-8", "replace").splitlines()
    return all(f"{line}/".startswith(tuple(f"{place}/" for place in PLACES)) for line in lines)


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
