"""How uv is run, to resolve and to install: our own settings, few of the machine's."""

from __future__ import annotations

import os

from envlock.io.environment import clean_environment, pyenv_folders

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from envlock.resolve.python.sources import Sources

FILES_FOREVER = {"files": "max-age=365000000, immutable"}
"""Files are named by digest and never change; a server that does not say so is asked once."""

# What does not change the result: where the cache and Pythons are, how to reach the net.
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
# How patient to be with a server is said once, for envlock's own transfers and for uv's.
_PATIENCE = {
    "ENVLOCK_HTTP_RETRIES": "UV_HTTP_RETRIES",
    "ENVLOCK_HTTP_TIMEOUT": "UV_HTTP_TIMEOUT",
}
_DROPPED = ("UV_", "PIP_", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "RUST_LOG")


def environment(sources: Sources | None = None) -> dict[str, str]:
    """The variables that uv gets: credentials of ``sources`` travel here, never in arguments."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    variables = clean_environment(*_DROPPED, **kept)
    variables["UV_PYTHON_DOWNLOADS"] = "never"
    variables["PATH"] = os.pathsep.join(
        # Last: what PATH has goes before.
        (variables.get("PATH", os.defpath), *pyenv_folders())
    )
    for ours, theirs in _PATIENCE.items():
        if ours in os.environ:
            variables.setdefault(theirs, os.environ[ours])
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


def configuration(
    sources: Sources, as_of: datetime, cache_control: dict[str, str]
) -> dict[str, Any]:
    """The part of a ``uv.toml`` that says where to look and until when.

    ``cache_control`` stands in for the indexes' own headers.
    """
    table: dict[str, Any] = {
        # uv sees files uploaded before this instant, never one of it or later.
        "exclude-newer": as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "index-strategy": sources.strategy,
    }
    if sources.indexes:
        table["index"] = [
            {
                "name": _index_name(number),
                "url": index.url,
                "default": index.default,
                "cache-control": cache_control,
            }
            for number, index in enumerate(sources.indexes)
        ]
    else:
        table["no-index"] = True
    if sources.find_links:
        table["find-links"] = [link.location for link in sources.find_links]
    return table
