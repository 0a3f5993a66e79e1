"""The user that containers run as: one without privileges, made by envlock."""

from __future__ import annotations

from envlock.realise.image.layer import Layer, LayerWriter

APP = "app"
"""Name of the user and its group."""

HOME = "/home/app"
_ID = 65532


def write_user(passwd: bytes, group: bytes, *, compression: str) -> Layer:
    """A layer that adds the user to these ``/etc/passwd`` and ``/etc/group``, with its home."""
    with LayerWriter(f"user {APP}", compression) as writer:
        writer.folder("etc")
        writer.file("etc/group", group + f"{APP}:x:{_ID}:\n".encode())
        writer.file("etc/passwd", passwd + f"{APP}:x:{_ID}:{_ID}::{HOME}:/bin/sh\n".encode())
        writer.folder("home")
        writer.folder(HOME.lstrip("/"), mode=0o700, uid=_ID, gid=_ID)
        return writer.settle()
