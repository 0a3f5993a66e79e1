"""``build image`` on real .debs: other tools read the image, and what is in it runs.

The packages come from the machine's mirror and are served on loopback as a snapshot service does.
umoci unpacks the image as root; dpkg, Python and su run in it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support import images
from support.image_world import World
from support.project import Project
from support.tools import run

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("image")]


@pytest.fixture
def world(built_world: World) -> World:
    return built_world


# --- read by other tools ---


def test_skopeo_agrees_on_every_digest(world: World) -> None:
    said = json.loads(run(["skopeo", "inspect", f"oci:{world.image}"]).stdout)
    (image,) = world.told["images"]
    assert said["Digest"] == world.told["digest"] == image["digest"]
    assert said["Layers"] == [layer["digest"] for layer in image["layers"]]
    assert (said["Os"], said["Architecture"]) == ("linux", "amd64")
    assert said["Labels"]["org.envlock.environment"] == world.told["environment-hash"]
    assert said["Created"] == "2024-06-02T00:00:00Z"
    config = json.loads(run(["skopeo", "inspect", "--config", f"oci:{world.image}"]).stdout)
    assert config["rootfs"]["diff_ids"] == [layer["diff-id"] for layer in image["layers"]]
    assert config["config"]["User"] == "app:app"


def test_a_copy_by_skopeo_keeps_the_digest(world: World, tmp_path: Path) -> None:
    run(
        [
            "skopeo",
            "copy",
            "-q",
            "--preserve-digests",
            f"oci:{world.image}",
            f"oci:{tmp_path / 'copy'}:x",
        ]
    )
    index = json.loads((tmp_path / "copy" / "index.json").read_bytes())
    assert [m["digest"] for m in index["manifests"]] == [world.told["digest"]]


# --- what is in it ---


def test_dpkg_knows_every_package_and_finds_nothing_changed(world: World) -> None:
    lock = world.project.read()
    assert lock.os is not None
    form = "-f=${Package} ${Version} ${db:Status-Status}\\n"
    said = images.inside(world.root, "dpkg-query", "-W", form).splitlines()
    assert sorted(said) == sorted(f"{p.name} {p.version} installed" for p in lock.os.packages)
    assert images.inside(world.root, "dpkg", "--verify") == ""
    assert images.inside(world.root, "dpkg", "--audit") == ""
    assert images.inside(world.root, "dpkg", "-S", "/usr/bin/python3.11").startswith("python3.11")


def test_every_file_is_a_packages_own(world: World) -> None:
    """Content, mode and owner of what dpkg-deb itself unpacks."""
    lock = world.project.read()
    assert lock.os is not None
    cache = Path(world.project.variables["ENVLOCK_CACHE_DIR"])
    for name in ("coreutils", "libc6", "login"):
        (package,) = lock.os.package(name)
        path = cache / "sha256" / package.sha256[:2] / package.sha256
        for line in run(["dpkg-deb", "--contents", path]).stdout.splitlines():
            mode, owner, size, _date, _time, member, *_ = line.split()
            there = (world.root / member).lstat()
            if mode.startswith("-"):
                assert there.st_size == int(size), member
                expected = sum(
                    1 << (8 - place) for place, sign in enumerate(mode[1:]) if sign not in "-ST"
                )
                assert there.st_mode & 0o777 == expected, member
                assert bool(there.st_mode & 0o4000) == (mode[3] in "sS"), member
            assert owner == "root/root"
            assert (there.st_uid, there.st_gid) == (0, 0), member


def test_the_environment_runs_as_its_user(world: World) -> None:
    assert images.inside(world.root, "hello", user="app:app") == "hello from /opt/venv on /usr\n"
    assert images.inside(world.root, "old") == "old\n"
    script = (world.root / "opt/venv/bin/hello").read_text()
    assert script.startswith("#!/opt/venv/bin/python\n")
    code = "import hello.cli, native, ssl, sqlite3, ctypes, getpass; print(getpass.getuser())"
    assert images.inside(world.root, "python", "-c", code, user="app:app") == "app\n"
    (world.root / "dev" / "null").touch()  # a file will do
    code = "from ctypes.util import find_library as f; print(f('c'), f('gomp'), f('ssl'))"
    assert images.inside(world.root, "python", "-c", code) == "libc.so.6 libgomp.so.1 libssl.so.3\n"
    code = "import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 100)"
    assert images.inside(world.root, "python", "-c", code) == "True\n"
    assert images.inside(world.root, "date", "+%Z") == "UTC\n"
    assert images.inside(world.root, "su", "nobody", "-s", "/bin/sh", "-c", "id -un") == "nobody\n"


def test_the_wheel_fits_the_images_c_library(world: World) -> None:
    names = [path.name for path in (world.root / "opt/venv").rglob("*.so")]
    assert names == ["cp311-cp311-manylinux_2_17_x86_64.so"]


def test_installed_files_are_what_record_says(world: World) -> None:
    code = """
import base64, hashlib, importlib.metadata as m
for d in m.distributions():
    for f in d.files:
        if f.hash:
            digest = hashlib.new(f.hash.mode, f.locate().read_bytes()).digest()
            assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == f.hash.value, f
        assert f.locate().exists(), f
    print(d.metadata["Name"], d.version, d.read_text("INSTALLER").strip(), len(d.files) > 3)
