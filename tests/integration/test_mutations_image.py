"""Changes to an image that holds a lock's environment and OS packages: each is told with its code,
and nothing else is; what is no drift is not told. skopeo makes other forms of the same image."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import zstandard
from support.index import LoopbackIndex
from support.install import HERE, locked
from support.mutations import judged, registry, told
from support.project import PYTHON, Project
from support.registries import layer, skopeo, tiny_image, to_layout
from support.samples import IMAGE, os_package, small_lock

from envlock.lock import codec
from envlock.lock.hashing import environment_hash
from envlock.lock.image import PlatformImage
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer

DRIFT, mutation = registry()
HARMLESS, harmless = registry()
ARCHITECTURE = HERE.platform.partition("/")[2]
SITE = f"opt/venv/lib/python{PYTHON}/site-packages"
ENVIRONMENT = "org.envlock.environment"
BASE = "org.opencontainers.image.base.digest"
STATUS = "var/lib/dpkg/status"
PARAGRAPH = (
    "Package: {}\nStatus: install ok installed\nArchitecture: " + ARCHITECTURE + "\nVersion: {}\n\n"
)
PACKAGES = {"libc6": "2.36-9", "libgomp1": "12.2.0-14"}


@dataclass(slots=True)
class Image:
    """A project, and an image of its lock; a change adds layers, or says what it is called."""

    root: Path
    lock: Lock
    packed: bytes
    layers: list[bytes]
    labels: dict[str, str]
    compress: Callable[[bytes], bytes] | None = None
    place: str = "image"
    after: Callable[[Path], None] | None = None

    def restore(self) -> None:
        self.write(self.lock)
        self.layers = [layer({STATUS: self.status().encode(), "etc": None}), self.packed]
        self.labels = {ENVIRONMENT: environment_hash(self.lock).root, BASE: IMAGE.digest}
        self.compress, self.place, self.after = None, "image", None

    def write(self, lock: Lock) -> None:
        (self.root / "pylock.toml").write_text(codec.dump(lock))

    def status(self, **other: str) -> str:
        """dpkg's: with another version for a package, or without it where that is empty."""
        versions = {**PACKAGES, **other}
        return "".join(PARAGRAPH.format(*pair) for pair in versions.items() if pair[1])

    def add(self, files: dict[str, bytes | None]) -> None:
        """One layer more."""
        self.layers.append(layer(files))

    def found(self, capfd: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
        for path in self.root.iterdir():
            if path.name not in ("pylock.toml", "pyproject.toml"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        made = tiny_image(
            self.layers, architecture=ARCHITECTURE, labels=self.labels, compress=self.compress
        )
        folder = to_layout(self.root / "image", {ARCHITECTURE: made})
        if self.after is not None:
            self.after(folder)
        found = told(self.root, capfd, "--image", self.place)
        return [(code, "") if code.startswith("exit") else (code, s) for code, s in found]


@pytest.fixture
def image(project: Project, index: LoopbackIndex) -> Image:
    project.write("alpha", "beta")
    stored = [index.add(name, "1.0", "2024-01-01") for name in ("alpha", "beta")]
    packages = tuple(
        os_package(name, version=version, architecture=ARCHITECTURE)
        for name, version in PACKAGES.items()
    )
    lock = small_lock(*(locked(index, one) for one in stored), wishes=("alpha", "beta"))
    platforms = (PlatformImage(platform=HERE.platform, digest="sha256:" + "3" * 64),)
    lock = replace(
        lock,
        targets=(HERE,),
        request=replace(lock.request, targets=(HERE,)),
        os=OsLayer(base="debian:bookworm", archives=(), packages=packages),
        image=replace(IMAGE, platforms=platforms),
    )
    (project.root / "pylock.toml").write_text(codec.dump(lock))
    done = project.run("sync")
    assert done.returncode == 0, done.stderr
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(project.root / ".venv", arcname="./opt/venv")
    return Image(project.root, lock, packed.getvalue(), [], {})


def test_every_change_is_told_and_what_is_no_drift_is_not(
    image: Image,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    for name, changes in (("caught", DRIFT), ("silent", HARMLESS)):
        wrong = judged(changes, image, lambda: image.found(capfd))
        record_property("mutations", f"{len(changes) - len(wrong)} of {len(changes)} {name}")
        assert not wrong, "\n".join(wrong)


def _metadata(name: str, version: str) -> dict[str, bytes | None]:
    info = f"{name}-{version}.dist-info"
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
    record = f"{info}/METADATA,sha256={digest},{len(text)}\n{info}/RECORD,,\n"
    return {f"{SITE}/{info}/METADATA": text, f"{SITE}/{info}/RECORD": record.encode()}


# --- what it says of itself ---


@mutation(("IM001", "environment hash"))
def the_label_names_another_environment(image: Image) -> None:
    image.labels[ENVIRONMENT] = "env1-" + "0" * 64


@mutation(("IM002", IMAGE.reference))
def the_label_names_another_base(image: Image) -> None:
    image.labels[BASE] = "sha256:" + "9" * 64


@mutation(("IM001", "environment hash"), ("PY003", "alpha"))
def the_lock_moved_on(image: Image) -> None:
    packages = [
        replace(p, version="2.0", wheels=(replace(p.wheels[0], name="alpha-2.0-py3-none-any.whl"),))
        if p.name == "alpha"
        else p
        for p in image.lock.packages
    ]
    image.write(replace(image.lock, packages=tuple(packages)))


# --- layers on top ---


@mutation(("PY001", "alpha"))
def a_layer_removes_a_package(image: Image) -> None:
    image.add({f"{SITE}/.wh.alpha-1.0.dist-info": b"", f"{SITE}/.wh.alpha": b""})


@mutation(("PY001", "alpha"), ("PY001", "beta"))
def a_layer_removes_the_environment(image: Image) -> None:
    image.add({"opt/.wh.venv": b""})


@mutation(("PY003", "alpha"))
def a_layer_brings_another_version(image: Image) -> None:
    gone: dict[str, bytes | None] = {
        f"{SITE}/.wh.{n}": b"" for n in ("alpha", "alpha-1.0.dist-info")
    }
    image.add({**gone, **_metadata("alpha", "1.1")})


@mutation(("PY102", "alpha/__init__.py"))
def a_layer_edits_a_module(image: Image) -> None:
    image.add({f"{SITE}/alpha/__init__.py": b"import os\n"})


@mutation(("PY101", "alpha/__init__.py"))
def a_layer_removes_a_module(image: Image) -> None:
    image.add({f"{SITE}/alpha/.wh.__init__.py": b""})


@mutation(("PY104", "stray.py"))
def a_layer_brings_a_module(image: Image) -> None:
    image.add({f"{SITE}/stray.py": b""})


@mutation(("PY105", "sitecustomize.py"))
def a_layer_brings_a_startup_hook(image: Image) -> None:
    image.add({f"{SITE}/sitecustomize.py": b""})


@mutation(("PY002", "zeta"))
def a_layer_brings_a_package(image: Image) -> None:
    image.add(_metadata("zeta", "1"))


@mutation(("PY007", "alpha"))
def a_layer_brings_a_package_again(image: Image) -> None:
    image.add(_metadata("alpha", "1.1"))


@mutation(("OS001", "libgomp1"))
def a_layer_removes_an_os_package(image: Image) -> None:
    image.add({STATUS: image.status(libgomp1="").encode()})


@mutation(("OS002", "libgomp1"))
def a_layer_upgrades_an_os_package(image: Image) -> None:
    image.add({STATUS: image.status(libgomp1="12.2.0-15").encode()})


@mutation(("OS003", "libc6"))
def a_layer_leaves_an_os_package_half_installed(image: Image) -> None:
    text = image.status().replace("ok installed", "ok half-configured", 1)
    image.add({STATUS: text.encode()})


@mutation(("OS004", "libc6"))
def a_layer_holds_an_os_package(image: Image) -> None:
    image.add({STATUS: image.status().replace("install ok", "hold ok", 1).encode()})


@mutation(("OS001", "libc6"), ("OS001", "libgomp1"))
def a_layer_removes_dpkgs_status(image: Image) -> None:
    image.add({"var/lib/.wh.dpkg": b""})


# --- damage: never a pass ---


def _blob(folder: Path, number: int) -> Path:
    """One of the layers, the smallest first."""
    return sorted((folder / "blobs/sha256").iterdir(), key=lambda p: p.stat().st_size)[number]


@mutation(("exit code 4", ""))
def a_byte_of_a_layer_is_flipped(image: Image) -> None:
    def change(folder: Path) -> None:
        path = _blob(folder, -1)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    image.after = change


@mutation(("exit code 4", ""))
def a_layer_is_cut(image: Image) -> None:
    image.after = lambda folder: _blob(folder, -1).write_bytes(_blob(folder, -1).read_bytes()[:-9])


@mutation(("exit code 4", ""))
def a_layer_is_exchanged_for_another(image: Image) -> None:
    image.after = lambda folder: _blob(folder, -1).write_bytes(gzip.compress(layer({"x": b""})))


@mutation(("exit code 4", ""))
def the_configuration_is_edited(image: Image) -> None:
    def change(folder: Path) -> None:
        for path in (folder / "blobs/sha256").iterdir():
            content = path.read_bytes()
            if b'"rootfs"' in content:
                path.write_bytes(content.replace(b"env1-", b"env2-"))

    image.after = change


# --- no drift ---


@harmless()
def nothing(image: Image) -> None:
    pass


@harmless()
def labels_of_others(image: Image) -> None:
    image.labels["org.opencontainers.image.title"] = "app"


@harmless()
def no_labels(image: Image) -> None:
    image.labels.clear()


@harmless()
def files_of_the_project(image: Image) -> None:
    image.add({"app/main.py": b"print()\n", "srv/data.csv": b"1,2\n"})


@harmless()
def another_compression(image: Image) -> None:
    image.compress = lambda data: zstandard.ZstdCompressor().compress(data)


@harmless()
def as_a_tar_of_docker(image: Image) -> None:
    image.after = lambda folder: skopeo("copy", f"oci:{folder}", f"docker-archive:{folder}.tar:a:1")
    image.place = "image.tar"


@harmless()
def as_a_tar_of_oci(image: Image) -> None:
    image.after = lambda folder: skopeo("copy", f"oci:{folder}", f"oci-archive:{folder}.tar:a:1")
    image.place = "image.tar"


@harmless()
def the_same_files_in_one_layer_more(image: Image) -> None:
    image.layers.append(image.layers[0])


@harmless()
def os_packages_beyond_the_lock(image: Image) -> None:
    image.add({STATUS: (image.status() + PARAGRAPH.format("curl", "8")).encode()})


@harmless()
def an_unlocked_pip(image: Image) -> None:
    image.add(_metadata("pip", "25"))
