"""``envlock check --image``: an image against the lock."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from envlock.check.drift import Drift, Layer
from envlock.check.image.compare import compare_image
from envlock.check.image.observe import ObservedImage, observe_images
from envlock.cli.context import Context
from envlock.cli.output import reporting, say
from envlock.errors import UsageError
from envlock.io.files import disk_error
from envlock.io.images.local import is_local, save
from envlock.io.images.registry import Registry
from envlock.io.images.source import open_image
from envlock.io.machine import machine_platform
from envlock.io.paths import cache_dir
from envlock.lock.model import Lock
from envlock.lock.selection import select_target
from envlock.lock.tables.image import linux_platforms


def image_drift(
    context: Context, lock: Lock, text: str, platform: str | None
) -> tuple[tuple[Drift, ...], set[Layer]]:
    """The differences, and the layers that were compared.

    Of an index, the images of all locked platforms are compared, or that of ``platform``; what
    differs in some of them only says so.

    Raises:
        UsageError: the lock or the image is for no platform of the other.
        SourceError: the image cannot be had.
        VerificationError: it is damaged or hostile.
    """
    platforms = linux_platforms(lock.targets)
    if not platforms:
        raise UsageError("the lock has no Linux target, and images are for Linux")
    if platform is not None and platform not in platforms:
        raise UsageError(
            f"the lock is not for {platform}", remedy=f"it is for {', '.join(sorted(platforms))}"
        )
    own = machine_platform()
    ordered = tuple(sorted(platforms, key=lambda platform: (platform != own, platform)))
    found: dict[Drift, list[str]] = {}
    read: list[str] = []
    with Registry() as registry, reporting(context) as reporter, _at_hand(text) as place:
        source = open_image(place, context.directory, registry)
        for image in observe_images(source, (platform,) if platform else ordered, reporter):
            read.append(image.platform)
            say(context, f"image {image.digest} for {image.platform}, {image.layers} layers")
            for difference in _compare(lock, image):
                found.setdefault(difference, []).append(image.platform)
        absent = sorted(set(() if platform else platforms) - set(read))
        if absent and source.top().is_index:
            say(context, f"locked, and not in the image: {', '.join(absent)}")
    compared = {Layer.IMAGE, Layer.PYTHON} | ({Layer.OS} if lock.os is not None else set())
    told = (
        entry
        if len(where) == len(read)
        else replace(entry, cause=f"in the image for {', '.join(where)}")
        for entry, where in found.items()
    )
    return tuple(sorted(told, key=lambda entry: entry.sort_key)), compared


def _compare(lock: Lock, image: ObservedImage) -> tuple[Drift, ...]:
    version = image.python.version or None
    try:
        target = select_target(lock, image.platform, version)
    except UsageError:
        target = select_target(lock, image.platform)
    if not image.python.distributions and not version:
        # No Python package at all: which Python it would be is not known either.
        image = replace(image, python=replace(image.python, version=target.python))
    return compare_image(lock, target, image)


@contextmanager
def _at_hand(text: str) -> Iterator[str]:
    """The image as it is named; one that a tool keeps, as a tar, for as long as it is read."""
    if not is_local(text):
        yield text
        return
    folder = cache_dir() / "images"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=folder)
    except OSError as error:
        raise disk_error(error, folder) from None
    with scratch as place:
        yield str(save(text, Path(place)).absolute())
