"""The index that is used when nothing names one: asked from uv, which knows it."""

from __future__ import annotations

import re
from pathlib import Path

from envlock.errors import SourceError
from envlock.io import process
from envlock.io.cache import DiskCache
from envlock.io.tools import find_uv

_DEFAULT = re.compile(r"\bdefault\s*:\s*[<\"'`(]?\s*(https?://[^\s>\"'`)\]]+)", re.IGNORECASE)


def default_index() -> str:
    """The URL of uv's default index, without a final slash.

    It is read from uv's help text and remembered for as long as uv's executable stays the same.

    Raises:
        SourceError: uv is missing, or its help does not say.
    """
    uv = find_uv()
    cache = DiskCache("default-index-v1")
    key = _identity(uv)
    known = cache.get(key)
    if known is not None:
        return known.decode()
    # uv shows its variables' values in the help: those of this machine are not its default.
    environment = process.clean_environment("UV_", "COLUMNS", "CLICOLOR", "FORCE_COLOR")
    help_text = process.run([str(uv), "lock", "--help"], env=environment).stdout
    url = parse_default(help_text)
    if url is None:
        raise SourceError(
            "uv does not say what its default index is",
            where=f"{uv} lock --help",
            remedy="name the index: index-url in pip.conf, UV_DEFAULT_INDEX, or [[tool.uv.index]]",
        )
    cache.put(key, url.encode())
    return url


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
