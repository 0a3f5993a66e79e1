"""Sdists whose own backend runs what a test says before it packs them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from support.index import LoopbackIndex
from support.packages import BACKEND, make_sdist, metadata

OLDER = "2024-01-01"
PYPROJECT = """\
[build-system]
requires = {requires}
build-backend = "tiny_backend"
backend-path = ["_backend"]
[project]
name = "{name}"
version = "1.0"
"""


def add_sdist(
    index: LoopbackIndex, name: str, *, requires: Sequence[str] = (), before: str = ""
) -> None:
    """Put an sdist on the index whose backend runs ``before``, Python's text, first."""
    files = {
        "pyproject.toml": PYPROJECT.format(name=name, requires=json.dumps(list(requires))),
        "_backend/tiny_backend.py": BACKEND.replace(
            "def build_wheel(",
            f"def _before():\n    exec({before!r}, globals())\n\n\ndef build_wheel(",
        ).replace("    root = HERE.parent\n", "    _before()\n    root = HERE.parent\n"),
        "_backend/metadata.txt": metadata(name, "1.0"),
    }
    filename, content = make_sdist(name, "1.0", files=files)
    index.add_file(name, "1.0", OLDER, filename, content)
