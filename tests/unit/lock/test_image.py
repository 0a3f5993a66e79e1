"""Base images: how they are named."""

from __future__ import annotations

import pytest

from envlock.lock.image import BaseImage

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("docker.io/library/debian:bookworm-slim", "docker.io/library/debian"),
        ("localhost:5000/base:1", "localhost:5000/base"),
        ("localhost:5000/base", "localhost:5000/base"),
        (f"registry.example/team/base:1@{DIGEST}", "registry.example/team/base"),
    ],
)
def test_it_is_named_by_its_digest(reference: str, repository: str) -> None:
    image = BaseImage(reference=reference, digest=DIGEST, platforms=())
    assert image.repository == repository
    assert image.pinned == f"{repository}@{DIGEST}"
