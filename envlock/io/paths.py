"""Where the user's caches and records live."""

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


def state_folder() -> str:
    """The platform's folder for what is to stay (``XDG_STATE_HOME`` on Linux), for ``envlock``.

    The folder is not created.
    """
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Application Support", "envlock")
    if sys.platform == "win32":
        return os.path.join(os.environ.get("LOCALAPPDATA", home), "envlock", "state")
    base = os.environ.get("XDG_STATE_HOME")
    return os.path.join(base or os.path.join(home, ".local", "state"), "envlock")
