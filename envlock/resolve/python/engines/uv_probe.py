"""What uv has to find out once for each cache, asked for before it is needed.

uv asks the Python that it is to use what it is (a tenth of a second on a busy machine), and envlock
asks uv what its default index is. Where the caches are new, both are begun at once, while all that
makes the question is loaded. Nothing but ``os`` is imported.
"""

from __future__ import annotations

import os
import sys

from envlock.io.started import Started, new_folder, remove

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Sequence

_PREFIX = "envlock-uv-"


class Probe:
    """A question to uv that is on its way, or none."""

    def __init__(self, started: Started | None) -> None:
        self._started = started

    def wait(self) -> None:
        """Until it is answered."""
        if self._started is not None:
            try:
                self._started.wait()
            finally:
                self._started.end()


def begin() -> Probe:
    """Have uv look at this Python, if its cache is new."""
    if os.path.isdir(_uv_cache()):
        return Probe(None)
    options = ("--no-config", "--no-project", "--no-python-downloads")
    return Probe(_started(["python", "find", *options, sys.executable]))


def _started(arguments: Sequence[str]) -> Started | None:
    from envlock.resolve.python.engines import uv_settings

    uv = os.path.join(os.path.dirname(sys.executable), "uv")
    if not os.access(uv, os.X_OK):
        return None
    folder = None
    try:
        folder = new_folder(_PREFIX)
        return Started(folder, [uv, "--directory", folder, *arguments], uv_settings.environment())
    except OSError:
        if folder is not None:
            remove(folder)
        return None


def _uv_cache() -> str:
    """uv's cache, as uv finds it on POSIX."""
    given = os.environ.get("UV_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return given or os.path.join(base, "uv")
