"""What several integration tests share, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.image_world import World, image_world


@pytest.fixture(scope="session")
def built_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A project, its lock, and its image; nothing of it is changed by a test."""
    with image_world(tmp_path_factory.mktemp("image")) as made:
        yield made
