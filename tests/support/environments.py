"""Installed packages as files: what pip, uv and older tools leave in site-packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def dist_info(
    folder: Path,
    name: str,
    version: str,
    *,
    direct_url: dict[str, Any] | None = None,
    metadata: str | None = None,
    stem: str | None = None,
) -> Path:
    """A ``*.dist-info`` folder; gives its path."""
    path = folder / f"{stem or name.replace('-', '_')}-{version}.dist-info"
    path.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nA description.\n"
    (path / "METADATA").write_text(text if metadata is None else metadata)
    if direct_url is not None:
        (path / "direct_url.json").write_text(json.dumps(direct_url))
    return path
