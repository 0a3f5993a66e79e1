"""Images that a tool of this machine keeps: written to a tar by that tool, and read like any other.

``containers-storage:NAME`` is what podman and buildah have, ``docker-daemon:NAME`` what Docker has:
the names of containers-transports(5).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from envlock.errors import SourceError, UsageError
from envlock.io.process import clean_environment, run

_STORAGE, _DAEMON = "containers-storage:", "docker-daemon:"
# podman and buildah know short names (app is localhost/app:latest), which skopeo does not.
_WAYS: dict[str, tuple[tuple[str, ...], ...]] = {
    _STORAGE: (
        ("podman", "save", "--quiet", "--format", "oci-archive", "--output", "FILE", "NAME"),
        ("buildah", "push", "--quiet", "NAME", "oci-archive:FILE"),
        ("skopeo", "--insecure-policy", "copy", "--quiet", f"{_STORAGE}NAME", "oci-archive:FILE"),
    ),
    _DAEMON: (
        ("docker", "save", "--output", "FILE", "NAME"),
        ("skopeo", "--insecure-policy", "copy", "--quiet", f"{_DAEMON}NAME", "docker-archive:FILE"),
    ),
}


def is_local(text: str) -> bool:
    """Whether it names an image that a tool of this machine keeps."""
    return text.startswith((_STORAGE, _DAEMON))


def save(text: str, folder: Path) -> Path:
    """Have the image written to a tar in ``folder``; gives the file.

    Args:
        text: ``containers-storage:NAME`` or ``docker-daemon:NAME``; with a store of its own
            (``containers-storage:[overlay@/path]NAME``) skopeo is asked.
        folder: is there, and has room for the image.

    Raises:
        UsageError: no name.
        SourceError: no tool is there, or none can write it.
    """
    transport, colon, name = text.partition(":")
    if not name.strip() or name.startswith("-") or "\0" in name:
        raise UsageError("no name of an image", where=text, remedy=f"{transport}{colon}NAME")
    ways = _WAYS[transport + colon]
    if name.startswith("["):
        ways = tuple(way for way in ways if way[0] == "skopeo")
    file = folder / "image.tar"
    there = [way for way in ways if shutil.which(way[0])]
    if not there:
        tools = " or ".join(way[0] for way in ways)
        raise SourceError(
            f"no {tools} is here, which could give the image",
            where=text,
            remedy=f"install one of them, or give a tar of the image ({ways[0][0]} save)",
        )
    said = ""
    for way in there:
        done = run(_filled(way, name, file), env=clean_environment())
        if done.code == 0 and file.is_file():
            return file
        file.unlink(missing_ok=True)
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = said or f"{way[0]}: {lines[-1].strip() if lines else f'ended with {done.code}'}"
    raise SourceError(said, where=text, remedy="check the name: podman images, docker images")


def _filled(way: Sequence[str], name: str, file: Path) -> list[str]:
    words = {"FILE": str(file), "NAME": name}
    return [re.sub(r"\b(FILE|NAME)$", lambda match: words[match[1]], part) for part in way]
