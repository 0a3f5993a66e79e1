"""The real Guix that ``scripts/guix-root`` made in ``$GUIX_ROOT``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.guix_root import GuixRoot


@pytest.fixture(scope="session")
def guix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuixRoot]:
    """With its daemon running."""
    root = GuixRoot(Path(os.environ["GUIX_ROOT"]), f"tests-{os.getpid()}")
    folder = tmp_path_factory.mktemp("daemon")
    with root.daemon(folder, folder / "daemon.log"):
        yield root
