"""Where the user's caches live."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """``ENVLOCK_CACHE_DIR``, or the platform's cache folder for ``envlock`` (XDG on Linux).

    The folder is not created.
    """
    given = os.environ.get("ENVLOCK_CACHE_DIR")
    if given:
        return Path(given)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "envlock"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "envlock"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "envlock"
