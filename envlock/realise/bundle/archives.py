"""The signed Releases and indexes of a bundle, for this machine to know what a lock was made from.

Nothing of it is trusted: a Release is kept by the digest that the lock names it by, and its
signature is verified whenever it is used; an index is held to the Release.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from envlock.io.store import has_stored
from envlock.lock.model import Lock
from envlock.realise.bundle.opened import Opened, open_bundle, read_file
from envlock.realise.bundle.snapshots import State, states
from envlock.realise.bundle.source import open_whole
from envlock.resolve.os.archive.locked import signed_text
from envlock.resolve.os.archive.mirrors import Mirrors
from envlock.resolve.os.archive.signed import Signed, remember_release


def learn_archives(place: Path, lock: Lock, mirrors: Mirrors) -> None:
    """Take what a bundle has of a lock's archives; nothing, where it is no bundle or has none.

    Args:
        place: the folder or the archive.
        lock: whose archives they are.
        mirrors: where else their files can be had.

    Raises:
        SourceError: the disk cannot take it.
        VerificationError: the bundle is not what it must be.
    """
    source = open_whole(place)
    if source is None:
        return
    bundle = open_bundle(place)
    for state in states(bundle, [lock]):
        signed = _signed(bundle, state, mirrors)
        if signed is None:
            continue
        remember_release(state.release_sha256, signed)
        for sha256 in (path.split("/")[1] for path in state.files.values()):
            if not has_stored(sha256):
                source.bring(sha256)


def _signed(bundle: Opened, state: State, mirrors: Mirrors) -> Signed | None:
    """The Release with its signature; None: it is not the locked one, or has no place in an archive
    that its other files could be asked for at."""
    start = f"dists/{state.suite}/"
    files = {place.removeprefix(start): path for place, path in state.files.items()}
    name = "InRelease" if "InRelease" in files else "Release"
    roots = mirrors.roots(state.archive, state.moment)
    if name not in files or not roots:
        return None
    content = read_file(bundle, files[name])
    if hashlib.sha256(signed_text(content)).hexdigest() != state.release_sha256:
        return None
    beside = files.get("Release.gpg") if name == "Release" else None
    folder = f"{roots[-1]}/dists/{state.suite}"
    return Signed(
        content=content,
        signature=None if beside is None else read_file(bundle, beside),
        url=f"{folder}/{name}",
        folder=folder,
        timestamp=state.moment,
    )
