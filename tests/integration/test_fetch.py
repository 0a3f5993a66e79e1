"""``envlock fetch`` brings every file of a lock into the store; sha256sum and dpkg-deb judge it."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.install import locked, write_lock
from support.packages import make_sdist, make_wheel
from support.project import Project, errors_in
from support.small_disk import small_disk
from support.snapshot import SnapshotServer, flip
from support.tiny_archive import signer, two_instants

from envlock.lock.package import Archive, Artifact, Directory, PythonPackage, Vcs
from envlock.lock.target import Target

OLDER = "2024-01-01"
DEBS = {"app", "lib", "libc6", "smtp"}
LINUX = {"targets": ["linux/amd64"], "python": "3.12"}


@pytest.fixture(scope="module")
def archive() -> Iterator[SnapshotServer]:
    with SnapshotServer(two_instants()) as running:
        yield running


@pytest.fixture(scope="module")
def index() -> Iterator[LoopbackIndex]:
    with LoopbackIndex("json") as running:
        running.add("lib", "1.0", OLDER, requires=["dep"])
        running.add("dep", "2.0", OLDER, sdist=True)
        yield running


@pytest.fixture(autouse=True)
def _fresh(archive: SnapshotServer, index: LoopbackIndex) -> None:
    _forget(archive, index)


@pytest.fixture(scope="module")
def once() -> dict[str, bytes]:
    """What is made by the first test that needs it."""
    return {}


@pytest.fixture
def both(
    project: Project, archive: SnapshotServer, once: dict[str, bytes], tmp_path: Path
) -> Project:
    """A lock with Python packages and OS packages; nothing of it is in the store yet."""
    (project.root / "archive.pgp").write_bytes(signer().public)
    os = {
        "base": "debian:bookworm",
        "packages": ["app"],
        "keyring": "archive.pgp",
        "mirrors": [archive.template],
    }
    project.write("lib", settings=LINUX | {"interpreter": "base-image", "os": os})
    if "lock" not in once:
        project.lock()
        once["lock"] = project.lock_path.read_bytes()
    project.lock_path.write_bytes(once["lock"])
    project.variables |= {
        "ENVLOCK_CACHE_DIR": str(tmp_path / "cache"),
        "ENVLOCK_HTTP_RETRIES": "1",
        "ENVLOCK_HTTP_TIMEOUT": "1",
    }
    _forget(archive, project.index)
    return project


def _forget(*servers: LoopbackIndex) -> None:
    for server in servers:
        server.heal()
        server.forget_requests()


def fetched(project: Project, *arguments: str, **variables: str) -> dict[str, Any]:
    """What ``envlock fetch --json`` says; each file's bytes are judged by ``sha256sum``."""
    done = project.run("fetch", "--json", *arguments, **variables)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    judge(told)
    return told


def judge(told: dict[str, Any]) -> None:
    sums = "".join(f"{file['sha256']}  {file['path']}\n" for file in told["files"])
    if sums:
        subprocess.run(
            ["sha256sum", "--check", "--strict", "--quiet"], input=sums, text=True, check=True
        )
    for file in told["files"]:
        assert Path(file["path"]).stat().st_size == file["size"]
        if file["layer"] == "os" and file["architecture"] != "source":
            field = ["dpkg-deb", "--field", file["path"], "Package", "Version"]
            said = subprocess.run(field, capture_output=True, text=True, check=True).stdout
            assert said == f"Package: {file['name']}\nVersion: {file['version']}\n"


def files(told: dict[str, Any]) -> dict[str, bool]:
    """File → whether it was fetched now."""
    return {file["file"]: file["fetched"] for file in told["files"]}


def on_its_way(project: Project) -> list[str]:
    return [p.name for p in Path(project.variables["ENVLOCK_CACHE_DIR"], "partial").glob("*")]


# --- what is fetched ---


def test_all_of_both_layers_and_the_second_run_asks_nobody(
    both: Project, index: LoopbackIndex, archive: SnapshotServer
) -> None:
    told = fetched(both)
    assert set(files(told)) >= {"lib-1.0-py3-none-any.whl", "dep-2.0.tar.gz", "lib_1.0-1_amd64.deb"}
    assert {file["name"] for file in told["files"] if file["layer"] == "os"} == DEBS
    assert told["fetched"]["files"] == len(told["files"]) == 6
    assert told["cached"] == {"bytes": 0, "files": 0}
    assert told["fetched"]["bytes"] == sum(file["size"] for file in told["files"])
    asked = archive.count(), index.count()
    started = time.monotonic()
    again = fetched(both)
    assert time.monotonic() - started < 3
    assert (archive.count(), index.count()) == asked
    assert again["cached"] == told["fetched"]
    assert not any(files(again).values())
    assert on_its_way(both) == []


