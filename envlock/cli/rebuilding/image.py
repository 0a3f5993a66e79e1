"""`envlock rebuild --backend image`: the environment as an image."""

from __future__ import annotations

from typing import Any

from envlock.cli.rebuilding.files import refuse_missing
from envlock.cli.rebuilding.order import Order
from envlock.cli.rebuilding.python import with_mirrors
from envlock.io.progress import Reporter
from envlock.lock.artifacts import UsedFiles
from envlock.lock.hashing import environment_hash
from envlock.realise.rebuild.gather import Gathered, gather


def rebuild_image(order: Order, reporter: Reporter) -> dict[str, Any]:
    """Build the environment's image, without the project, into a folder or .tar; what came of it.

    Raises:
        SourceError: files are missing; names them with what was tried.
        UsageError: the lock cannot become an image.
    """
    from envlock.realise.image.whole import image_of, parts_of

    lock = order.subject.lock
    parts = parts_of(lock, () if order.target is None else (order.target,))
    came: dict[str, Gathered] = {}

    def fetch(absent: UsedFiles) -> None:
        places = with_mirrors(lock, order.subject.root, order.places) if absent.os else order.places
        found = gather(lock, absent, order.subject.root, places, reporter)
        came.update(found)
        refuse_missing(absent, found)

    layout = image_of(lock, parts, fetch, reporter)
    reporter.step("writing")
    if order.folder.suffix == ".tar":
        layout.write_archive(order.folder)
    else:
        layout.write_folder(order.folder)
    return {
        "backend": "image",
        "digest": f"sha256:{layout.top.digest}",
        "environment-hash": environment_hash(lock).root,
        "output": str(order.folder),
        "fetched": {sha256: one.origin for sha256, one in sorted(came.items())},
    }
