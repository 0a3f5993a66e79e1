"""``[tool.envlock.image]``: the image that the environment is built on."""

from __future__ import annotations

from typing import Any

from envlock.errors import UsageError
from envlock.project.document import Document, KeyPath, dotted, nearest

_KEYS = ("base",)


def read_image(document: Document, path: KeyPath, value: Any) -> str | None:
    """The base image of the table at ``path``, as a whole reference; None for an empty table.

    Raises:
        UsageError: an unknown key, or what no container tool would take.
    """
    if not isinstance(value, dict):
        raise document.wrong(path, "a table")
    for key in value:
        if key not in _KEYS:
            raise UsageError(
                f"unknown key {dotted((*path, key))}",
                where=document.place((*path, key)),
                remedy=nearest(key, _KEYS),
            )
    if not value:
        return None
    base = value["base"]
    if not isinstance(base, str):
        raise document.wrong((*path, "base"), 'an image such as "debian:bookworm-slim"')
    from envlock.io.images.reference import parse_reference  # most projects name no image

    return str(parse_reference(base, where=document.place((*path, "base"))))
