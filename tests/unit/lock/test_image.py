"""The base image in a lock: there and back, damage, its part of the hash, differences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import tomli
import tomli_w
from support.samples import IMAGE, LINUX, MACOS, full_lock, small_lock

from envlock.errors import UsageError, VerificationError
from envlock.lock import codec
from envlock.lock.diff import diff
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.provider import provider


@pytest.fixture
def lock() -> Lock:
    return replace(small_lock(), image=IMAGE)


def test_there_and_back(lock: Lock) -> None:
    text = codec.dump(lock)
    assert codec.load(text, where="x").image == IMAGE
    assert tomli.loads(text)["tool"]["envlock"]["image"] == {
        "reference": "docker.io/library/debian:bookworm-slim",
        "digest": "sha256:" + "1" * 64,
        "platforms": [{"platform": "linux/amd64", "digest": "sha256:" + "2" * 64}],
    }


def test_a_mirror_is_the_same_environment_and_another_digest_is_not(lock: Lock) -> None:
    mirrored = replace(lock, image=replace(IMAGE, reference="mirror.example.org/debian:x"))
    assert environment_hash(mirrored) == environment_hash(lock)
    (own,) = IMAGE.platforms
    for other in (
        replace(IMAGE, digest="sha256:" + "3" * 64),
        replace(IMAGE, platforms=(replace(own, digest="sha256:" + "3" * 64),)),
        None,
    ):
        assert environment_hash(replace(lock, image=other)) != environment_hash(lock)


def test_a_digest_changed_by_hand_is_noticed(lock: Lock) -> None:
    text = codec.dump(lock)
    for digit in "12":
        with pytest.raises(VerificationError, match="environment-hash"):
            codec.load(text.replace(digit * 64, "f" * 64), where="x")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("image",), 3, "tool.envlock.image: expected a table"),
        (("image", "reference"), "debian:12", "image.reference: expected a whole reference"),
        (("image", "reference"), "user:pw@ghcr.io/a:1", "image.reference"),
        (("image", "reference"), f"ghcr.io/a@sha256:{'9' * 64}", "image.digest: expected the"),
        (("image", "digest"), "sha256:abc", "image.digest: expected sha256: and 64"),
        (("image", "digest"), "1" * 64, "image.digest"),
        (("image", "platforms"), [], "image.platforms: expected one entry for each of linux/amd64"),
        (("image", "platforms", 0, "platform"), "linux/arm64", "image.platforms: expected one"),
        (("image", "platforms", 0, "digest"), 1, "image.platforms[0].digest"),
        (("request", "image-base"), 1, "request.image-base"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(path: tuple[Any, ...], value: Any, words: str) -> None:
    table = tomli.loads(codec.dump(full_lock()))
    place = table["tool"]["envlock"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(UsageError) as caught:
        codec.load(tomli_w.dumps(table), where="x")
    assert words in caught.value.what


def test_differences_name_the_digests(lock: Lock) -> None:
    settings = {n: (b, a) for n, b, a in diff(small_lock(), lock).settings}
    assert settings["image"] == (
        "none",
        f"docker.io/library/debian:bookworm-slim sha256:{'1' * 64} sha256:{'2' * 64}",
    )
    assert diff(lock, lock).settings == ()


def test_the_provider_names_the_image(lock: Lock) -> None:
    asking = replace(lock, request=replace(lock.request, interpreter="base-image"))
    named = "base-image docker.io/library/debian:bookworm-slim"
    assert provider(asking, LINUX) == named
    assert provider(replace(asking, image=None), LINUX) == "base-image"
    assert provider(asking, MACOS) is None


def test_the_pinned_reference() -> None:
    assert IMAGE.pinned == f"docker.io/library/debian@{IMAGE.digest}"
    by_port = replace(IMAGE, reference=f"localhost:5000/a/b@{IMAGE.digest}")
    assert by_port.pinned == f"localhost:5000/a/b@{IMAGE.digest}"
