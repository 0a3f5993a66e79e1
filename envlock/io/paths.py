"""Where the user's caches live."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from pathlib import Path


def cache_dir() -> Path:
    """``ENVLOCK_CACHE_DIR``, or the platform's cache folder for ``envlock`` (XDG on Linux).

    The folder is not created.
    """
    from pathlib import Path

    return Path(cache_folder())


def cache_folder() -> str:
    """``cache_dir()`` as text, for what is too quick to load ``pathlib``."""
    given = os.environ.get("ENVLOCK_CACHE_DIR")
    if given:
        return given
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Caches", "envlock")
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", os.path.join(home, "AppData", "Local"))
        return os.path.join(local, "envlock")
    base = os.environ.get("XDG_CACHE_HOME")
    return os.path.join(base or os.path.join(home, ".cache"), "envlock")
