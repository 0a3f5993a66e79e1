"""``envlock rebuild --os-package``: real Debian packages from their sources, and builds that fail.

Real apt chooses and fetches what a build needs, from the machine's mirror; a loopback snapshot
archive serves it. The oracles are the published .debs, dpkg, and what dpkg itself notes of
a build (its .buildinfo).
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.debian_sources import REAL, Sources, made_source, real_sources
from support.index import LoopbackIndex
from support.project import Project, errors_in
from support.small_disk import small_disk
from support.snapshot import SnapshotServer, flip
from support.tiny_archive import signer
from support.tools import run

pytestmark = pytest.mark.network

SLEEP = f"sleep 611.{os.getpid()}"
CONDITIONS = (
    'echo "as $$(id -un) $$(id -u) in $$PWD, home $$HOME, epoch $$SOURCE_DATE_EPOCH"',
    'echo "network: $$(ls /sys/class/net 2>/dev/null | tr "\\n" " ")"; cat /proc/net/dev',
    "perl -MIO::Socket::INET -e 'exit !!IO::Socket::INET->new(\"127.0.0.1:PORT\")'",
    "perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(Listen => 1)'",
    "! env | grep SECRET",
    "echo the end is near; exit 3",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    project: Project
    archive: SnapshotServer
    real: Sources

    def rebuild(self, *options: str, code: int = 0) -> Any:
        """What ``--json`` says of the real packages."""
        names = [part for name in REAL for part in ("--os-package", name)]
        running = self.project.start("rebuild", *names, *options, "--json")
        said, complaint = running.communicate(timeout=600)
        assert running.returncode == code, (running.returncode, complaint)
        return json.loads(said)

    def published(self, name: str) -> bytes:
        [deb] = [deb for deb in self.real.debs if deb.name == name]
        return deb.content


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("debian-sources")
    real = real_sources(folder)
    root = folder / "project"
    root.mkdir()
    with SnapshotServer({}) as archive, LoopbackIndex("json") as index:
        port = archive.base.rpartition(":")[2]
        made = (
            made_source(folder, "fails", *(line.replace("PORT", port) for line in CONDITIONS)),
            made_source(folder, "hangs", "echo I sleep", SLEEP),
        )
        archive.states = {k: dict(v) for k, v in real.states(signer(), made).items()}
        project = Project(root, index, {"ENVLOCK_CACHE_DIR": str(folder / "cache")})
        (root / "archive.pgp").write_bytes(signer().public)
        os = {
            "base": "debian:bookworm",
            "packages": [*REAL, "fails", "hangs"],
            "keyring": "archive.pgp",
            "mirrors": [archive.template],
        }
        settings = {"targets": ["linux/amd64"], "python": "3.11", "interpreter": "base-image"}
        project.write(settings=settings | {"requirements": [], "os": os})
        project.lock(as_of="2024-06-02")
        yield World(project=project, archive=archive, real=real)


def _real_packages_beside_the_published_ones(world: World, tmp_path: Path) -> None:
    told = world.rebuild(code=1)
    every, program = told["builds"]
    assert (every["source"], every["kind"]) == ("mobian-keyring", "all")
    [held] = every["packages"]
    assert (held["state"], held["differences"]) == ("identical", [])
    [file] = Path(every["folder"]).glob("*.deb")
    assert file.read_bytes() == world.published(REAL[0])
    # What was installed to build: all that apt chooses, and dpkg's own note of it.
    [note] = Path(every["folder"]).glob("*.buildinfo")
    listed = note.read_text().partition("Installed-Build-Depends:\n")[2].partition("\nEnv")[0]
    installed = set(re.findall(r"^ (\S+) \(= (\S+)\),?$", listed, re.M))
    assert every["build-dependencies"] == len(world.real.needs)
    assert installed <= world.real.needs
    assert len(installed) > 100
    assert "\nBuild-Path: /build/reproducible-path/mobian-keyring-" in note.read_text()

    # A binNMU: the entry of the changelog that no source package has.
    [held] = program["packages"]
    assert held["version"].endswith("+b1")
    assert program["version"] == held["version"]
    [built] = Path(program["folder"]).glob("mp3rename_*.deb")
    field = run(["dpkg-deb", "--field", str(built), "Source", "Version"]).stdout
    assert f"({held['version'].removesuffix('+b1')})" in field
    assert f"Version: {held['version']}\n" in field
    published = tmp_path / "published.deb"
    published.write_bytes(world.published("mp3rename"))
    entries = [_changelog(deb, tmp_path) for deb in (built, published)]
    assert entries[0] == entries[1]
    assert "binary-only=yes" in entries[0]
    # It was published from an older compiler's surroundings: the program's debug information.
    assert held["state"] == "different"
    assert held["differences"][0] == "~ usr/bin/mp3rename: content"
    assert ".note.gnu.build-id" in held["first"]
    assert ".text" not in held["first"]
    assert "error" not in Path(program["log"]).read_text().partition("dpkg-deb: building")[2]

    # Again, and nothing is asked or built; what it is built with is resolved from what is kept.
    shutil.rmtree(Path(world.project.variables["ENVLOCK_CACHE_DIR"], "debian-build-needs-1"))
    world.archive.forget_requests()
    started = time.monotonic()
    again = world.rebuild("--offline", code=1)
    assert time.monotonic() - started < 10
    assert world.archive.count() == 0
    assert [build["cached"] for build in again["builds"]] == [True, True]
    assert [build["files"] for build in again["builds"]] == [
        build["files"] for build in told["builds"]
    ]


def _changelog(deb: Path, folder: Path) -> str:
    place = folder / deb.parent.name / deb.stem
    place.mkdir(parents=True)
    run(["dpkg-deb", "-x", str(deb), str(place)])
    path = place / "usr/share/doc/mp3rename/changelog.Debian.amd64.gz"
    return gzip.decompress(path.read_bytes()).decode().strip()


def _a_bundle_has_what_a_build_needs(world: World, tmp_path: Path) -> None:
    """Elsewhere, without a network; the root alone, which takes long to make, is there already."""
    bundle = tmp_path / "b.tar"
    done = world.project.run("bundle", "--os-build", REAL[0], "-o", str(bundle))
    assert done.returncode == 0, done.stderr
    warm, cold = Path(world.project.variables["ENVLOCK_CACHE_DIR"]), tmp_path / "cold"
    shutil.copytree(warm / "debian-roots-1", cold / "debian-roots-1")
    for large in (path for path in warm.rglob("*") if path.is_file()):
        if large.stat().st_size > 200 << 20:
            place = cold / large.relative_to(warm)
            place.parent.mkdir(parents=True)
            place.hardlink_to(large)
    world.archive.forget_requests()
    options = ("--os-package", REAL[0], "--offline", "--from", str(bundle), "--json")
    done = world.project.run("rebuild", *options, ENVLOCK_CACHE_DIR=str(cold))
    assert done.returncode == 0, done.stderr
    [build] = json.loads(done.stdout)["builds"]
    assert (build["packages"][0]["state"], build["cached"]) == ("identical", False)
    assert world.archive.count() == 0
    # A root that is not made in time is given up, with all that makes it.
    shutil.rmtree(cold / "debian-roots-1")
    (place := tmp_path / "tmp").mkdir()
    variables = {"ENVLOCK_BUILD_TIMEOUT": "1", "TMPDIR": str(place)}
    slow = ("rebuild", *options[:-1], "--recreate")
    done = world.project.run(*slow, ENVLOCK_CACHE_DIR=str(cold), **variables)
    assert done.returncode == 3, done.stderr
    assert re.search(r"installing \d+ packages did not end within 1 seconds", done.stderr)
    assert "ENVLOCK_BUILD_TIMEOUT=7200" in done.stderr
    assert not list(place.iterdir())
    # Of what it has nothing for, it says so; and what no lock has cannot be asked for.
    options = ("--os-package", REAL[1], "--offline", "--from", str(bundle))
    done = world.project.run("rebuild", *options, ENVLOCK_CACHE_DIR=str(cold))
    assert done.returncode == 3
    assert "files are missing" in done.stderr
    for arguments, said in (
        (("--os-build", "mp3renam"), "did you mean mp3rename?"),
        (("--os-build", REAL[0], "--without", "indexes"), "leave out --without indexes"),
    ):
        done = world.project.run("bundle", *arguments, "-o", str(tmp_path / "no.tar"))
        assert done.returncode == 2
        assert said in done.stderr


def _a_build_that_fails_says_why_and_where_it_was(world: World) -> None:
    done = world.project.run("rebuild", "--os-package", "fails", SECRET="1")
    assert done.returncode == 3, done.stderr
    assert "fails 1 was not built" in done.stderr
    assert "the end is near" in done.stderr
    log = Path(re.findall(r"log: (\S+)", done.stderr)[0]).read_text()
    where = "/build/reproducible-path/fails-1"
    assert f"\nas sbuild 1000 in {where}, home /nonexistent, epoch 1704110400\n" in log
    interfaces = re.findall(
        r"^ *(\w+):", log.partition("Inter-|")[2].partition("echo the")[0], re.M
    )
    assert interfaces == ["lo"]
    assert not (world.project.root / ".debs-rebuilt" / "fails_1_all").exists()


def _a_build_that_hangs_is_ended_with_all_it_started(world: World) -> None:
    done = world.project.run("rebuild", "--os-package", "hangs", ENVLOCK_BUILD_TIMEOUT="4")
    assert done.returncode == 3, done.stderr
    assert "the build did not end within 4 seconds" in done.stderr
    assert "I sleep" in done.stderr
    assert not list(world.project.root.glob(".debs-rebuilt/hangs*"))
    assert not _asleep()


def _asleep() -> bool:
    return subprocess.run(["pgrep", "-fx", SLEEP], capture_output=True, check=False).stdout != b""


def _an_interrupted_build_leaves_nothing_and_may_be_begun_again(
    world: World, tmp_path: Path
) -> None:
    """By the user, and by the worst of signals; what that leaves, the next run takes away."""
    for number in (signal.SIGKILL, signal.SIGINT):
        running = world.project.start("rebuild", "--os-package", "hangs", TMPDIR=str(tmp_path))
        _until(_asleep)
        running.send_signal(number)
        running.communicate(timeout=60)
        assert running.returncode == (-9 if number == signal.SIGKILL else 130)
        assert not list(world.project.root.glob(".debs-rebuilt/*hangs*"))
        if number == signal.SIGKILL:
            assert list(tmp_path.glob("envlock-debian-*"))
            subprocess.run(["pkill", "-fx", SLEEP], check=True)
            _until(lambda: not _asleep())
    assert not _asleep()
    assert not list(tmp_path.glob("envlock-debian-*"))


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def _wrong_and_missing_source_files_are_named(world: World, tmp_path: Path) -> None:
    """Each in a cache of its own; the published .debs are in a folder."""
    debs = tmp_path / "debs"
    debs.mkdir()
    for deb in world.real.debs:
        if deb.name in REAL:
            (debs / deb.filename.rpartition("/")[2]).write_bytes(deb.content)
    arguments = ("rebuild", "--os-package", REAL[0], "--from", str(debs))
    variables = {"ENVLOCK_HTTP_RETRIES": "0"}
    pattern = "*/mobian-keyring_*.tar.*"
    try:
        world.archive.tamper(pattern, flip(-1))
        done = world.project.run(*arguments, ENVLOCK_CACHE_DIR=str(tmp_path / "a"), **variables)
        assert done.returncode == 4, done.stderr
        assert errors_in(done.stderr) == 1
        assert re.search(r"mobian-keyring_\S+\.tar\.\w+ has other bytes", done.stderr)
        world.archive.heal()
        world.archive.fail(pattern, "not-found")
        done = world.project.run(*arguments, ENVLOCK_CACHE_DIR=str(tmp_path / "b"), **variables)
        assert done.returncode == 3, done.stderr
        assert errors_in(done.stderr) == 1
        assert re.search(r"mobian-keyring_\S+\.tar\.\w+\n +tried .* 404", done.stderr)
    finally:
        world.archive.heal()


def _what_cannot_be_asked_for(world: World) -> None:
    done = world.project.run("rebuild", "--os-package", "mp3renam")
    assert done.returncode == 2
    assert "did you mean mp3rename?" in done.stderr
    done = world.project.run("rebuild", "--os-package", "mp3rename", "--backend", "image")
    assert done.returncode == 2
    other = {"ENVLOCK_CACHE_DIR": str(world.project.root / "empty")}
    done = world.project.run("rebuild", "--os-package", "mp3rename", "--offline", **other)
    assert done.returncode == 3
    assert "without --offline" in done.stderr


def _a_full_disk_is_said_to_be_full(world: World, tmp_path: Path) -> None:
    with small_disk(tmp_path, 8192) as disk:
        done = world.project.run(
            *("rebuild", "--os-package", "fails", "--recreate"),
            through=disk.prefix,
            TMPDIR=str(disk.folder),
        )
        assert done.returncode == 3, done.stderr
        assert disk.message in done.stderr
        assert errors_in(done.stderr) == 1
        assert disk.left() == []


def test_debian_packages_from_their_sources(world: World, tmp_path: Path) -> None:
    """One test: what they share takes half a minute, and is not to be made by each worker."""
    _real_packages_beside_the_published_ones(world, _folder(tmp_path, "real"))
    _a_bundle_has_what_a_build_needs(world, _folder(tmp_path, "bundle"))
    _a_build_that_fails_says_why_and_where_it_was(world)
    _a_build_that_hangs_is_ended_with_all_it_started(world)
    _an_interrupted_build_leaves_nothing_and_may_be_begun_again(
        world, _folder(tmp_path, "interrupted")
    )
    _wrong_and_missing_source_files_are_named(world, _folder(tmp_path, "wrong"))
    _what_cannot_be_asked_for(world)
    _a_full_disk_is_said_to_be_full(world, _folder(tmp_path, "full"))


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
