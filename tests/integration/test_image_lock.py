"""A base image in a lock: the real command and a real registry on loopback; skopeo agrees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.project import Project, errors_in
from support.registries import (
    Answer,
    Asked,
    layer,
    proxy,
    publish,
    put_blob,
    put_manifest,
    registry,
    skopeo,
    tiny_image,
)

from envlock.lock.image import BaseImage, PlatformImage

AMD = tiny_image([layer({"a": b"amd64"})], created="2024-05-12T00:00:00Z")
ARM = tiny_image([layer({"a": b"arm64"})], architecture="arm64", created="2024-05-13T00:00:00Z")
LATER = tiny_image([layer({"a": b"later"})], created="2024-07-01T00:00:00Z")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(autouse=True)
def _one_package(index: LoopbackIndex) -> None:
    index.add("lib", "1.0", "2024-01-01")


def asking(project: Project, base: str, *platforms: str, **more: Any) -> Project:
    targets = list(platforms or ["linux/amd64"])
    return project.write("lib", settings={"targets": targets, "image": {"base": base}, **more})


def image_of(project: Project, *arguments: str, as_of: str | None = "2024-06-01") -> BaseImage:
    found = project.lock(*arguments, as_of=as_of).image
    assert found is not None
    return found


def inspect(reference: str) -> str:
    """The digest as skopeo sees it."""
    argv = ("inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{reference}")
    return skopeo(*argv).strip()


def test_the_digests_of_a_tag(project: Project, address: str) -> None:
    base = f"{address}/base:both"
    digest = publish(address, "base:both", {"amd64": AMD, "arm64": ARM})
    found = image_of(asking(project, base, "linux/arm64", "linux/amd64", "macos/arm64"))
    assert found == BaseImage(
        reference=base,
        digest=digest,
        platforms=(
            PlatformImage(platform="linux/amd64", digest=AMD.digest),
            PlatformImage(platform="linux/arm64", digest=ARM.digest),
        ),
    )
    assert inspect(base) == digest
    before = project.lock_path.read_bytes()
    project.lock_path.unlink()
    project.lock()
    assert project.lock_path.read_bytes() == before
    told = project.json("lock")["image"]
    assert told["platforms"] == {"linux/amd64": AMD.digest, "linux/arm64": ARM.digest}


def test_the_digest_stays_until_upgrade(project: Project, address: str) -> None:
    base = f"{address}/moving:v1"
    first = publish(address, "moving:v1", {"amd64": AMD, "arm64": ARM})
    with proxy(address) as before:
        base = f"{before.address}/moving:v1"
        locked = image_of(asking(project, base), as_of=None)
        second = publish(address, "moving:v1", {"amd64": LATER, "arm64": ARM})
        asked = len(before.seen)
        assert project.run("lock", "--check").returncode == 0
        project.write(
            "lib", "lib>0", settings={"targets": ["linux/amd64"], "image": {"base": base}}
        )
        assert image_of(project, as_of=None) == locked
        assert len(before.seen) == asked
        # Another platform comes from the locked index.
        more = image_of(asking(project, base, "linux/amd64", "linux/arm64"), as_of=None)
        assert more.digest == locked.digest == first
        assert more.platforms[1].digest == ARM.digest
        assert image_of(project, "--upgrade", as_of=None).digest == second
    stale = asking(project, f"{address}/other:v1").run("lock", "--check")
    assert stale.returncode == 1
    assert "other:v1" in stale.stderr


def test_a_tag_that_is_younger_than_the_date(project: Project, address: str) -> None:
    digest = publish(address, "young:v1", {"amd64": LATER})
    base = f"{address}/young"
    said = asking(project, f"{base}:v1").refused(code=2)
    assert "was made at 2024-07-01T00:00:00Z, and the lock is as of 2024-06-01T00:00:00Z" in said
    assert f'base = "{base}@sha256:…"' in said
    assert image_of(project, as_of="2024-07-02").digest == digest
    found = image_of(asking(project, f"{base}@{digest}"))
    assert found.digest == digest
    assert found.reference == f"{base}@{digest}"


@pytest.mark.parametrize("created", [None, "1970-01-01T00:00:00Z", "soon", "2024-05-01T00:00:00"])
def test_a_tag_that_does_not_tell_its_age(
    project: Project, address: str, created: str | None
) -> None:
    publish(address, "timeless:v1", {"amd64": replace_created(created)})
    base = f"{address}/timeless:v1"
    said = asking(project, base).refused(code=2)
    assert "made at a time that it does not tell" in said
    image_of(project, as_of=None)


def replace_created(created: str | None) -> Any:
    return tiny_image([layer({"a": b"x"})], created=created)


def test_one_manifest_without_an_index(project: Project, address: str) -> None:
    for blob in AMD.blobs.values():
        put_blob(address, "plain", blob)
    put_manifest(address, "plain", "v1", AMD.manifest)
    found = image_of(asking(project, f"{address}/plain:v1"))
    assert found.digest == found.platforms[0].digest == AMD.digest
    said = asking(project, f"{address}/plain:v1", "linux/arm64").refused(code=2)
    assert "is not made for linux/arm64; it has linux/amd64" in said


def test_what_cannot_be_locked(project: Project, address: str) -> None:
    publish(address, "both:v1", {"amd64": AMD})
    said = asking(project, f"{address}/both:v1", "linux/amd64", "linux/arm64").refused(code=2)
    assert "is not made for linux/arm64; it has linux/amd64" in said
    said = asking(project, f"{address}/both:v2").refused(code=3)
    assert f"{address} does not have this image" in said
    said = asking(project, f"{address}/both@{AMD.digest[:-1]}0").refused(code=3)
    assert "does not have" in said
    said = asking(project, f"{address}/both:v1", "macos/arm64").refused(code=2)
    assert "no target of the lock can use the image" in said
    assert errors_in(said) == 1
    said = asking(project, "Debian:12").refused(code=2)
    assert "pyproject.toml:" in said
    assert "in lower case" in said


def test_an_image_for_another_machine_than_its_index_says(project: Project, address: str) -> None:
    publish(address, "lying:v1", {"amd64": ARM})
    said = asking(project, f"{address}/lying:v1").refused(code=4)
    assert "the image for linux/amd64 says that it is for linux/arm64" in said


def test_a_changed_manifest_is_refused(project: Project, address: str) -> None:
    publish(address, "changed:v1", {"amd64": AMD})
    other = replace(LATER, blobs={})

    def rule(asked: Asked) -> Answer | None:
        if AMD.digest not in asked.path:
            return None
        kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        return Answer(200, other.manifest, kind)

    with proxy(address, rule) as before:
        said = asking(project, f"{before.address}/changed:v1").refused(code=4)
    assert f"it must be {AMD.digest}" in said
