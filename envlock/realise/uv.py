"""uv's settings for one installation, as a file."""

from __future__ import annotations

from pathlib import Path

import tomli_w

from envlock.lock.model import Lock
from envlock.resolve.python.engines import uv_settings
from envlock.resolve.python.sources import Sources


def write_configuration(folder: Path, lock: Lock, sources: Sources) -> Path:
    """uv's settings for one run, as a file in ``folder``.

    The lock names every file that is installed. Indexes matter for their credentials, and for
    what has to be built: its build requirements are seen as of the lock's date.
    """
    table = uv_settings.configuration(sources, lock.as_of, uv_settings.FILES_FOREVER)
    # uv links installed files to its cache where it can: edited in place, they would come into the
    # next environment, too, without a digest noticing.
    table["link-mode"] = "copy"
    path = folder / "uv.toml"
    path.write_text(tomli_w.dumps(table))
    return path
