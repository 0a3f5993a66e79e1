"""References to images, as Docker reads them."""

from __future__ import annotations

import pytest

from envlock.errors import UsageError
from envlock.io.images.reference import is_loopback, parse_reference

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "full", "host"),
    [
        ("debian", "docker.io/library/debian:latest", "registry-1.docker.io"),
        ("debian:bookworm-slim", "docker.io/library/debian:bookworm-slim", "registry-1.docker.io"),
        ("team/app:1.0", "docker.io/team/app:1.0", "registry-1.docker.io"),
        ("index.docker.io/debian", "docker.io/library/debian:latest", "registry-1.docker.io"),
        ("localhost/app", "localhost/app:latest", "localhost"),
        ("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000"),
        ("ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1", "ghcr.io"),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000"),
        (f"debian@{DIGEST}", f"docker.io/library/debian@{DIGEST}", "registry-1.docker.io"),
        (f"ghcr.io/a:v1@{DIGEST}", f"ghcr.io/a:v1@{DIGEST}", "ghcr.io"),
    ],
)
def test_read(text: str, full: str, host: str) -> None:
    reference = parse_reference(text)
    assert (str(reference), reference.host) == (full, host)
    assert parse_reference(full) == reference


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "repository"),
        ("Debian", "lower case"),
        ("debian:", "tag"),
        ("debian:a b", "tag"),
        ("debian@sha256:abc", "64 lower-case hex digits"),
        ("debian@md5:" + "0" * 32, "64 lower-case hex digits"),
        ("https://ghcr.io/a", "registry"),
        ("user:secret@ghcr.io/a", "digest"),
        ("ghcr.io//a", "repository"),
        ("ghcr.io/../a", "repository"),
        ("-x.io/a", "registry"),
        ("a" * 300, "longer than 255"),
        ("a" * 3000, "too long"),
        ("debian\n", "repository"),
    ],
)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_reference(text)


def test_loopback() -> None:
    here = ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "[::1]"]
    assert all(is_loopback(host) for host in here)
    elsewhere = ["localhost.example.org", "128.0.0.1:5000", "[::2]", "127.0.0.1.example.org", ""]
    assert not any(is_loopback(host) for host in elsewhere)
