"""``[tool.envlock.image]`` ⇄ the base image of a lock; for ``codec``."""

from __future__ import annotations

import re
from typing import Any

from envlock.lock.image import BaseImage, PlatformImage
from envlock.lock.tables.reader import Reader, Table
from envlock.lock.target import Target

_PATH = "tool.envlock.image"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# In full: a registry, at least one part of a repository, a tag or a digest or both.
_REFERENCE = re.compile(
    r"[A-Za-z0-9.\[\]:-]+(?:/[a-z0-9._-]+)+(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"
    r"(?:@sha256:[0-9a-f]{64})?"
)


def linux_platforms(targets: tuple[Target, ...]) -> tuple[str, ...]:
    """The platforms that an image can be for, sorted."""
    return tuple(sorted({t.platform for t in targets if t.platform.startswith("linux/")}))


def image_table(image: BaseImage) -> dict[str, Any]:
    """The table, platforms sorted."""
    return {
        "reference": image.reference,
        "digest": image.digest,
        "platforms": [
            {"platform": one.platform, "digest": one.digest} for one in sorted(image.platforms)
        ],
    }


def read_image(reader: Reader, tool: Table, targets: tuple[Target, ...]) -> BaseImage:
    """The base image that the file states, for exactly the platforms of its Linux targets.

    Raises:
        UsageError: a value has another shape; names its path in the file.
    """
    table = tool["image"]
    if not isinstance(table, dict):
        raise reader.wrong(_PATH, "a table")
    image = BaseImage(
        reference=reader.shaped(
            table, "reference", _PATH, _REFERENCE, "a whole reference (docker.io/library/debian:12)"
        ),
        digest=_digest(reader, table, _PATH),
        platforms=tuple(
            PlatformImage(
                platform=reader.text(entry, "platform", path), digest=_digest(reader, entry, path)
            )
            for path, entry in reader.tables(table, "platforms", _PATH)
        ),
    )
    named = image.reference.partition("@")[2]
    if named and named != image.digest:
        raise reader.wrong(f"{_PATH}.digest", f"the digest that its reference names, {named}")
    wanted = linux_platforms(targets)
    if tuple(one.platform for one in image.platforms) != wanted:
        raise reader.wrong(f"{_PATH}.platforms", f"one entry for each of {', '.join(wanted)}")
    return image


def _digest(reader: Reader, table: Table, path: str) -> str:
    return reader.shaped(table, "digest", path, _DIGEST, "sha256: and 64 lower-case hex digits")
