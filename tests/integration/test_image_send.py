"""Images of several platforms and as one file; sent to a registry and into Podman; killed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import images
from support.project import Project
from support.registries import registry
from support.snapshot import SnapshotServer
from support.tiny_archive import OLD, Deb, TinySuite, signer
from support.tools import run

PLATFORMS = ("amd64", "arm64")


def _debs() -> Any:
    every = [Deb(name="common", version="1", architecture="all", fields={"Essential": "yes"})]
    for architecture in PLATFORMS:
        base = {"Essential": "yes", "Depends": "common"}
        every.append(Deb(name="libc6", version="2.36-9", architecture=architecture, fields=base))
        every.append(Deb(name="tool", version="1", architecture=architecture, paths=("usr/x",)))
    return tuple(every)


@pytest.fixture
def asking(project: Project) -> Iterator[Project]:
    """A project for two platforms, locked: a base of two tiny packages, and one on top."""
    key = signer()
    main, updates, security = (
        TinySuite(date=OLD, architectures=PLATFORMS, **fields)
        for fields in (
            {"name": "bookworm", "debs": _debs()},
            {"name": "bookworm-updates", "suite": "stable-updates"},
            {"name": "bookworm-security", "suite": "stable-security", "prefix": "updates/"},
        )
    )
    moment = "20240101T120000Z"
    states = {
        "debian": {moment: main.files(key) | updates.files(key)},
        "debian-security": {moment: security.files(key)},
    }
    (project.root / "archive.pgp").write_bytes(key.public)
    with SnapshotServer(states) as archive:
        project.write(
            settings={
                "targets": [f"linux/{architecture}" for architecture in PLATFORMS],
                "python": "3.11",
                "interpreter": "base-image",
                "requirements": [],
                "os": {
                    "base": "debian:bookworm",
                    "packages": ["tool"],
                    "keyring": "archive.pgp",
                    "mirrors": [archive.template],
                },
            }
        )
        project.lock()
        yield project


def build(project: Project, *arguments: str, **variables: Any) -> dict[str, Any]:
    done = project.run("build", "image", "--only", "os", "--json", *arguments, **variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def raw(place: str) -> Any:
    """A manifest or index as skopeo gets it."""
    return json.loads(run(["skopeo", "inspect", "--tls-verify=false", "--raw", place]).stdout)


def test_several_platforms_make_an_index(asking: Project, tmp_path: Path) -> None:
    told = build(asking, "--output", "image")
    assert told["media-type"] == "application/vnd.oci.image.index.v1+json"
    layout = asking.root / "image"
    entries = raw(f"oci:{layout}")["manifests"]
    assert [entry["platform"] for entry in entries] == [
        {"architecture": architecture, "os": "linux"} for architecture in PLATFORMS
    ]
    assert [entry["digest"] for entry in entries] == [i["digest"] for i in told["images"]]
    for architecture in PLATFORMS:
        said = run(["skopeo", "inspect", "--override-arch", architecture, f"oci:{layout}"])
        assert json.loads(said.stdout)["Architecture"] == architecture
        config = next(i for i in told["images"] if i["platform"].endswith(architecture))
        assert images.document(layout, config["config"])["architecture"] == architecture
    one = build(asking, "--output", "one", "--target", "linux/arm64@3.11")
    assert one["digest"] == told["images"][1]["digest"]
    assert all(layer["cached"] for layer in one["images"][0]["layers"])


def test_one_file_is_the_folder_packed(asking: Project, tmp_path: Path) -> None:
    asking.run("build", "image", "--only", "os", "--output", "image")
    told = build(asking, "--output", "image.tar")
    (tmp_path / "unpacked").mkdir()
    run(["tar", "-xf", asking.root / "image.tar", "-C", tmp_path / "unpacked"])
    run(["diff", "-r", asking.root / "image", tmp_path / "unpacked"])
    entries = raw(f"oci-archive:{asking.root / 'image.tar'}")["manifests"]
    assert [entry["digest"] for entry in entries] == [i["digest"] for i in told["images"]]


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressed_layers_hold_the_same_archive(asking: Project, compression: str) -> None:
    plain = build(asking, "--output", "plain", "--target", "linux/amd64@3.11")
    packed = build(
        asking,
        *("--output", "packed", "--target", "linux/amd64@3.11", "--compression", compression),
    )
    tool = {"gzip": "gzip", "zstd": "zstd"}[compression]
    for before, after in zip(
        plain["images"][0]["layers"], packed["images"][0]["layers"], strict=True
    ):
        assert after["diff-id"] == before["diff-id"] == before["digest"]
        assert after["media-type"].endswith(f"+{compression}")
        path = images.blob(asking.root / "packed", after["digest"])
        said = run(["sh", "-c", f"{tool} -dc < {path} | sha256sum"]).stdout.split()
        assert f"sha256:{said[0]}" == before["diff-id"]


def test_a_registry_has_the_same_digests(asking: Project, tmp_path: Path) -> None:
    with registry(tmp_path / "registry") as address:
        name = f"{address}/team/app"
        told = build(asking, "--push", f"{name}:1", "--compression", "zstd")
        assert told["pushed"] == f"{name}@{told['digest']}"
        entries = raw(f"docker://{name}:1")["manifests"]
        assert [entry["digest"] for entry in entries] == [i["digest"] for i in told["images"]]
        for architecture in PLATFORMS:
            copied = f"oci:{tmp_path / architecture}:x"
            source = f"docker://{name}@{told['digest']}"
            options = ("--override-arch", architecture, "copy", "-q", "--src-tls-verify=false")
            run(["skopeo", *options, source, copied])
        again = build(asking, "--push", f"{name}:2", "--compression", "zstd")
        assert again["digest"] == told["digest"]
        assert raw(f"docker://{name}:2") == raw(f"docker://{name}:1")
    done = asking.run("build", "image", "--only", "os", "--push", f"{name}:1")
    assert done.returncode == 3
    assert address in done.stderr


def test_a_reference_that_is_none_is_told_before_any_work(asking: Project) -> None:
    done = asking.run("build", "image", "--only", "os", "--push", "Team/App:1")
    assert done.returncode == 2
    assert not list((asking.root / "image").glob("*"))


def test_a_kill_leaves_no_image_that_looks_whole(asking: Project) -> None:
    """At moments all over the run: afterwards there is an image or none, and the next run ends."""
    started = time.monotonic()
    wanted = build(asking, "--output", "first")["digest"]
    whole = time.monotonic() - started
    for part in (0.5, 0.7, 0.8, 0.9, 1.0):
        cache = asking.root / f"cache-{part}"
        layout = asking.root / f"image-{part}"
        process = asking.start(
            *("build", "image", "--only", "os", "--output", str(layout)),
            ENVLOCK_CACHE_DIR=str(cache),
        )
        time.sleep(whole * part)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (layout / "index.json").exists():
            (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
            assert entry["digest"] == wanted
            run(["skopeo", "copy", "-q", "--all", f"oci:{layout}", f"oci:{layout}-copy:x"])
        told = build(asking, "--output", str(layout), ENVLOCK_CACHE_DIR=str(cache))
        assert told["digest"] == wanted
        assert not [path for path in layout.rglob(".*") if os.path.isfile(path)]


def test_podman_has_what_was_loaded(asking: Project, tmp_path: Path) -> None:
    """In a store of its own; the image's id is the digest of its configuration."""
    configuration = tmp_path / "storage.conf"
    configuration.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    )
    own = {"CONTAINERS_STORAGE_CONF": str(configuration)}
    told = build(asking, "--load", "--target", "linux/amd64@3.11", **own)
    assert told["loaded"] == "localhost/project:latest"
    form = "{{.Repository}}:{{.Tag}} {{.ID}}"
    said = run(["podman", "images", "--no-trunc", "--format", form], env=own).stdout
    assert said.split() == [told["loaded"], told["images"][0]["config"]]
