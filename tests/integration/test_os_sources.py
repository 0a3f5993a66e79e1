"""Source packages in a lock: the real command on a loopback archive, and real apt as the oracle."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from support.apt_root import AptRoot
from support.index import LoopbackIndex
from support.project import Project, errors_in
from support.snapshot import SnapshotServer, flip
from support.tiny_archive import (
    NEW,
    Deb,
    Source,
    TinySuite,
    base_debs,
    signer,
    sources_of,
    two_instants,
)

from envlock.io.apt_config import apt_sources
from envlock.io.http.client import Http
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage, OsSource
from envlock.resolve.os.archive.archive import Opening, VerifiedSuite, default_keyring, open_archive
from envlock.resolve.os.archive.mirrors import choose_mirrors
from envlock.resolve.os.builds.sources import find_sources
from envlock.resolve.os.distributions.distribution import parse_base

AS_OF = "2024-06-02"
STATE = "20240601T120000Z"


@pytest.fixture
def archive() -> Iterator[SnapshotServer]:
    with SnapshotServer(two_instants()) as running:
        yield running


@pytest.fixture
def asking(project: Project, index: LoopbackIndex, archive: SnapshotServer) -> Project:
    """A project that asks for ``app`` of bookworm, with its sources."""
    index.add("lib", "1.0", "2024-01-01")
    (project.root / "archive.pgp").write_bytes(signer().public)
    return ask(project, archive)


def ask(project: Project, archive: SnapshotServer, *, sources: bool = True, **os: Any) -> Project:
    table = {"base": "debian:bookworm", "keyring": "archive.pgp", "mirrors": [archive.template]}
    settings = {"targets": ["linux/amd64"], "python": "3.12", "sources": sources}
    settings["interpreter"] = "base-image"
    return project.write("lib", settings={**settings, "os": {**table, "packages": ["app"], **os}})


def publish(archive: SnapshotServer, suite: TinySuite, name: str = "debian") -> None:
    """Put another suite into the newest state."""
    files = archive.states[name][STATE]
    kept = {p: body for p, body in files.items() if not p.startswith(f"dists/{suite.name}/")}
    archive.states[name][STATE] = kept | suite.files(signer())


def bookworm(**values: Any) -> TinySuite:
    return TinySuite(name="bookworm", date=NEW, **{"debs": base_debs("1.1-1"), **values})


def locked(lock: Lock) -> dict[str, tuple[str, str]]:
    """Source → version and suite."""
    assert lock.os is not None
    return {source.name: (source.version, source.suite) for source in lock.os.sources}


def as_files(sources: Iterable[OsSource]) -> set[tuple[str, int, str]]:
    """Path in the archive, size and digest of every file."""
    return {(f"{s.directory}/{f.name}", f.size, f.sha256) for s in sources for f in s.files}


_URI = re.compile(
    r"^'\w+://[^']+?/((?:pool|updates)/[^']+)' \S+ (\d+) SHA256:([0-9a-f]{64})$", re.M
)


def apts_files(apt: AptRoot, packages: Iterable[OsPackage]) -> set[tuple[str, int, str]]:
    """The same, as apt would fetch them for these .debs from the first suite that has them."""
    named = [f"{package.name}={package.version}" for package in packages]
    done = apt.run("apt-get", "source", "--print-uris", "-q", *named)
    assert done.returncode == 0, done.stderr
    return {(unquote(path), int(size), sha) for path, size, sha in _URI.findall(done.stdout)}


def test_every_package_has_its_source_and_apt_agrees(
    asking: Project, archive: SnapshotServer, tmp_path: Path
) -> None:
    lock = asking.lock(as_of=AS_OF)
    assert lock.os is not None
    assert locked(lock) == {
        "app": ("1.1-1", "bookworm"),
        "lib": ("1.1-1+deb12u1", "bookworm-security"),
        "libc6": ("2.36-9", "bookworm"),
        "smtp": ("2", "bookworm"),
    }
    apt = AptRoot(tmp_path / "apt")
    (apt.root / "key.asc").write_bytes(signer().public)
    (apt.root / "etc/sources.list").write_text(
        "".join(
            f"{kind} [signed-by={apt.root}/key.asc] {archive.base}/archive/{name}/{STATE}"
            f" {suite} main\n"
            for kind in ("deb", "deb-src")
            for name, suite in (("debian", "bookworm"), ("debian-security", "bookworm-security"))
        )
    )
    apt.update()
    files = as_files(lock.os.sources)
    assert files == apts_files(apt, lock.os.packages)
    assert len(files) == 8


def test_the_date_decides(asking: Project) -> None:
    assert locked(asking.lock(as_of="2024-02-01"))["library"] == ("1.0-1", "bookworm")


def test_what_is_installed_and_its_hash_stay_as_they_are(
    asking: Project, archive: SnapshotServer
) -> None:
    with_sources = asking.lock(as_of=AS_OF)
    ask(asking, archive, sources=False)
    archive.forget_requests()
    without = asking.lock(as_of=AS_OF)
    assert without.os is not None
    assert with_sources.os == replace(without.os, sources=with_sources.os.sources)  # type: ignore[union-attr]
    assert environment_hash(with_sources) == environment_hash(without)
    assert archive.count() == 0, "what is left is known"


def test_turning_them_on_makes_the_lock_stale(asking: Project, archive: SnapshotServer) -> None:
    ask(asking, archive, sources=False)
    before = asking.lock(as_of=AS_OF)
    assert before.os is not None
    assert before.os.sources == ()
    assert archive.count("*Sources*") == archive.count("*/source/by-hash/*") == 0
    ask(asking, archive)
    done = asking.run("lock", "--check")
    assert done.returncode == 1
    assert "sources: was unset, is now true" in done.stderr
    done = asking.run("lock")
    assert done.returncode == 0
    assert "4 of debian:bookworm (from 4 source packages)" in done.stderr
    assert asking.run("lock", "--check").returncode == 0
    assert asking.run("why", "lib").returncode == asking.run("tree").returncode == 0


def test_the_same_bytes_with_another_cache_and_nothing_asked_twice(
    asking: Project, archive: SnapshotServer
) -> None:
    asking.lock(as_of=AS_OF)
    first = asking.lock_path.read_bytes()
    for cache in ({"ENVLOCK_CACHE_DIR": str(asking.root / "another-cache")}, {}):
        asking.lock_path.unlink()
        archive.forget_requests()
        asking.lock(as_of=AS_OF, **cache)
        assert asking.lock_path.read_bytes() == first
    assert archive.count() == 0


def test_the_present_state_from_a_mirror(asking: Project, archive: SnapshotServer) -> None:
    ask(asking, archive, mirrors=[archive.live])
    lock = asking.lock(as_of=None)
    assert locked(lock)["lib"] == ("1.1-1+deb12u1", "bookworm-security")
    assert archive.count("/live/*/source/by-hash/SHA256/*") == 2, "an empty suite is not asked"


def test_rebuilt_renamed_and_from_elsewhere(asking: Project, archive: SnapshotServer) -> None:
    """A binNMU, a versioned ``Source``, another suite, an older source that is kept, contrib."""
    debs = (
        Deb(name="libc6", version="2.36-9+b3", fields={
            "Essential": "yes", "Source": "glibc (2.36-9)",
        }),
        Deb(name="app", version="1.1-1", fields={"Depends": "helper, old, extra, twin"}),
        Deb(name="helper", version="9", fields={"Source": "app (1.1-1)"}),
        Deb(name="old", version="1:0.9-1", architecture="all"),
        Deb(name="extra", version="3"),
        Deb(name="twin", version="1"),
    )  # fmt: skip
    kept = Source(name="old", version="1:0.9-1", fields={"Extra-Source-Only": "yes"})
    here = {"glibc", "app"}
    main = [source for source in sources_of(debs) if source.name in here]
    publish(
        archive,
        bookworm(
            debs=debs,
            components=("main", "contrib"),
            sources=(
                *main,
                Source(name="old", version="1:2-1"),
                kept,
                Source(name="extra", version="3", component="contrib"),
            ),
        ),
    )
    updates = TinySuite(name="bookworm-updates", date=NEW, suite="stable-updates")
    publish(archive, replace(updates, sources=(Source(name="twin", version="1"),)))
    lock = asking.lock(as_of=AS_OF)
    assert locked(lock) == {
        "glibc": ("2.36-9", "bookworm"),
        "app": ("1.1-1", "bookworm"),
        "old": ("1:0.9-1", "bookworm"),
        "extra": ("3", "bookworm"),
        "twin": ("1", "bookworm-updates"),
    }
    assert lock.os is not None
    paths = {path for path, _, _ in as_files(lock.os.sources)}
    assert "pool/contrib/e/extra/extra_3.dsc" in paths
    assert "pool/main/o/old/old_0.9-1.tar.gz" in paths


def test_suites_that_disagree_are_both_believed_for_their_own(
    asking: Project, archive: SnapshotServer
) -> None:
    """Two architectures from two suites, the source of one version in both, with other files."""
    debs = (
        Deb(name="libc6", version="1", fields={"Essential": "yes"}),
        Deb(name="app", version="2"),
    )
    arm = tuple(replace(deb, architecture="arm64") for deb in debs)
    same = Source(name="libc6", version="1")
    ours, theirs = Source(name="app", version="2"), Source(name="app", version="2", content=b"x")
    machines = ("amd64", "arm64")
    publish(archive, bookworm(debs=(*debs, arm[0]), architectures=machines, sources=(same, ours)))
    security = TinySuite(
        name="bookworm-security",
        date=NEW,
        suite="stable-security",
        debs=(arm[1],),
        architectures=machines,
        sources=(same, theirs),
    )
    publish(archive, security, "debian-security")
    ask(asking, archive)
    text = (asking.root / "pyproject.toml").read_text()
    text = text.replace('"linux/amd64",', '"linux/amd64", "linux/arm64",')
    (asking.root / "pyproject.toml").write_text(text)
    layer = asking.lock(as_of=AS_OF).os
    assert layer is not None
    assert [(s.name, s.suite) for s in layer.sources] == [
        ("app", "bookworm"),
        ("app", "bookworm-security"),
        ("libc6", "bookworm"),
    ]


# --- what is wrong ---


def test_a_wrong_byte_is_exit_4_and_writes_nothing(
    asking: Project, archive: SnapshotServer
) -> None:
    archive.tamper("*/source/*", flip(40))
    said = asking.refused(code=4, as_of=AS_OF)
    assert errors_in(said) == 1
    assert "bookworm/main/source/Sources" in said
    archive.heal()
    assert len(locked(asking.lock(as_of=AS_OF))) == 4, "the cache was poisoned"


def test_a_source_that_is_nowhere_is_named_with_its_packages(
    asking: Project, archive: SnapshotServer
) -> None:
    debs = base_debs("1.1-1")
    publish(archive, bookworm(sources=tuple(s for s in sources_of(debs) if s.name != "smtp")))
    said = asking.refused(code=3, as_of=AS_OF)
    assert errors_in(said) == 1
    assert "no suite has the source package of smtp 2 (of smtp 2)" in said
    assert "sources = true" in said


def test_a_mirror_without_sources_says_so(asking: Project, archive: SnapshotServer) -> None:
    archive.fail("*/source/*", "not-found")
    said = asking.refused(code=3, as_of=AS_OF)
    assert errors_in(said) == 1
    assert "bookworm/main/source/Sources" in said
    assert "give a mirror that carries source packages" in said
    with SnapshotServer(two_instants()) as whole:
        ask(asking, archive, mirrors=[archive.template, whole.template])
        assert len(locked(asking.lock(as_of=AS_OF))) == 4


def test_a_suite_without_sources_says_so(asking: Project, archive: SnapshotServer) -> None:
    publish(archive, bookworm())
    said = asking.refused(code=3, as_of=AS_OF)
    assert errors_in(said) == 1
    assert "the Release of bookworm lists no source packages of main" in said


@pytest.mark.parametrize("plain", [True, False])
def test_forms_that_cannot_be_unpacked_are_named(
    asking: Project, archive: SnapshotServer, plain: bool
) -> None:
    publish(archive, bookworm(packed=(".zst",), plain=plain))
    said = asking.refused(code=3, as_of=AS_OF)
    assert errors_in(said) == 1
    assert "bookworm offers main/binary-amd64/Packages only as .zst" in said
    assert "use a mirror that offers it as .xz, .gz, .bz2" in said


def test_diff_shows_them(asking: Project, archive: SnapshotServer, tmp_path: Path) -> None:
    old = tmp_path / "old.toml"
    asking.lock(as_of="2024-02-01")
    asking.lock_path.rename(old)
    asking.lock(as_of=AS_OF)
    shown = asking.run("diff", str(old), "pylock.toml").stdout
    assert "~ os app:amd64 1.0-1 → 1.1-1" in shown
    assert "~ os src:app 1.0-1 → 1.1-1" in shown
    assert "- os src:library 1.0-1" in shown
    assert "+ os src:lib 1.1-1+deb12u1" in shown
    assert "libc6" not in shown
    ask(asking, archive, sources=False)
    asking.lock(as_of=AS_OF)
    shown = asking.run("diff", str(old), "pylock.toml").stdout
    assert "sources: yes → no" in shown
    assert "src:" not in shown


# --- the real archive ---


class Machine:
    """This machine's own mirror of bookworm: every .deb of it, and apt on the same."""

    def __init__(self, folder: Path) -> None:
        self.apt = AptRoot(folder)
        self.apt.use_machine_sources("bookworm", sources=True)
        self.apt.update()

    def suites(self, http: Http) -> tuple[VerifiedSuite, ...]:
        base = parse_base("debian:bookworm")
        keyring = default_keyring(base)
        mirrors = choose_mirrors(base.distribution, sources=apt_sources(), keyring=lambda: keyring)
        opening = Opening(base=base, as_of=None, architectures=("amd64",), mirrors=mirrors)
        return open_archive(opening, http, now=datetime.now(UTC))

    def packages(self, suites: tuple[VerifiedSuite, ...]) -> list[OsPackage]:
        """All .debs, read anew from the indexes' text."""
        found = []
        for suite in suites:
            for text in suite.parts[0].packages().decode().split("\n\n"):
                fields = dict(re.findall(r"^(Package|Version|Source|SHA256): (.*)$", text, re.M))
                if not fields:
                    continue
                source, _, version = fields.get("Source", fields["Package"]).partition(" ")
                found.append(
                    OsPackage(
                        architecture="amd64",
                        name=fields["Package"],
                        version=fields["Version"],
                        sha256=fields["SHA256"],
                        size=0,
                        file_name="",
                        suite=suite.suite.name,
                        source=source,
                        source_version=version.strip("()") or fields["Version"],
                    )
                )
        return found


@pytest.mark.network
def test_every_package_of_bookworm_has_its_source_and_apt_agrees(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "apt")
    with Http() as http:
        suites = machine.suites(http)
        packages = machine.packages(suites)
        everything = find_sources(packages, suites, http)  # raises when one is missing
        keys = {(p.source, p.source_version) for p in packages}
        assert {(s.name, s.version) for s in everything} == keys
        print(f"{len(packages)} packages, {len(everything)} source packages, none missing")
        rng = random.Random(20240601)
        sample = [
            *rng.sample(packages, 150),
            *rng.sample([p for p in packages if p.suite == "bookworm-security"], 50),
            *rng.sample([p for p in packages if p.version != p.source_version], 50),
        ]
        ours = as_files(find_sources(sample, suites, http))
    theirs = apts_files(machine.apt, sample)
    print(f"{len(ours)} files for {len(sample)} packages")
    # What went from the security archive into a point release, apt takes from there.
    assert {(path.replace("pool/updates/", "pool/"), *rest) for path, *rest in ours} == {
        (path.replace("pool/updates/", "pool/"), *rest) for path, *rest in theirs
    }