def test_the_page_on_json_has_the_same_keys(both: Project) -> None:
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    match = re.search(r"^## envlock fetch\n.*?^```json\n(.*?)^```", page, re.S | re.M)
    assert match
    example, told = json.loads(match[1]), fetched(both)
    assert list(told) == list(example)
    assert {frozenset(file) for file in told["files"]} == {frozenset(example["files"][0])}
    assert list(told["fetched"]) == list(example["fetched"])


def test_people_see_a_summary_and_stdout_stays_clean(both: Project) -> None:
    done = both.run("fetch")
    assert done.returncode == 0
    assert done.stdout == ""
    assert re.search(r"^  Python +2 files .* 2 fetched \(.*B\)$", done.stderr, re.M)
    assert re.search(r"^  debian:bookworm +4 files .* 4 fetched \(.*B\)$", done.stderr, re.M)
    assert done.stderr.endswith("(linux/amd64@3.12): all files are there\n")
    again = both.run("fetch", "--verbose")
    assert re.search(r"^  debian:bookworm +4 files .* 4 cached$", again.stderr, re.M)
    assert " = lib_1.0-1_amd64.deb\n" in again.stderr
    assert again.stderr.endswith(": all files were there\n")
    assert both.run("-q", "fetch").stderr == ""


def test_one_layer_alone(both: Project, index: LoopbackIndex, archive: SnapshotServer) -> None:
    python = fetched(both, "--python-only")
    assert {file["layer"] for file in python["files"]} == {"python"}
    assert archive.count() == 0
    index.forget_requests()
    os = fetched(both, "--os-only")
    assert {file["layer"] for file in os["files"]} == {"os"}
    assert index.count() == 0
    assert fetched(both)["fetched"]["files"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--os-only", "--python-only"), "exclude one another"),
        (("--target", "linux/amd64@3.9"), "it is for linux/amd64@3.12"),
        (("--target", "amiga"), "is not a target"),
        (("--name", "gpu"), "gpu"),
    ],
)
def test_what_cannot_be_asked_for(both: Project, arguments: tuple[str, ...], said: str) -> None:
    done = both.run("fetch", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert errors_in(done.stderr) == 1


def test_without_an_os_layer_there_is_none_to_fetch(project: Project, index: LoopbackIndex) -> None:
    project.write()
    write_lock(project.root, locked(index, index.add("solo", "1.0", OLDER)))
    done = project.run("fetch", "--os-only")
    assert done.returncode == 2
    assert "the lock has no OS packages" in done.stderr
    assert len(fetched(project)["files"]) == 1


def test_an_empty_lock_and_no_lock(project: Project) -> None:
    project.write()
    assert project.run("fetch").returncode == 2
    write_lock(project.root)
    assert fetched(project)["files"] == []
    assert "nothing to fetch" in project.run("fetch").stderr


def test_each_target_has_its_wheels(project: Project, index: LoopbackIndex) -> None:
    tags = ("cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_28_x86_64",
            "cp312-cp312-win_amd64")  # fmt: skip
    wheels = [index.add("fast", "1.0", OLDER, tag=tag) for tag in tags]
    source = index.add("fast", "1.0", OLDER, sdist=True)
    targets = tuple(
        Target(platform=platform, python="3.12")
        for platform in ("linux/amd64", "linux/arm64", "windows/amd64")
    )
    project.write()
    write_lock(project.root, locked(index, *wheels, source), targets=targets)
    for target, expected in zip(
        targets, ([wheels[0], wheels[1]], [source], [wheels[2]]), strict=True
    ):
        told = fetched(project, "--target", target.key)
        assert list(files(told)) == sorted(file.name for file in expected)
        assert told["targets"] == [target.key]
    two = fetched(project, "--target", targets[0].key, "--target", targets[2].key)
    assert set(files(two)) == {wheel.name for wheel in wheels}
    assert len(fetched(project)["files"]) == 4


def test_archives_local_files_and_what_has_no_file(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    name, content = make_wheel("direct", "1.0", ())
    url = index.put(f"/elsewhere/{name}", content)
    digest = subprocess.run(["sha256sum"], input=content, capture_output=True, check=True)
    sha256 = digest.stdout.decode().split()[0]
    local_name, local = make_sdist("local", "2.0", ())
    (project.root / "vendor").mkdir()
    (project.root / "vendor" / local_name).write_bytes(local)
    local_digest = subprocess.run(["sha256sum"], input=local, capture_output=True, check=True)
    file = Artifact(
        name=local_name, path=f"vendor/{local_name}", sha256=local_digest.stdout.decode().split()[0]
    )
    project.write()
    write_lock(
        project.root,
        PythonPackage(name="direct", version="1.0", archive=Archive(url=url, sha256=sha256)),
        PythonPackage(name="local", version="2.0", sdist=file),
        PythonPackage(name="here", directory=Directory(path=".")),
        PythonPackage(
            name="repo",
            version="1",
            vcs=Vcs(kind="git", url="https://git.example.org/repo", commit="c" * 40),
        ),
    )
    told = fetched(project)
    assert files(told) == {name: True, local_name: True}
    assert told["without-file"] == ["here", "repo==1"]
    assert "here, repo==1: a repository or folder" in project.run("fetch").stderr
    (project.root / "vendor" / local_name).unlink()
    assert fetched(project)["cached"]["files"] == 2


def test_a_local_file_that_changed_is_refused(project: Project, index: LoopbackIndex) -> None:
    (project.root / "a-1.tar.gz").write_bytes(b"changed")
    project.write()
    file = Artifact(name="a-1.tar.gz", path="a-1.tar.gz", sha256="0" * 64)
    write_lock(project.root, PythonPackage(name="a", version="1", sdist=file))
    done = project.run("fetch")
    assert done.returncode == 4
    assert "a-1.tar.gz" in done.stderr
    (project.root / "a-1.tar.gz").unlink()
    assert project.run("fetch").returncode == 3


def test_a_script_and_a_named_environment_have_their_own(
    project: Project, index: LoopbackIndex
) -> None:
    stored = index.add("solo", "1.0", OLDER)
    (project.root / "tool.py").write_text(
        '# /// script\n# dependencies = ["lib"]\n# ///\nimport lib\n'
    )
    write_lock(project.root, locked(index, stored), name="pylock.tool.toml")
    assert len(fetched(project, "--script", "tool.py")["files"]) == 1


def test_sources_come_where_they_are_locked_and_asked_for(both: Project) -> None:
    refused = both.run("fetch", "--sources")
    assert refused.returncode == 2
    assert "sources = true" in refused.stderr
    text = (both.root / "pyproject.toml").read_text()
    (both.root / "pyproject.toml").write_text(
        # Its backend would have to be asked with a Python that not every machine has.
        text.replace(
            "[tool.envlock]\n", '[tool.envlock]\nsources = true\nbuild-exceptions = ["dep"]\n'
        )
    )
    both.lock()
    assert fetched(both)["fetched"]["files"] == 6
    told = fetched(both, "--sources")
    assert told["cached"]["files"] == 6
    new = [file for file in told["files"] if file["fetched"]]
    assert {file["architecture"] for file in new} == {"source"}
    assert {file["name"] for file in new} == {"app", "library", "libc6", "smtp"}
    assert [name for name in files(told) if name.endswith(".dsc")]


# --- where it comes from ---


def test_an_index_that_asks_who_is_there(project: Project, tmp_path: Path) -> None:
    with LoopbackIndex("json", auth=("me", "s3cret")) as private:
        project.write()
        write_lock(project.root, locked(private, private.add("lib", "1.0", OLDER)))
        refused = project.run("fetch", UV_DEFAULT_INDEX=private.url)
        assert refused.returncode == 3
        assert "401" in refused.stderr
        told = fetched(project, UV_DEFAULT_INDEX=private.url_for("me", "s3cret"))
        assert told["fetched"]["files"] == 1
        assert "s3cret" not in json.dumps(told)


def test_another_index_serves_what_its_own_one_has_no_more(
    project: Project, index: LoopbackIndex
) -> None:
    project.write()
    with LoopbackIndex("json") as gone:
        stored = gone.add("moved", "1.0", OLDER)
        write_lock(project.root, locked(gone, stored))
        gone.remove(stored)
        index.add_file("moved", "1.0", OLDER, stored.name, stored.content)
        assert files(fetched(project)) == {stored.name: True}
        assert gone.count() > 0


def test_another_index_with_other_bytes_is_no_help(project: Project, index: LoopbackIndex) -> None:
    project.write()
    with LoopbackIndex("json") as gone:
        stored = gone.add("other", "1.0", OLDER)
        write_lock(project.root, locked(gone, stored))
        gone.remove(stored)
        index.add_file("other", "1.0", OLDER, stored.name, stored.content + b"!")
        done = project.run("fetch")
        assert done.returncode == 3
        assert stored.name in done.stderr


def test_debs_come_from_the_mirrors_that_the_project_names_today(
    both: Project, archive: SnapshotServer
) -> None:
    text = (both.root / "pyproject.toml").read_text()
    with SnapshotServer(two_instants()) as poor, SnapshotServer(two_instants()) as moved:
        poor.fail("*/lib_*.deb", "not-found")
        places = json.dumps([poor.template, moved.template])
        changed = text.replace(json.dumps(archive.template), places.strip("[]"))
        assert changed != text
        (both.root / "pyproject.toml").write_text(changed)
        fetched(both)
        assert poor.count("*.deb") == 4
        assert moved.count("*.deb") == 1
    assert archive.count() == 0


def test_a_lock_of_the_past_is_served_by_a_mirror_of_now_where_it_has_the_bytes(
    both: Project, archive: SnapshotServer
) -> None:
    text = (both.root / "pyproject.toml").read_text()
    places = json.dumps([archive.template, archive.live]).strip("[]")
    (both.root / "pyproject.toml").write_text(text.replace(json.dumps(archive.template), places))
    fetched(both, "--os-only")
    assert archive.count("/live/*libc6*") == 1
    assert archive.count("/archive/*libc6*") == 0
    # The mirror has gone on to another version of it.
    assert archive.count("/live/*lib_1.0-1*") == 1
    assert archive.count("/archive/*lib_1.0-1*") == 1


# --- what goes wrong ---


@pytest.mark.parametrize("kind", ["429", "503", "empty-503", "truncate", "cut", "slow"])
def test_passing_faults_do_not_show(
    both: Project, index: LoopbackIndex, archive: SnapshotServer, kind: str
) -> None:
    if kind == "empty-503":
        archive.busy("*.deb", 2)
    elif kind == "slow":
        archive.slow("*.deb", 0.3)
    else:
        archive.fail("*.deb", kind, times=2)  # type: ignore[arg-type]
        index.fail("/files/*", kind, times=1)  # type: ignore[arg-type]
    assert fetched(both)["fetched"]["files"] == 6
    assert on_its_way(both) == []


@pytest.mark.parametrize(
    ("kind", "code"),
    [("429", 3), ("503", 3), ("truncate", 3), ("cut", 3), ("hang", 3), ("not-found", 3),
     ("flip-byte", 4)],
)  # fmt: skip
def test_lasting_faults_are_said_and_the_next_run_succeeds(
    both: Project, archive: SnapshotServer, kind: str, code: int
) -> None:
    archive.fail("*/lib_*.deb", kind)  # type: ignore[arg-type]
    done = both.run("fetch")
    assert done.returncode == code, done.stderr
    assert errors_in(done.stderr) == 1
    assert "lib_1.0-1_amd64.deb" in done.stderr
    assert archive.base in done.stderr
    assert "help:" in done.stderr
    archive.heal()
    told = fetched(both)
    assert files(told)["lib_1.0-1_amd64.deb"]
    if kind in ("not-found", "flip-byte"):
        assert told["cached"]["files"] == 5, "the others were kept from coming"


def test_a_file_in_the_store_that_was_changed_is_fetched_anew(both: Project) -> None:
    told = fetched(both)
    path = Path(next(file["path"] for file in told["files"] if file["name"] == "smtp"))
    path.chmod(0o644)
    path.write_bytes(flip(5)(path.read_bytes()))
    again = fetched(both)
    assert [name for name, new in files(again).items() if new] == ["smtp_2_amd64.deb"]


def test_a_full_disk_says_so_leaves_nothing_and_the_next_run_succeeds(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    noise = random.Random(1)
    packages = [
        locked(
            index, index.add(f"large{n}", "1.0", OLDER, files={"x.bin": noise.randbytes(900_000)})
        )
        for n in range(6)
    ]
    project.write()
    write_lock(project.root, *packages)
    with small_disk(tmp_path, 2_500_000) as disk:
        # Small for one file already where it cannot be full as a whole.
        size = 2_500_000 if "space" in disk.message else 500_000
        prefix = tuple(part.replace("2500000", str(size)) for part in disk.prefix)
        done = project.run("fetch", through=prefix, ENVLOCK_CACHE_DIR=str(disk.folder))
        assert done.returncode == 3, done.stderr
        assert f"cannot write: {disk.message}" in done.stderr
        assert errors_in(done.stderr) == 1
        assert "help:" in done.stderr
        left = [name for name in disk.left() if name.startswith(("sha256/", "partial/"))]
        assert not [name for name in left if name.startswith("partial/")]
        assert len(left) < 6
    assert fetched(project, ENVLOCK_CACHE_DIR=str(disk.folder))["fetched"]["files"] == 6


def test_a_store_that_cannot_be_written(both: Project, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = both.run("fetch", ENVLOCK_CACHE_DIR=str(tmp_path / "file"))
    assert done.returncode == 3
    assert "cannot write" in done.stderr
    assert errors_in(done.stderr) == 1


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGKILL])
def test_what_was_interrupted_is_continued(
    project: Project, index: LoopbackIndex, way: signal.Signals
) -> None:
    large = index.add("large", "1.0", OLDER, files={"large.bin": bytes(range(256)) * 2000})
    package = locked(index, large)
    project.write()
    write_lock(project.root, package)
    index.fail("/files/*", "stall")
    running = project.start("fetch", ENVLOCK_CACHE_DIR=str(project.root / "cache"))
    part = project.root / "cache" / "partial" / package.wheels[0].sha256
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    begun = part.stat().st_size
    started = time.monotonic()
    running.send_signal(way)
    _, said = running.communicate(timeout=10)
    assert time.monotonic() - started < 5
    assert "Traceback" not in said
    index.heal()
    index.forget_requests()
    told = fetched(project, ENVLOCK_CACHE_DIR=str(project.root / "cache"))
    assert told["fetched"]["files"] == 1
    [request] = [seen for seen in index.requests if seen.path.startswith("/files/")]
    assert request.headers["range"] == f"bytes={begun}-"


def test_two_at_once_do_not_disturb_each_other(both: Project, archive: SnapshotServer) -> None:
    archive.slow("*.deb", 0.2)
    running = [both.start("fetch", "--json") for _ in range(2)]
    for process in running:
        out, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        judge(json.loads(out))
    assert on_its_way(both) == []


def test_a_bundle_has_the_signed_indexes_or_says_what_is_gone(
    both: Project, archive: SnapshotServer
) -> None:
    first, cache = both.run("bundle", "-o", "first"), Path(both.variables["ENVLOCK_CACHE_DIR"])
    assert first.returncode == 0, first.stderr
    listed = sorted(path.name for path in (both.root / "first").glob("files/*/*"))
    assert (listed.count("InRelease"), "Packages.xz" in listed) == (3, True)
    # All of it was kept: without any network it is the same.
    archive.fail("*", "not-found")
    again = both.run("bundle", "-o", "again")
    assert (again.returncode, again.stdout) == (0, first.stdout)

    def forget() -> None:
        for path in cache.glob("os-release*"):
            shutil.rmtree(path)
        for path in (both.root / "first").glob("files/*/Packages.xz"):
            (cache / "sha256" / path.parent.name[:2] / path.parent.name).unlink(missing_ok=True)

    forget()
    gone = both.run("bundle", "-o", "gone")
    assert gone.returncode == 3
    assert "nobody has the signed Release of bookworm" in gone.stderr
    assert "--without indexes" in gone.stderr
    assert not (both.root / "gone").exists()
    assert both.run("bundle", "-o", "gone", "--without", "indexes").returncode == 0
    archive.heal()
    archive.tamper("*/InRelease", flip(200))
    assert both.run("bundle", "-o", "tampered").returncode == 3
    archive.heal()
    for pattern in ("*.xz", "*/by-hash/*"):
        archive.fail(pattern, "not-found")
    other = both.run("bundle", "-o", "other")
    assert other.returncode == 0, other.stderr
    assert "nobody has bookworm/main/binary-amd64/Packages.xz any more" in other.stderr
    assert list((both.root / "other").glob("files/*/Packages.gz"))
    assert both.run("bundle", "verify", "other").returncode == 0
