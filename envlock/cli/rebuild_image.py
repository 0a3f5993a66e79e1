"""`envlock rebuild --backend image`: the environment as an image."""

from __future__ import annotations

from typing import Any

from envlock.cli.rebuild_files import refuse_missing
from envlock.cli.rebuild_python import with_mirrors
from envlock.cli.rebuild_work import Order
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
    from envlock.export.labels import labels
    from envlock.realise.image.build import Wishes, build
    from envlock.realise.image.layout import Layout
    from envlock.realise.image.oci import make_index
    from envlock.realise.image.parts import choose_parts, choose_targets

    lock = order.subject.lock
    chosen = choose_targets(lock, () if order.target is None else (order.target,))
    annotations = labels(lock, with_base=False)
    came: dict[str, Gathered] = {}

    def fetch(absent: UsedFiles) -> None:
        places = with_mirrors(lock, order.subject.root, order.places) if absent.os else order.places
        found = gather(lock, absent, order.subject.root, places, reporter)
        came.update(found)
        refuse_missing(absent, found)

    built = [
        build(
            choose_parts(lock, target, only_os=False),
            Wishes(compression="none", user="app"),
            as_of=lock.as_of,
            annotations=annotations,
            fetch=fetch,
            reporter=reporter,
        )
        for target in chosen
    ]
    images = tuple(entry.image for entry in built)
    top = images[0].manifest if len(images) == 1 else make_index(images, annotations)
    reporter.step("writing")
    layout = Layout(images, top)
    if order.folder.suffix == ".tar":
        layout.write_archive(order.folder)
    else:
        layout.write_folder(order.folder)
    return {
        "backend": "image",
        "digest": f"sha256:{top.digest}",
        "environment-hash": environment_hash(lock).root,
        "output": str(order.folder),
        "fetched": {sha256: one.origin for sha256, one in sorted(came.items())},
    }