"""
    said = images.inside(world.root, "python", "-c", code).splitlines()
    assert sorted(said) == [
        "gamma 1.0 envlock True",
        "hello 1 envlock True",
        "native 2 envlock True",
        "near 1 envlock True",
        "sample 1 envlock True",
    ]


def test_the_projects_files_are_those_that_git_tracks(world: World) -> None:
    found = images.listing(world.root / "app")
    assert {path: rest[:3] for path, rest in found.items()} == {
        "libs": ("d", "755", "0:0"),
        "libs/near": ("d", "755", "0:0"),
        "libs/near/near.py": ("f", "644", "0:0"),
        "libs/near/pyproject.toml": ("f", "644", "0:0"),
        "link": ("l", "777", "0:0"),
        "pack": ("d", "755", "0:0"),
        "pack/run.sh": ("f", "755", "0:0"),
        "pyproject.toml": ("f", "644", "0:0"),
        "tool.py": ("f", "644", "0:0"),
    }
    assert images.inside(world.root, "/app/link") == "run\n"


def test_the_projects_programs_are_there_and_what_had_no_wheel(world: World) -> None:
    assert images.inside(world.root, "sample", user="app:app") == "the project\nsample\n"
    assert images.inside(world.root, "near-tool") == "near\n"
    assert images.inside(world.root, "python", "-c", "import gamma; print(gamma.made)") == "True\n"


# --- the same bytes ---


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_twice_elsewhere_gives_the_same_bytes(world: World, tmp_path: Path) -> None:
    """Another folder, cache, umask and time zone; the layers are made again."""
    cache = tmp_path / "cache"
    cache.mkdir()
    os.symlink(Path(world.project.variables["ENVLOCK_CACHE_DIR"], "sha256"), tmp_path / "files")
    for source in (tmp_path / "files").glob("*/*"):  # the files, without the layers' cache
        target = cache / "sha256" / source.parent.name / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, target)
    other = tmp_path / "elsewhere"
    run(["cp", "-a", world.project.root, other])
    before = os.umask(0o077)
    try:
        moved = Project(other, world.project.index, {"ENVLOCK_CACHE_DIR": str(cache)})
        done = moved.run(
            *("build", "image", "--output", str(tmp_path / "again"), "--json"),
            TZ="Asia/Tokyo",
            LC_ALL="C",
        )
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert not any(layer["cached"] for i in told["images"] for layer in i["layers"])
    assert told["digest"] == world.told["digest"]
    assert _tree(tmp_path / "again") == _tree(world.image)


def test_check_finds_it_to_be_of_the_lock(world: World, tmp_path: Path) -> None:
    """And tells what a layer on top changed."""
    done = world.project.run("check", "--image", str(world.image), "--json")
    assert (done.returncode, json.loads(done.stdout)["drift"]) == (0, [])
    lock = world.project.read()
    assert lock.os is not None
    changed = tmp_path / "changed"
    run(["cp", "-a", world.image, changed])
    root = tmp_path / "bundle"
    run(["umoci", "unpack", "--image", f"{changed}:latest", root])
    run(
        [
            "rm",
            "-r",
            *(root / "rootfs/opt/venv").glob("lib/python*/site-packages/native-2.dist-info"),
        ]
    )
    status = root / "rootfs/var/lib/dpkg/status"
    (package,) = lock.os.package("libc6")
    text = status.read_text()
    assert text.count(f"Version: {package.version}\n") >= 1
    paragraphs = [
        p.replace(f"Version: {package.version}", "Version: 0") if "Package: libc6\n" in p else p
        for p in text.split("\n\n")
    ]
    status.write_text("\n\n".join(paragraphs))
    (root / "rootfs/opt/venv/bin/hello").write_text("#!/bin/sh\n")
    (hook,) = (root / "rootfs/opt/venv").glob("lib/python*/site-packages/project.pth")
    hook.write_text(hook.read_text() + "import os\n")
    (root / "rootfs/usr/share/zoneinfo/Etc/UTC").write_text("never")
    run(["umoci", "repack", "--image", f"{changed}:latest", root])
    done = world.project.run("check", "--image", str(changed), "--json")
    assert done.returncode == 1, done.stderr
    found = [(one["code"], one["subject"]) for one in json.loads(done.stdout)["drift"]]
    assert sorted(found) == [
        ("OS002", "libc6"),
        ("OS102", "/usr/share/zoneinfo/Etc/UTC"),
        ("PY001", "native"),
        ("PY102", "venv/bin/hello"),
        ("PY105", "project.pth"),
    ]


def test_a_second_build_finds_its_layers(world: World) -> None:
    before = {path: path.stat().st_mtime_ns for path in world.image.rglob("*")}
    told = world.build("--output", "image")
    assert told["digest"] == world.told["digest"]
    assert all(layer["cached"] for i in told["images"] for layer in i["layers"])
    assert {path: path.stat().st_mtime_ns for path in world.image.rglob("*")} == before


def test_only_the_system_shares_its_layers(world: World, tmp_path: Path) -> None:
    told = world.build("--output", str(tmp_path / "os"), "--only", "os")
    (image,), (whole,) = told["images"], world.told["images"]
    assert [entry["digest"] for entry in image["layers"]] == [
        entry["digest"] for entry in whole["layers"][: len(image["layers"])]
    ]
    assert all(layer["cached"] for layer in image["layers"])
    config = images.document(tmp_path / "os", image["config"])
    assert config["config"]["User"] == ""


# --- refused ---


def test_a_folder_with_other_things_is_left_alone(world: World) -> None:
    done = world.project.run("build", "image", "--output", "pack")
    assert done.returncode == 2
    assert "there are other files in the folder" in done.stderr
    assert [path.name for path in (world.project.root / "pack").iterdir()] == ["run.sh"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say where the image goes"),
        (("--output", "x", "--target", "linux/arm64@3.11"), "the lock is not for linux/arm64"),
        (("--output", "x", "--user", "me"), "'me' is no user"),
    ],
)
def test_refusals_say_why_and_leave_nothing(
    world: World, arguments: tuple[str, ...], said: str
) -> None:
    done = world.project.run("build", "image", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (world.project.root / "x").exists()
