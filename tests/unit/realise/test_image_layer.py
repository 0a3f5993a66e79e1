"""Layers: compression decides nothing but the file; layouts: what is written, and when."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
import zstandard

from envlock.errors import UsageError
from envlock.io.store import has_stored, stored
from envlock.realise.image.layer import Layer, LayerWriter
from envlock.realise.image.layout import Layout
from envlock.realise.image.oci import Image, Runtime, make_image, make_index

LONG = "usr/" + "long/" * 40 + "ümläut"


def layer(compression: str = "none", content: bytes = b"content\n") -> Layer:
    with LayerWriter("test", compression) as writer:
        writer.folder("usr", mode=0o2755, gid=50, mtime=1_700_000_000)
        writer.file("usr/file", io.BytesIO(content), size=len(content), mode=0o640)
        writer.symlink("usr/link", "/etc/x")
        writer.file(LONG, b"")
        return writer.settle()


def plain(made: Layer) -> bytes:
    content = stored(made.digest).read_bytes()
    if made.compression == "gzip":
        return gzip.decompress(content)
    if made.compression == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(content)
    return content


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_digests_are_those_of_the_bytes(compression: str) -> None:
    made = layer(compression)
    content = stored(made.digest).read_bytes()
    assert made.digest == hashlib.sha256(content).hexdigest()
    assert made.size == len(content)
    assert made.diff_id == hashlib.sha256(plain(made)).hexdigest() == layer().digest
    assert has_stored(made.digest, made.size)
    assert layer(compression) == made
    with tarfile.open(fileobj=io.BytesIO(plain(made))) as archive:
        found = {info.name: info for info in archive}
    assert list(found) == ["usr", "usr/file", "usr/link", LONG]
    assert (found["usr"].mode, found["usr"].gid) == (0o2755, 50)
    assert {info.uname for info in found.values()} == {""}


def test_gzip_names_no_time_and_no_system() -> None:
    assert stored(layer("gzip").digest).read_bytes()[:10] == bytes.fromhex("1f8b08000000000000ff")


def test_a_stream_that_ends_early_leaves_nothing() -> None:
    with pytest.raises(UsageError), LayerWriter("test", "none") as writer:
        writer.file("x", io.BytesIO(b"ab"), size=3)
    assert not list(stored("0" * 64).parent.parent.parent.glob("partial/*"))


def image(platform: str = "linux/amd64", content: bytes = b"content\n") -> Image:
    runtime = Runtime(user="app:app", env=("A=1",), command=("python",), directory="/app")
    return make_image(
        platform,
        [layer(content=content)],
        runtime,
        created="2024-06-01T00:00:00Z",
        annotations={"a": "b"},
    )


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_a_layout_holds_one_image(tmp_path: Path) -> None:
    first, second = image(), image(content=b"other")
    Layout((first,), first.manifest).write_folder(tmp_path)
    assert len(files(tmp_path)) == 5
    Layout((second,), second.manifest).write_folder(tmp_path)
    assert files(tmp_path) == {
        *("index.json", "oci-layout"),
        f"blobs/sha256/{second.config.digest}",
        f"blobs/sha256/{second.manifest.digest}",
        f"blobs/sha256/{second.layers[0].digest}",
    }


def test_a_blob_that_was_changed_is_mended(tmp_path: Path) -> None:
    made = image()
    Layout((made,), made.manifest).write_folder(tmp_path)
    blob = tmp_path / "blobs" / "sha256" / made.layers[0].digest
    before = blob.read_bytes()
    blob.write_bytes(before[:-1] + b"x")
    Layout((made,), made.manifest).write_folder(tmp_path)
    assert blob.read_bytes() == before


def test_index_json_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever write fails, no earlier one has named the image."""
    made = image()
    seen: list[str] = []

    def cut(path: Path, content: bytes) -> None:
        seen.append(path.name)
        if path.name == "index.json":
            raise KeyboardInterrupt

    monkeypatch.setattr("envlock.realise.image.layout.write_atomic", cut)
    with pytest.raises(KeyboardInterrupt):
        Layout((made,), made.manifest).write_folder(tmp_path)
    assert seen[-1] == "index.json"
    assert (tmp_path / "blobs" / "sha256" / made.layers[0].digest).exists()


@pytest.mark.parametrize(
    "index", ["{}", '{"manifests": []}', '{"manifests": [{"annotations": {}}]}', "no JSON"]
)
def test_another_layout_is_left_alone(tmp_path: Path, index: str) -> None:
    (tmp_path / "index.json").write_text(index)
    made = image()
    with pytest.raises(UsageError, match="holds other images"):
        Layout((made,), made.manifest).write_folder(tmp_path)
    assert files(tmp_path) == {"index.json"}


def test_an_index_lists_platforms_in_order() -> None:
    images = [image("linux/arm64"), image("linux/amd64")]
    entries = json.loads(make_index(images, {}).content)["manifests"]
    assert [entry["platform"]["architecture"] for entry in entries] == ["amd64", "arm64"]


def test_an_archive_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = image()
    target = tmp_path / "image.tar"
    Layout((made,), made.manifest).write_archive(target)
    first = target.read_bytes()
    with tarfile.open(target) as archive:
        names = archive.getnames()
    assert names == sorted(names)
    stored(made.layers[0].digest).unlink()
    with pytest.raises(Exception, match="cannot write"):
        Layout((made,), made.manifest).write_archive(target)
    assert target.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]
