"""The image of a lock alone: every platform that is asked for, no project, nothing compressed.

The same lock gives the same digest wherever this is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from envlock.export.labels import labels
from envlock.io.progress import Reporter
from envlock.lock.artifacts import UsedFiles
from envlock.lock.model import Lock
from envlock.lock.target import Target
from envlock.realise.image.build import Wishes, build
from envlock.realise.image.layout import Layout
from envlock.realise.image.oci import make_index
from envlock.realise.image.parts import Parts, choose_parts, choose_targets


def parts_of(lock: Lock, targets: tuple[Target, ...] = ()) -> tuple[Parts, ...]:
    """What goes into the images of these targets, else of the newest of each Linux platform.

    Raises:
        UsageError: the lock cannot become an image.
    """
    chosen = choose_targets(lock, targets)
    return tuple(choose_parts(lock, target, only_os=False) for target in chosen)


def image_of(
    lock: Lock, parts: Iterable[Parts], fetch: Callable[[UsedFiles], None], reporter: Reporter
) -> Layout:
    """Build it; layers that are kept need no file of the lock.

    Args:
        lock: the lock.
        parts: see ``parts_of``.
        fetch: brings files into the store.
        reporter: told the phases.

    Raises:
        EnvlockError: see ``build``.
    """
    annotations = labels(lock, with_base=False)
    images = tuple(
        build(
            one,
            Wishes(compression="none", user="app"),
            as_of=lock.as_of,
            annotations=annotations,
            fetch=fetch,
            reporter=reporter,
        ).image
        for one in parts
    )
    top = images[0].manifest if len(images) == 1 else make_index(images, annotations)
    return Layout(images, top)
