"""An image's layers as one tar archive of all its files: what ``ADD`` unpacks in a Dockerfile."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import IO

from envlock.errors import UsageError
from envlock.io.files import make_folder, replacing
from envlock.io.store import stored
from envlock.realise.image.oci import Image


def write_rootfs(image: Image, folder: Path) -> Path:
    """Write ``ARCHITECTURE.tar`` (``amd64.tar``) into ``folder``, whole or not at all.

    What a layer replaces comes twice, the later one last, as tar has it.

    Args:
        image: layers without deletions, as those of a distribution's packages are; uncompressed.
        folder: made when missing.

    Raises:
        UsageError: the layers are compressed.
        SourceError: the disk cannot take it.
    """
    if any(layer.compression != "none" for layer in image.layers):
        raise UsageError("a root file system is not compressed", remedy="leave --compression away")
    path = folder / f"{image.platform.partition('/')[2]}.tar"
    make_folder(folder)
    with replacing(path) as file:
        for layer in image.layers:
            _append(file, stored(layer.digest))
        file.write(bytes(2 * tarfile.BLOCKSIZE))
        file.write(bytes(-file.tell() % tarfile.RECORDSIZE))
    path.chmod(0o644)
    return path


def _append(target: IO[bytes], layer: Path) -> None:
    """The layer's members, without the empty blocks that end it."""
    with layer.open("rb") as content, tarfile.open(fileobj=content, mode="r:") as members:
        for _ in members:
            pass
        end = members.offset
        content.seek(0)
        while end:
            end -= target.write(content.read(min(end, 1 << 20)))
