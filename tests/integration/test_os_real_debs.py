"""Real .debs at two instants: envlock and apt, pointed at the same dated archive, agree.

The packages come from the machine's mirror: bookworm alone at the older instant, with its security
updates at the newer one. They are served on loopback as the snapshot service serves them, signed by
a test key, and then under every fault that the service is known for.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.apt_root import AptRoot
from support.project import Project, errors_in
from support.real_debs import NEW_STATE, OLD_STATE, REQUESTS, RealDebs, real_debs
from support.small_disk import small_disk
from support.snapshot import SnapshotServer, flip
from support.tiny_archive import Files, signer

from envlock.lock.model import Lock

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("real-debs")]

OLD, NEW, LATER = "2024-02-01", "2024-06-02", "2024-07-01"


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> RealDebs:
    return real_debs(tmp_path_factory.mktemp("real-debs"))


@pytest.fixture(scope="session")
def states(debs: RealDebs) -> dict[str, dict[str, Files]]:
    return {name: dict(found) for name, found in debs.states(signer()).items()}


@pytest.fixture(scope="module")
def archive(states: dict[str, dict[str, Files]]) -> Iterator[SnapshotServer]:
    with SnapshotServer(states) as running:
        yield running


@pytest.fixture
def asking(
    project: Project, archive: SnapshotServer, states: dict[str, dict[str, Files]]
) -> Project:
    """A project that asks for nothing but OS packages."""
    archive.heal()
    archive.states = {name: dict(found) for name, found in states.items()}
    archive.forget_requests()
    (project.root / "archive.pgp").write_bytes(signer().public)
    os = {
        "base": "debian:bookworm",
        "packages": list(REQUESTS),
        "keyring": "archive.pgp",
        "mirrors": [archive.template],
    }
    settings = {"targets": ["linux/amd64"], "python": "3.11", "interpreter": "base-image"}
    return project.write(settings=settings | {"requirements": [], "os": os})


def apt_answer(archive: SnapshotServer, moment: str, root: Path) -> set[tuple[str, str]]:
    """Name and version of all that real apt installs from the archive as of an instant."""
    apt = AptRoot(root)
    main = f"{archive.base}/archive/debian/{moment}"
    apt.use_signed(
        signer().public,
        f"{main} bookworm main",
        f"{main} bookworm-updates main",
        f"{archive.base}/archive/debian-security/{moment} bookworm-security main",
    )
    apt.update()
    base = apt.install_essential()
    added = apt.simulate(REQUESTS)
    assert added is not None
    return {*base, *added}


def locked(lock: Lock) -> set[tuple[str, str]]:
    assert lock.os is not None
    return {(package.name, package.version) for package in lock.os.packages}


def test_both_instants_are_apts_and_the_older_one_has_the_older_versions(
    asking: Project, archive: SnapshotServer, debs: RealDebs, tmp_path: Path
) -> None:
    old, new = asking.lock(as_of=OLD), asking.lock(as_of=NEW)
    # apt is asked for the same days, and redirected as envlock is.
    assert locked(old) == apt_answer(archive, "20240201T000000Z", tmp_path / "old")
    assert locked(new) == apt_answer(archive, "20240602T000000Z", tmp_path / "new")
    assert old.os is not None
    assert new.os is not None
    assert [a.snapshot for a in old.os.archives] == [OLD_STATE] * 3
    assert [a.snapshot for a in new.os.archives] == [NEW_STATE] * 3
    before, after = dict(locked(old)), dict(locked(new))
    assert set(before) == set(after)
    moved = {name for name in before if before[name] != after[name]}
    assert moved == {deb.name for deb in debs.new}
    assert len(moved) >= 3, "the two archives have become the same"
    for name in moved:
        newer = ["dpkg", "--compare-versions", before[name], "lt", after[name]]
        assert subprocess.run(newer, check=False).returncode == 0, name
    print(f"{len(before)} packages agree with apt at both instants; {len(moved)} of them moved")


# --- the files ---


@pytest.fixture(scope="module")
def once() -> dict[str, bytes]:
    """The lock, made by the first test that needs it."""
    return {}


@pytest.fixture
def ready(
    asking: Project, archive: SnapshotServer, once: dict[str, bytes], tmp_path: Path
) -> Project:
    """The newer instant, locked; nothing fetched yet; little patience."""
    if "lock" not in once:
        asking.lock(as_of=NEW)
        once["lock"] = asking.lock_path.read_bytes()
    asking.lock_path.write_bytes(once["lock"])
    asking.variables |= {
        "ENVLOCK_CACHE_DIR": str(tmp_path / "cache"),
        "ENVLOCK_HTTP_RETRIES": "1",
        "ENVLOCK_HTTP_TIMEOUT": "1",
    }
    archive.forget_requests()
    return asking


def fetched(project: Project, **variables: str) -> dict[str, Any]:
    """``envlock fetch``, which must succeed; sha256sum and dpkg-deb read what it brought."""
    done = project.run("fetch", "--json", **variables)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert {(file["name"], file["version"]) for file in told["files"]} == locked(project.read())
    sums = "".join(f"{file['sha256']}  {file['path']}\n" for file in told["files"])
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet"], input=sums, text=True, check=True
    )
    cache = Path(project.variables["ENVLOCK_CACHE_DIR"])
    assert not list((cache / "partial").glob("*"))
    return told


def test_they_are_what_sha256sum_and_dpkg_say(ready: Project) -> None:
    for file in fetched(ready)["files"]:
        said = subprocess.run(
            ["dpkg-deb", "--info", file["path"]], capture_output=True, text=True, check=True
        ).stdout
        assert f"\n Package: {file['name']}\n" in said
        assert f"\n Version: {file['version']}\n" in said
        assert f" size {file['size']} bytes" in said
    started = time.monotonic()
    again = fetched(ready)
    assert time.monotonic() - started < 3
    assert again["fetched"] == {"bytes": 0, "files": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What the archive does to some of the files, and how a run that meets it for good ends."""

    make: Callable[[SnapshotServer, int | None], None]
    code: int
    seconds: float = 0


