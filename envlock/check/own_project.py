"""The project itself, where an image has it: ``envlock.export.own_project`` puts it into the
environment as an editable install would, and the lock does not hold it."""

from __future__ import annotations

from dataclasses import replace

from envlock.check.disk import Disk
from envlock.check.python.observe import Observed
from envlock.export.own_project import PLACES
from envlock.lock.model import Lock

PATHS = "project.pth"
"""The file in site-packages by which Python finds it."""

_OWN = tuple(f"file://{place}" for place in PLACES)
_BELOW = tuple(f"{place}/" for place in PLACES)


def as_locked(lock: Lock, observed: Observed) -> Observed:
    """Without the project itself, and its folders as the lock names them."""
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


def only_finds_project(path: str, disk: Disk) -> bool:
    """Whether a ``project.pth`` has the project's folders in it, and nothing that runs."""
    try:
        lines = disk.content(path).decode("utf-8", "replace").splitlines()
    except OSError:
        return False
    return all(f"{line}/".startswith(_BELOW) for line in lines)
