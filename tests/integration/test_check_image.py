"""``check --image`` on real images: skopeo carries them between layouts, tars and a registry."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from support.index import LoopbackIndex
from support.project import PYTHON, Project
from support.registries import (
    TinyImage,
    layer,
    publish,
    registry,
    skopeo,
    tiny_image,
    to_layout,
)
from support.samples import LINUX, full_lock

from envlock.check.drift import Code
from envlock.check.image.compare import compare_image
from envlock.check.image.observe import ObservedImage, observe_image
from envlock.errors import EnvlockError, VerificationError
from envlock.io.images.registry import Registry
from envlock.io.images.source import open_image
from envlock.io.machine import machine_platform
from envlock.io.progress import SilentReporter
from envlock.lock.hashing import environment_hash

ARCHITECTURE = machine_platform().partition("/")[2]
SITE = "opt/venv/lib/python3.11/site-packages"
OS_PACKAGE = "Package: {}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {}\n"


def look(place: Path, *platforms: str) -> ObservedImage:
    with Registry() as client:
        source = open_image(str(place), Path("/"), client)
        return observe_image(source, platforms or ("linux/amd64",), SilentReporter())


def observed(tmp_path: Path, *layers: bytes, **more: Any) -> ObservedImage:
    return look(to_layout(tmp_path / "layout", {"amd64": tiny_image(list(layers), **more)}))


def dist(name: str, version: str, site: str = SITE) -> dict[str, bytes | None]:
    info = f"{site}/{name}-{version}.dist-info"
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nlong text\n"
    return {f"{info}/METADATA": text.encode(), f"{info}/RECORD": b""}


def there(image: ObservedImage) -> dict[str, str | None]:
    return {d.name: d.version for d in image.python.distributions}


# --- the command ---


@pytest.fixture
def installed(project: Project, index: LoopbackIndex) -> tuple[Project, bytes]:
    """A project that is locked and installed, and its environment as a layer."""
    index.add("lib", "1.0", "2024-01-01")
    index.add("lib", "2.0", "2024-02-01")
    project.write("lib==1.0")
    project.lock()
    done = project.run("sync")
    assert done.returncode == 0, done.stderr
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(project.root / ".venv", arcname="./opt/venv")
    return project, packed.getvalue()


def codes(project: Project, place: str | Path, exit_code: int) -> list[tuple[str, str]]:
    done = project.run("check", "--image", str(place), "--json")
    assert done.returncode == exit_code, done.stderr
    told = project.json("check", "--image", str(place))
    return [(one["code"], one["subject"]) for one in told["drift"]]


def test_every_place_gives_the_same_answer(
    installed: tuple[Project, bytes], tmp_path: Path
) -> None:
    project, packed = installed
    labels = {"org.envlock.environment": environment_hash(project.read()).root}
    image = tiny_image([layer({"etc": None}), packed], architecture=ARCHITECTURE, labels=labels)
    folder = to_layout(tmp_path / "layout", {ARCHITECTURE: image})
    assert codes(project, folder, 0) == []
    source = f"oci:{folder}:latest"
    skopeo("copy", source, f"oci-archive:{tmp_path}/oci.tar:a:v1")
    skopeo("copy", source, f"docker-archive:{tmp_path}/docker.tar:a:v1")
    assert codes(project, tmp_path / "oci.tar", 0) == []
    assert codes(project, tmp_path / "docker.tar", 0) == []
    with registry(tmp_path / "registry") as address:
        reference = f"{address}/team/app:v1"
        skopeo("copy", "--dest-tls-verify=false", source, f"docker://{reference}")
        assert codes(project, reference, 0) == []
        publish(address, "team/index:v1", {ARCHITECTURE: image})
        assert codes(project, f"{address}/team/index:v1", 0) == []
    project.write("lib==2.0")
    project.lock()
    expected = [("IM001", "environment hash"), ("PY003", "lib")]
    assert sorted(codes(project, folder, 1)) == expected
    assert sorted(codes(project, tmp_path / "docker.tar", 1)) == expected


def test_files_of_the_environment_are_compared(
    installed: tuple[Project, bytes], tmp_path: Path
) -> None:
    project, packed = installed
    site = f"opt/venv/lib/python{PYTHON}/site-packages"
    module = f"./{site}/lib/__init__.py"
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        found = archive.extractfile(module)
        assert found is not None
        original = found.read()
    number = 0

    def told(*more: bytes) -> list[tuple[str, str]]:
        nonlocal number
        number += 1
        image = tiny_image([packed, *more], architecture=ARCHITECTURE)
        code = int(bool(more))
        return codes(project, to_layout(tmp_path / str(number), {ARCHITECTURE: image}), code)

    assert told() == []
    edited = layer({f"{site}/lib/__init__.py": b"EDITED = 1\n"})
    assert told(edited) == [("PY102", "lib/__init__.py")]
    # Whoever puts the file back in a later layer has not changed anything.
    same = layer({f"{site}/lib/__init__.py": original})
    number += 1
    image = tiny_image([packed, edited, same], architecture=ARCHITECTURE)
    assert codes(project, to_layout(tmp_path / str(number), {ARCHITECTURE: image}), 0) == []
    assert told(layer({f"{site}/lib/.wh.__init__.py": b""})) == [("PY101", "lib/__init__.py")]
    strays = {f"{site}/evil.pth": b"import os\n", f"{site}/extra/mod.py": b"", f"{site}/x.so": b""}
    assert told(layer(strays)) == [("PY105", "evil.pth"), ("PY104", "extra/"), ("PY104", "x.so")]
    link = linking((f"{site}/lib/__init__.py", "gone.py", tarfile.SYMTYPE), files={"x": b""})
    assert told(link) == [("PY101", "lib/__init__.py")]
    moved = linking(
        (f"{site}/lib/__init__.py", f"{site}/other.py", tarfile.LNKTYPE),
        files={f"{site}/other.py": b"OTHER = 1\n"},
    )
    assert told(moved) == [("PY102", "lib/__init__.py"), ("PY104", "other.py")]


def test_what_tools_of_this_machine_keep(installed: tuple[Project, bytes], tmp_path: Path) -> None:
    project, packed = installed
    image = tiny_image([packed], architecture=ARCHITECTURE)
    folder = to_layout(tmp_path / "layout", {ARCHITECTURE: image})
    store = f"containers-storage:[vfs@{tmp_path}/store+{tmp_path}/run]localhost/app:v1"
    skopeo("copy", f"oci:{folder}:latest", store)
    assert codes(project, store, 0) == []
    # podman is asked where no store is named; its own settings say which one it is.
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/store"\nrunroot = "{tmp_path}/run"\n'
    )
    settings = {"CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf")}
    done = project.run("check", "--image", "containers-storage:app:v1", **settings)
    assert done.returncode == 0, done.stderr
    for name, words in (("none:v1", "none"), ("--help", "no name"), ("", "no name")):
        done = project.run("check", "--image", f"containers-storage:{name}", **settings)
        assert done.returncode == (3 if words == "none" else 2), done.stderr
        assert words in done.stderr
    done = project.run("check", "--image", "docker-daemon:app", PATH=str(tmp_path))
    assert done.returncode == 3
    assert "no docker or skopeo is here" in done.stderr


def test_every_locked_platform_of_an_index_is_compared(
    installed: tuple[Project, bytes], tmp_path: Path
) -> None:
    project, packed = installed
    project.write("lib==1.0", settings={"targets": ["linux/amd64", "linux/arm64"]})
    project.lock()
    bare = tiny_image([layer({"etc": None})], architecture="arm64")
    own = tiny_image([packed], architecture="amd64")
    folder = to_layout(tmp_path / "layout", {"amd64": own, "arm64": bare})
    done = project.run("check", "--image", str(folder), "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)["drift"]
    assert {(one["code"], one["cause"]) for one in found} == {
        ("PY001", "in the image for linux/arm64")
    }
    place = ("--image", str(folder), "--platform")
    assert project.run("check", *place, "linux/amd64").returncode == 0
    assert project.run("check", *place, "linux/arm64").returncode == 1
    assert "is not for linux/s390x" in project.run("check", *place, "linux/s390x").stderr
    assert project.run("check", "--platform", "linux/amd64").returncode == 2


def test_what_is_no_image(installed: tuple[Project, bytes], tmp_path: Path) -> None:
    project, packed = installed
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.tar").write_text("no tar")
    (tmp_path / "plain.tar").write_bytes(packed)
    for place, code, words in (
        (tmp_path / "empty", 2, "no file oci-layout"),
        (tmp_path / "text.tar", 2, "not the tar of an image"),
        (tmp_path / "plain.tar", 2, "no index.json or manifest.json"),
        (tmp_path / "missing.tar", 2, "no such file"),
        ("Not A Reference", 2, "no reference to an image"),
        ("127.0.0.1:9/team/app:v1", 3, "transfer failed"),
        ("imgae", 3, "no file or folder here is called imgae"),
    ):
        # Through a proxy that is not there nobody outside is reached.
        variables = {"ENVLOCK_HTTP_RETRIES": "0", "https_proxy": "http://127.0.0.1:9"}
        done = project.run("check", "--image", str(place), **variables)
        assert done.returncode == code, done.stderr
        assert words in done.stderr
    other = project.run("check", "--image", "x.tar", "--python-only")
    assert other.returncode == 2
    alien = to_layout(tmp_path / "alien", {"s390x": tiny_image([layer({})], architecture="s390x")})
    done = project.run("check", "--image", str(alien))
    assert done.returncode == 2
    assert "the image is for linux/s390x" in done.stderr


# --- layers ---


def test_layers_apply_in_order_with_whiteouts(tmp_path: Path) -> None:
    first = layer({**dist("a", "1"), **dist("b", "1"), **dist("c", "1")})
    second = layer(
        {
            f"{SITE}/.wh.a-1.dist-info": b"",
            **dist("a", "2"),
            "opt/other/x": b"",
        }
    )
    assert there(observed(tmp_path, first, second)) == {"a": "2", "b": "1", "c": "1"}
    opaque = layer({**dist("d", "1"), f"{SITE}/.wh..wh..opq": b""})
    assert there(observed(tmp_path / "2", first, opaque)) == {"d": "1"}
    gone = layer({"opt/.wh.venv": b""})
    assert there(observed(tmp_path / "3", first, gone)) == {}
    replaced = layer({"opt": b"now a file"})
    assert there(observed(tmp_path / "4", first, replaced)) == {}


def linking(*links: tuple[str, str, bytes], files: dict[str, bytes | None]) -> bytes:
    buffer = io.BytesIO(layer(files))
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        for name, target, kind in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return buffer.getvalue()


def test_links_are_followed_inside(tmp_path: Path) -> None:
    first = linking(("srv/app", "/../../opt", tarfile.SYMTYPE), files={"x": b""})
    through = layer(dist("a", "1", "srv/app/venv/lib/python3.11/site-packages"))
    cache = "root/.cache/uv/archive-v0/k/b-2.dist-info/METADATA"
    info = f"{SITE}/b-2.dist-info/METADATA"
    linked = linking(
        (info, cache, tarfile.LNKTYPE), files={cache: b"Name: b\nVersion: 2\n", "etc": None}
    )
    image = observed(tmp_path, first, through, linked)
    assert there(image) == {"a": "1", "b": "2"}
    assert str(image.python.prefix) == "/opt/venv"
    round_ = linking(("a", "b", tarfile.SYMTYPE), ("b", "a", tarfile.SYMTYPE), files={"x": b""})
    with pytest.raises(VerificationError, match="go round"):
        observed(tmp_path / "2", round_, layer({"a/file": b""}))


def test_the_distribution_s_own_packages_are_not_the_environment_s(tmp_path: Path) -> None:
    own = dist("apt", "9", "usr/lib/python3/dist-packages")
    image = observed(tmp_path, layer({**own, **dist("a", "1")}))
    assert there(image) == {"a": "1"}
    assert image.python.series == "3.11"


@pytest.mark.parametrize("distroless", [False, True])
def test_os_packages_and_labels(tmp_path: Path, distroless: bool) -> None:
    lock = replace(full_lock(), packages=(), built=(), builds=(), build_packages=())
    assert lock.os is not None
    assert lock.image is not None
    packages = [p for p in lock.os.packages if p.architecture == "amd64"]
    texts = {p.name: OS_PACKAGE.format(p.name, p.version) for p in packages}

    def image(place: str, texts: dict[str, str], base: str) -> ObservedImage:
        files: dict[str, bytes | None]
        if distroless:
            files = {
                f"var/lib/dpkg/status.d/{name}": text.replace(
                    "Status: install ok installed\n", ""
                ).encode()
                for name, text in texts.items()
            }
            files["var/lib/dpkg/status.d/x.md5sums"] = b"0  usr/bin/x\n"
        else:
            files = {"var/lib/dpkg/status": "\n".join(texts.values()).encode()}
        key = "org.opencontainers.image.base.digest"
        return observed(tmp_path / place, layer(files), annotations={key: base})

    right = image("right", texts, lock.image.digest)
    found = compare_image(lock, LINUX, replace(right, python=replace(right.python, version="3.11")))
    assert [d for d in found if d.code != Code.OTHER_INTERPRETER] == []
    first = packages[0]
    wrong = image("wrong", {first.name: OS_PACKAGE.format(first.name, "0")}, "sha256:" + "0" * 64)
    told = {(d.code, d.subject) for d in compare_image(lock, LINUX, wrong)}
    assert (Code.OS_VERSION, first.name) in told
    assert (Code.IMAGE_OTHER_BASE, lock.image.reference) in told
    assert {s for c, s in told if c == Code.OS_MISSING} == {p.name for p in packages[1:]}


# --- compression ---

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda data: data,
    "gzip": lambda data: gzip.compress(data),
    "gzip in two members": lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_compressions(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    image = tiny_image([layer(dist("a", "1"))], compress=compress)
    assert there(look(to_layout(tmp_path / "x", {"amd64": image}))) == {"a": "1"}


# --- damage ---


def damaged(tmp_path: Path, image: TinyImage, change: Callable[[bytes], bytes]) -> str:
    """The refusal of an image whose last layer's bytes were changed."""
    folder = to_layout(tmp_path / "layout", {"amd64": image})
    path = folder / "blobs/sha256" / [*image.blobs][-1].partition(":")[2]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(EnvlockError) as caught:
        look(folder)
    assert isinstance(caught.value, VerificationError)
    assert str(folder) in str(caught.value)
    return caught.value.what


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_a_changed_byte_or_length(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    image = tiny_image([layer({**dist("a", "1"), "z": b"x" * 5000})], compress=compress)

    def flip(data: bytes, at: int) -> bytes:
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    damaged(tmp_path / "cut", image, lambda data: data[:-10])
    damaged(tmp_path / "longer", image, lambda data: data + b"\0" * 512)
    size = len([*image.blobs.values()][-1])
    for at in (0, 5, size // 2, size - 1):
        damaged(tmp_path / str(at), image, lambda data, at=at: flip(data, at))


def test_a_layer_that_is_not_what_the_configuration_says(tmp_path: Path) -> None:
    image = tiny_image([layer({"a": b"1"})], compress=lambda _: gzip.compress(layer({"a": b"2"})))
    with pytest.raises(VerificationError, match="a layer's digest is"):
        look(to_layout(tmp_path / "x", {"amd64": image}))


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x"])
def test_a_path_that_leads_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(VerificationError, match="leads out of it"):
        observed(tmp_path, layer({name: b""}))


def test_a_header_that_asks_for_gigabytes(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 6 * 1024**3
    data = header.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 2048
    with pytest.raises(VerificationError, match="asks for more than any needs"):
        observed(tmp_path, data)


def test_a_bomb_takes_little_memory(tmp_path: Path) -> None:
    image = tiny_image(
        [layer({"zeros": bytes(100 * 1024 * 1024)})], compress=lambda data: gzip.compress(data, 1)
    )
    folder = to_layout(tmp_path / "x", {"amd64": image})
    tracemalloc.start()
    try:
        look(folder)
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_damage_of_manifests(tmp_path: Path) -> None:
    image = tiny_image([layer({})])
    for number, change in enumerate(
        [b"", b"{}", b"[]", b'{"manifests":[]}', b'{"manifests":[{"digest":"sha256:x"}]}', b"\xff"]
    ):
        folder = to_layout(tmp_path / str(number), {"amd64": image})
        (folder / "index.json").write_bytes(change)
        with pytest.raises(VerificationError):
            look(folder)
    folder = to_layout(tmp_path / "manifest", {"amd64": image})
    path = folder / "blobs/sha256" / hashlib.sha256(image.manifest).hexdigest()
    path.write_bytes(image.manifest.replace(b"tar+gzip", b"tar+gzop"))
    with pytest.raises(VerificationError, match="it must be"):
        look(folder)