def _fail(kind: Any, pause: int = 0) -> Callable[[SnapshotServer, int | None], None]:
    return lambda server, times: server.fail("*/o/openssl/*.deb", kind, times=times, pause=pause)


TROUBLES = {
    "429": Trouble(make=_fail("429", pause=1), code=3, seconds=1),
    "503 with a body": Trouble(make=_fail("503"), code=3),
    "503 without": Trouble(
        make=lambda server, times: server.busy("*/o/openssl/*.deb", times or 99), code=3
    ),
    "cut before the answer": Trouble(make=_fail("cut"), code=3),
    "cut in the answer": Trouble(make=_fail("truncate"), code=3),
    "no answer": Trouble(make=_fail("stall"), code=3, seconds=1),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_that_passes_does_not_show(
    ready: Project, archive: SnapshotServer, name: str
) -> None:
    trouble = TROUBLES[name]
    trouble.make(archive, 1)
    started = time.monotonic()
    assert fetched(ready)["cached"]["files"] == 0
    assert time.monotonic() - started >= trouble.seconds
    if name in ("cut in the answer", "no answer"):
        ranges = [seen for seen in archive.requests if "range" in seen.headers]
        assert len(ranges) == 1, "it began again instead of going on"


@pytest.mark.parametrize("name", ["429", "503 without", "cut in the answer"])
def test_trouble_that_lasts_ends_it_and_the_next_run_succeeds(
    ready: Project, archive: SnapshotServer, name: str
) -> None:
    TROUBLES[name].make(archive, None)
    done = ready.run("fetch")
    assert done.returncode == TROUBLES[name].code, done.stderr
    assert errors_in(done.stderr) == 1
    assert archive.base in done.stderr
    archive.heal()
    fetched(ready)


def test_flipped_bytes_are_refused_named_and_mended(
    ready: Project, archive: SnapshotServer
) -> None:
    archive.tamper("*/e/expat/*.deb", flip(-1))
    done = ready.run("fetch")
    assert done.returncode == 4, done.stderr
    assert "2 files cannot be fetched" in done.stderr
    assert "expat_" in done.stderr
    archive.heal()
    told = fetched(ready)
    assert {file["name"] for file in told["files"] if file["fetched"]} == {"expat", "libexpat1"}


def test_a_disk_that_fills_in_the_middle(ready: Project, tmp_path: Path) -> None:
    with small_disk(tmp_path, 2_000_000) as disk:
        done = ready.run("fetch", through=disk.prefix, ENVLOCK_CACHE_DIR=str(disk.folder))
        assert done.returncode == 3, done.stderr
        assert f"cannot write: {disk.message}" in done.stderr
        assert errors_in(done.stderr) == 1
        left = disk.left()
    assert not [name for name in left if name.startswith("partial/")]
    fetched(ready)


# --- the lock ---


def _stale(server: SnapshotServer) -> None:
    """The older security archive under the newer instant: validly signed, and a replay."""
    security = server.states["debian-security"]
    security[NEW_STATE] = security[OLD_STATE]


LOCK_TROUBLES: dict[str, tuple[Callable[[SnapshotServer], None], int]] = {
    "429 for ever": (lambda s: s.fail("*/InRelease", "429"), 3),
    "503 without a body": (lambda s: s.busy("*/InRelease", 99), 3),
    "a cut index": (lambda s: s.fail("*/binary-amd64/*", "truncate"), 3),
    "a flipped bit of a Release": (lambda s: s.tamper("*/bookworm/InRelease", flip(200)), 4),
    "a flipped bit of an index": (lambda s: s.tamper("*/binary-amd64/*", flip(900)), 4),
    "a stale Release": (_stale, 4),
}


@pytest.mark.parametrize("name", LOCK_TROUBLES)
def test_a_lock_that_meets_trouble_is_not_written_and_the_next_one_is(
    asking: Project,
    archive: SnapshotServer,
    states: dict[str, dict[str, Files]],
    name: str,
    tmp_path: Path,
) -> None:
    make, code = LOCK_TROUBLES[name]
    if name == "a stale Release":
        asking.lock(as_of=NEW)  # so that envlock has seen the newer one
    asking.variables |= {
        "ENVLOCK_CACHE_DIR": str(tmp_path / "cache"),
        "ENVLOCK_HTTP_RETRIES": "1",
        "ENVLOCK_HTTP_TIMEOUT": "1",
    }
    make(archive)
    said = asking.refused(code=code, as_of=LATER)
    assert errors_in(said) == 1
    assert archive.base in said
    archive.heal()
    archive.states = {name: dict(found) for name, found in states.items()}
    layer = asking.lock(as_of=LATER).os
    assert layer is not None
    assert {archive.snapshot for archive in layer.archives} == {NEW_STATE}
