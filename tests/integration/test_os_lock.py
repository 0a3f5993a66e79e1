"""OS packages in a lock: the real command on a loopback snapshot archive with two instants."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.packages import BACKEND
from support.project import Project, errors_in
from support.snapshot import SnapshotServer, flip
from support.tiny_archive import (
    Deb,
    TinySuite,
    base_debs,
    bookworm_suites,
    signer,
    sources_of,
    two_instants,
)

from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock

OLD, BETWEEN, NEW = "2024-02-01", "2024-05-31", "2024-06-02"


@pytest.fixture
def archive() -> Iterator[SnapshotServer]:
    with SnapshotServer(two_instants()) as running:
        yield running


@pytest.fixture
def asking(project: Project, index: LoopbackIndex, archive: SnapshotServer) -> Project:
    """A project that asks for one Python package and ``app`` of bookworm."""
    index.add("lib", "1.0", "2024-01-01")
    (project.root / "archive.pgp").write_bytes(signer().public)
    return ask(project, archive, packages=["app"])


def ask(project: Project, archive: SnapshotServer, **os: Any) -> Project:
    table = {"base": "debian:bookworm", "keyring": "archive.pgp", "mirrors": [archive.template]}
    return project.write(
        "lib",
        settings={
            "targets": ["linux/amd64"],
            "python": "3.12",
            "interpreter": "base-image",
            "os": table | os,
        },
    )


def versions(lock: Lock) -> dict[str, str]:
    assert lock.os is not None
    return {package.name: package.version for package in lock.os.packages}


def test_the_date_decides_which_versions_are_locked(asking: Project) -> None:
    old = asking.lock(as_of=OLD)
    assert versions(old) == {"libc6": "2.36-9", "app": "1.0-1", "lib": "1.0-1", "smtp": "2"}
    assert versions(asking.lock(as_of=BETWEEN)) == versions(old)
    new = asking.lock(as_of=NEW)
    assert versions(new) == {
        "libc6": "2.36-9",
        "app": "1.1-1",
        "lib": "1.1-1+deb12u1",
        "smtp": "2",
    }
    assert environment_hash(new).python == environment_hash(old).python
    assert environment_hash(new).os != environment_hash(old).os


def test_the_lock_says_where_each_package_is_from(asking: Project) -> None:
    layer = asking.lock(as_of=NEW).os
    assert layer is not None
    assert [(a.archive, a.suite, a.snapshot) for a in layer.archives] == [
        ("debian", "bookworm", "20240601T120000Z"),
        ("debian", "bookworm-updates", "20240601T120000Z"),
        ("debian-security", "bookworm-security", "20240601T120000Z"),
    ]
    assert {a.key.lower() for a in layer.archives} == {signer().fingerprint.lower()}
    [lib] = layer.package("lib")
    assert (lib.suite, lib.source, lib.via) == ("bookworm-security", "lib", ("app",))
    [app] = layer.package("app")
    assert app.requested
    assert not app.base
    [libc] = layer.package("libc6")
    assert libc.base


def test_twice_gives_the_same_bytes_and_the_second_one_asks_nothing(
    asking: Project, archive: SnapshotServer
) -> None:
    asking.lock(as_of=OLD)
    before = asking.lock_path.read_bytes()
    asking.lock_path.unlink()
    asking.lock(as_of=OLD, ENVLOCK_CACHE_DIR=str(asking.root / "another-cache"))
    assert asking.lock_path.read_bytes() == before
    archive.forget_requests()
    asking.lock(as_of=OLD)
    assert archive.count() == 0


def test_another_wish_makes_the_lock_stale(asking: Project, archive: SnapshotServer) -> None:
    asking.lock(as_of=OLD)
    ask(asking, archive, packages=["app", "data"])
    done = asking.run("lock", "--check")
    assert done.returncode == 1
    assert "os-packages: data was added" in done.stderr
    assert "data" in versions(asking.lock(as_of=OLD))


def test_what_builds_need_is_locked_apart_and_not_asked_of_what_runs(
    project: Project, index: LoopbackIndex, archive: SnapshotServer
) -> None:
    debs = (
        *base_debs("1.0-1"),
        Deb(name="cmake", version="3.25", fields={"Depends": "cmake-data, lib"}),
        Deb(name="cmake-data", version="3.25", architecture="all"),
    )
    date = datetime(2024, 1, 1, tzinfo=UTC)
    suite = TinySuite(name="bookworm", debs=debs, sources=sources_of(debs), date=date)
    archive.states["debian"]["20240101T120000Z"] = {
        **archive.states["debian"]["20240101T120000Z"],
        **suite.files(signer()),
    }
    (project.root / "archive.pgp").write_bytes(signer().public)
    system = '[build-system]\nrequires = ["cmake"]\nbuild-backend = "tiny_backend"\n'
    files = {
        "pyproject.toml": system + 'backend-path = ["_backend"]\n',
        "_backend/tiny_backend.py": BACKEND,
    }
    for name in ("cmake", "thing"):
        index.add(name, "1.0", "2023-12-01")
    index.add("thing", "1.0", "2023-12-01", sdist=True, files=files)

    def lock(**more: Any) -> Lock:
        table = {"base": "debian:bookworm", "keyring": "archive.pgp", "packages": ["app"]}
        table |= {"mirrors": [archive.template], **more}
        settings = {"sources": True, "interpreter": "base-image", "os": table}
        project.write("thing", settings=settings)
        return project.lock(as_of=OLD)

    found = lock()
    assert found.os is not None
    assert set(versions(found)) == {"libc6", "app", "lib", "smtp"}
    extra = {p.name: p for p in found.os.build_packages}
    assert {name: (p.requested, p.via, p.via_wheels) for name, p in extra.items()} == {
        "cmake": (True, (), ("thing",)),
        "cmake-data": (False, ("cmake",), ()),
    }
    first = project.lock_path.read_bytes()
    archive.forget_requests()
    project.run("lock", "--as-of", OLD)
    assert archive.count() == 0
    project.lock_path.unlink()
    assert lock() == found
    assert project.lock_path.read_bytes() == first

    assert (
        "to build thing → cmake 3.25 → cmake-data 3.25" in project.run("why", "cmake-data").stdout
    )
    assert "only to build (2 packages)\n└── cmake 3.25\n" in project.run("tree").stdout
    before = project.root / "before.toml"
    before.write_bytes(first)
    more = lock(**{"build-packages": ["data"]})
    assert environment_hash(more).os != environment_hash(found).os
    changes = project.json("diff", str(before), "pylock.toml")["changes"]
    assert [(one["name"], one["kind"]) for one in changes] == [("build:data:amd64", "added")]
    assert "os.build-packages → data 1.0-1" in project.run("why", "data").stdout
    # What is needed to run is there once only.
    assert "cmake" in versions(lock(packages=["app", "cmake"]))


def test_a_whole_layer_is_one_change(asking: Project, archive: SnapshotServer) -> None:
    wanted = (asking.root / "pyproject.toml").read_text()
    asking.write("lib", settings={"targets": ["linux/amd64"], "python": "3.12"})
    asking.lock(as_of=OLD)
    (asking.root / "pyproject.toml").write_text(wanted)
    shown = asking.run("lock", "--as-of", OLD, "--dry-run", "-v").stderr
    done = asking.run("lock", "--as-of", OLD)
    assert done.returncode == 0, done.stderr
    assert "  added      4 packages of debian:bookworm\n" in done.stderr
    assert "libc6" in shown
    assert "libc6" not in done.stderr
    asking.write("lib", settings={"targets": ["linux/amd64"], "python": "3.12"})
    assert "  removed    4 packages of debian:bookworm\n" in asking.run("lock").stderr


def test_a_lock_of_now_is_widened_from_the_mirror_that_has_not_moved_on(
    asking: Project, archive: SnapshotServer
) -> None:
    mirrors = [archive.live, archive.template]
    ask(asking, archive, packages=["app"], mirrors=mirrors)
    before = asking.lock(as_of=None).os
    assert before is not None
    assert {a.snapshot for a in before.archives} == {None}
    ask(asking, archive, packages=["app", "data"], mirrors=mirrors)
    time.sleep(1)  # within one second, it is "now" still
    archive.forget_requests()
    after = asking.lock(as_of=None).os
    assert after is not None
    assert after.archives == before.archives
    assert {p.name for p in after.packages} - {p.name for p in before.packages} == {"data"}
    assert archive.count("/archive/*") == 0


def test_a_lock_of_now_is_widened_from_the_snapshot_once_the_mirror_has_moved_on(
    asking: Project, archive: SnapshotServer
) -> None:
    mirrors = [archive.live, archive.template]
    ask(asking, archive, packages=["app"], mirrors=mirrors)
    before = asking.lock(as_of=None).os
    assert before is not None
    # Published after the lock was made: only the mirror has it.
    newest = datetime.now(UTC) + timedelta(seconds=2)
    archive.states["debian"]["20990101T000000Z"] = bookworm_suites("2.0-1", newest)
    ask(asking, archive, packages=["app", "data"], mirrors=mirrors)
    time.sleep(1)
    after = asking.lock(as_of=None).os
    assert after is not None
    assert [a.release_sha256 for a in after.archives] == [a.release_sha256 for a in before.archives]
    assert [a.snapshot for a in after.archives] == ["20240601T120000Z", "20240601T120000Z", None]
    assert {p.name for p in after.packages} - {p.name for p in before.packages} == {"data"}
    assert {p.version for p in after.packages if p.name == "data"} == {"1.1-1"}


def test_another_python_wish_asks_no_archive_again(
    asking: Project, archive: SnapshotServer, index: LoopbackIndex
) -> None:
    before = asking.lock(as_of=OLD).os
    index.add("other", "1.0", "2024-01-01")
    text = (asking.root / "pyproject.toml").read_text()
    (asking.root / "pyproject.toml").write_text(text.replace('"lib",', '"lib", "other",'))
    archive.forget_requests()
    lock = asking.lock(as_of=OLD, ENVLOCK_CACHE_DIR=str(asking.root / "another-cache"))
    assert lock.os == before
    assert len(lock.packages) == 2
    assert archive.count() == 0


def test_a_mirror_is_no_part_of_the_request(asking: Project, archive: SnapshotServer) -> None:
    asking.lock(as_of=OLD)
    before = asking.lock_path.read_bytes()
    ask(asking, archive, packages=["app"], mirrors=[archive.every])
    assert asking.run("lock", "--check").returncode == 0
    asking.lock_path.unlink()
    lock = asking.lock(as_of=OLD)
    assert environment_hash(lock).os is not None
    assert versions(lock)["app"] == "1.0-1"
    assert before != b""


def test_a_wrong_byte_in_a_release_writes_nothing(asking: Project, archive: SnapshotServer) -> None:
    asking.lock(as_of=OLD)
    archive.tamper("*/dists/bookworm/InRelease", flip(300))
    said = asking.refused(code=4, as_of=NEW)
    assert errors_in(said) == 1
    assert "bookworm" in said


def test_a_wrong_byte_in_an_index_writes_nothing(asking: Project, archive: SnapshotServer) -> None:
    asking.lock(as_of=OLD)
    for path in ("*/by-hash/*", "*/Packages*"):
        archive.tamper(path, flip(40))
    assert errors_in(asking.refused(code=4, as_of=NEW)) == 1
    archive.heal()
    assert versions(asking.lock(as_of=NEW))["app"] == "1.1-1", "the cache was poisoned"


def test_an_older_release_than_the_lock_has_seen_is_refused(
    asking: Project, archive: SnapshotServer
) -> None:
    asking.lock(as_of=NEW)
    # A mirror that answers a later date with an older state: validly signed, and a replay.
    for name in archive.states:
        archive.states[name].pop("20240601T120000Z")
    said = asking.refused(
        code=4, as_of="2024-07-01", ENVLOCK_CACHE_DIR=str(asking.root / "another-cache")
    )
    assert errors_in(said) == 1


def test_keys_that_did_not_sign_are_no_keys(asking: Project) -> None:
    (asking.root / "archive.pgp").write_bytes(signer("Other <other@example.org>").public)
    assert errors_in(asking.refused(code=4, as_of=OLD)) == 1


@pytest.mark.parametrize(
    ("os", "code", "words"),
    [
        ({"packages": ["ap"]}, 2, "app"),
        ({"packages": ["app=9"]}, 2, "9"),
        ({"packages": ["Not a name"]}, 2, "cannot be a package"),
        ({"base": "debian:bokworm"}, 2, "bookworm"),
        ({"base": "gentoo:x"}, 2, "debian"),
        ({"base": "debian:trixie"}, 2, "trixie"),
        ({"bas": "x"}, 2, "base"),
    ],
)
def test_what_cannot_be_had_is_said_with_what_can(
    asking: Project, archive: SnapshotServer, os: dict[str, Any], code: int, words: str
) -> None:
    ask(asking, archive, **{"packages": ["app"], **os})
    said = asking.refused(code=code, as_of=OLD)
    assert errors_in(said) == 1
    assert words in said


def test_before_the_first_import(asking: Project) -> None:
    said = asking.refused(code=2, as_of="2023-12-01")
    assert errors_in(said) == 1


def test_why_tree_and_diff_know_them(asking: Project, tmp_path: Path) -> None:
    asking.lock(as_of=OLD)
    assert "os.packages → app 1.0-1 → smtp 2" in asking.run("why", "smtp").stdout
    assert "base of debian:bookworm" in asking.run("why", "libc6").stdout
    tree = asking.run("tree").stdout
    assert "debian:bookworm amd64 (4 packages, 1 of them its base)" in tree
    assert "    └── smtp 2" in tree
    asking.lock_path.rename(tmp_path / "old.toml")
    asking.lock(as_of=NEW)
    shown = asking.run("diff", str(tmp_path / "old.toml"), "pylock.toml").stdout
    assert "~ os app:amd64 1.0-1 → 1.1-1" in shown


def test_check_compares_a_root(asking: Project, tmp_path: Path) -> None:
    asking.lock(as_of=OLD)
    root = tmp_path / "root"
    (root / "var/lib/dpkg").mkdir(parents=True)
    status = "".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {v}\n\n"
        for name, v in (("libc6", "2.36-9"), ("app", "1.0-1"), ("lib", "1.0-1"), ("smtp", "2"))
    )
    (root / "var/lib/dpkg/status").write_text(status)
    assert asking.run("check", "--os-only", "--root", str(root)).returncode == 0
    (root / "var/lib/dpkg/status").write_text(status.replace("1.0-1", "1.0-2", 1))
    done = asking.run("check", "--os-only", "--root", str(root))
    assert done.returncode == 1
    assert "OS002" in done.stdout
    assert "app" in done.stdout
