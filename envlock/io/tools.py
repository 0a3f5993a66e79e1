"""Where the tools are that envlock runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from envlock.errors import SourceError


def find_uv() -> Path:
    """uv's executable: the one of the installed ``uv`` package, else the first on ``PATH``.

    Raises:
        SourceError: there is none.
    """
    try:
        from uv import find_uv_bin

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise SourceError("uv is not installed", remedy="pip install uv")
    return Path(found)
