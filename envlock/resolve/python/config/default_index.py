"""The index that is used when nothing names one: asked from uv, which knows it."""

from __future__ import annotations

import re
from pathlib import Path

from envlock.errors import SourceError
from envlock.io.cache import DiskCache
from envlock.io.environment import clean_environment
from envlock.io.started import Started, new_folder, possible
from envlock.io.tools import find_uv

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from typing import ClassVar

_KIND = "default-index-v1"
_QUESTION = ("lock", "--help")
_DEFAULT = re.compile(r"\bdefault\s*:\s*[<\"'`(]?\s*(https?://[^\s>\"'`)\]]+)", re.IGNORECASE)


def default_index() -> str:
    """The URL of uv's default index, without a final slash.

    It is read from uv's help text and remembered for as long as uv's executable stays the same.

    Raises:
        SourceError: uv is missing, or its help does not say.
    """
    uv = find_uv()
    cache = DiskCache(_KIND)
    key = _identity(uv)
    known = cache.get(key)
    if known is not None:
        return known.decode()
    url = parse_default(_help(uv))
    if url is None:
        raise SourceError(
            "uv does not say what its default index is",
            where=f"{uv} lock --help",
            remedy="name the index: index-url in pip.conf, UV_DEFAULT_INDEX, or [[tool.uv.index]]",
        )
    cache.put(key, url.encode())
    return url


def begin() -> None:
    """Have uv tell it, where it is not known; ``default_index`` is asked soon, and takes that.

    Raises:
        SourceError: uv is missing.
    """
    uv = find_uv()
    if possible() and not _Begun.runs and DiskCache(_KIND).get(_identity(uv)) is None:
        folder = new_folder("envlock-uv-")
        _Begun.runs.append(Started(folder, [str(uv), *_QUESTION], _environment()))


def drop() -> None:
    """End what was begun and is not needed: another place names the index."""
    while _Begun.runs:
        _Begun.runs.pop().end()


class _Begun:
    runs: ClassVar[list[Started]] = []


def _help(uv: Path) -> str:
    while _Begun.runs:
        started = _Begun.runs.pop()
        try:
            started.wait()
            return started.said()[0]
        finally:
            started.end()
    from envlock.io import process

    return process.run([str(uv), *_QUESTION], env=_environment()).stdout


def _environment() -> dict[str, str]:
    """uv shows its variables' values in the help: those of this machine are not its default."""
    return clean_environment("UV_", "COLUMNS", "CLICOLOR", "FORCE_COLOR")


def parse_default(help_text: str) -> str | None:
    """The first ``default: <URL>`` of a help text, however it is wrapped; None without one."""
    match = _DEFAULT.search(help_text)
    return match[1].rstrip("/.,;") if match else None


def _identity(uv: Path) -> str:
    try:
        real = uv.resolve(strict=True)
        state = real.stat()
    except OSError as error:
        raise SourceError(
            f"uv cannot be read: {error.strerror}", where=str(uv), remedy="pip install uv"
        ) from None
    return f"{real}\n{state.st_size}\n{state.st_mtime_ns}"
