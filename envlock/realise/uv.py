"""How uv is run to install: its own settings written out, none of the machine's but a few."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import tomli_w

from envlock.io import process
from envlock.lock.model import Lock
from envlock.resolve.python.sources import Sources

# What does not change what gets installed: where the cache and Pythons are, how to reach the net.
_KEPT = (
    "UV_CACHE_DIR",
    "UV_CONCURRENT_BUILDS",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_CONCURRENT_INSTALLS",
    "UV_HTTP_RETRIES",
    "UV_HTTP_TIMEOUT",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_LINK_MODE",
    "UV_OFFLINE",
    "UV_PYTHON_INSTALL_DIR",
    "UV_SYSTEM_CERTS",
)
_DROPPED = ("UV_", "PIP_", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "RUST_LOG")
_FILES_FOREVER = "max-age=365000000, immutable"


def environment(sources: Sources | None = None) -> dict[str, str]:
    """The variables that uv gets: credentials of ``sources`` travel here, never in arguments."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    variables = process.clean_environment(*_DROPPED, **kept)
    variables["UV_PYTHON_DOWNLOADS"] = "never"
    if sources is None:
        return variables
    if sources.certificate:
        variables["SSL_CERT_FILE"] = sources.certificate
    for number, index in enumerate(sources.indexes):
        if index.credentials is not None:
            name = _index_name(number).upper()
            variables[f"UV_INDEX_{name}_USERNAME"] = index.credentials.user
            variables[f"UV_INDEX_{name}_PASSWORD"] = index.credentials.password
    return variables


def _index_name(number: int) -> str:
    return f"envlock{number}"


def write_configuration(folder: Path, lock: Lock, sources: Sources) -> Path:
    """uv's settings for one run, as a file in ``folder``.

    The lock names every file that is installed. Indexes matter for their credentials, and for
    what has to be built: its build requirements are seen as of the lock's date.
    """
    configuration: dict[str, Any] = {
        "exclude-newer": f"{lock.as_of:%Y-%m-%dT%H:%M:%SZ}",
        "index-strategy": sources.strategy,
        "index": [
            {
                "name": _index_name(number),
                "url": index.url,
                "default": index.default,
                "cache-control": {"files": _FILES_FOREVER},
            }
            for number, index in enumerate(sources.indexes)
        ],
        "find-links": [link.location for link in sources.find_links],
    }
    if not sources.indexes:
        configuration["no-index"] = True
    path = folder / "uv.toml"
    path.write_text(tomli_w.dumps({k: v for k, v in configuration.items() if v != []}))
    return path
