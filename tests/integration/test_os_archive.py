"""The chain of trust, link by link, against real apt pointed at the same loopback archive."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.snapshot import SnapshotServer, flip
from support.tiny_archive import (
    NEW,
    OLD,
    Deb,
    Files,
    Signer,
    TinySuite,
    base_debs,
    security_suite,
    signer,
    two_instants,
)

from envlock.errors import EnvlockError, SourceError, UsageError, VerificationError
from envlock.io.apt_config import apt_sources
from envlock.io.http.client import Http
from envlock.io.http.fetch import fetch_all
from envlock.io.paths import cache_dir
from envlock.io.progress import SilentReporter
from envlock.io.store import stored
from envlock.resolve.os.archive.archive import Opening, VerifiedSuite, open_archive
from envlock.resolve.os.archive.mirrors import choose_mirrors
from envlock.resolve.os.archive.trust import parse_keyring, shipped_keyring
from envlock.resolve.os.distributions.distribution import parse_base

BOOKWORM = parse_base("debian:bookworm")
KEYRING = parse_keyring(signer().public, "test keys")
SPRING = datetime(2024, 3, 1, tzinfo=UTC)
AUTUMN = datetime(2024, 9, 1, tzinfo=UTC)
SPRING_STATE = "20240101T120000Z"
AUTUMN_STATE = "20240601T120000Z"


@pytest.fixture
def server() -> Iterator[SnapshotServer]:
    with SnapshotServer(two_instants()) as running:
        yield running


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(backoff=0.01, timeout=5) as client:
        yield client


def opening(server: SnapshotServer, as_of: datetime | None, *given: str) -> Opening:
    mirrors = choose_mirrors(
        BOOKWORM.distribution, given=given or (server.template,), keyring=lambda: KEYRING
    )
    return Opening(
        base=BOOKWORM, as_of=as_of, architectures=("amd64",), mirrors=mirrors, keyring=KEYRING
    )


def versions(suites: tuple[VerifiedSuite, ...]) -> dict[tuple[str, str], str]:
    """(suite, package) → version, as the verified indexes have it."""
    found = {}
    for suite in suites:
        for part in suite.parts:
            name = ""
            for line in part.packages().decode().splitlines():
                if line.startswith("Package: "):
                    name = line[9:]
                elif line.startswith("Version: "):
                    found[suite.suite.name, name] = line[9:]
    return found


def whole_chain(server: SnapshotServer, http: Http, as_of: datetime | None) -> dict[str, Path]:
    """All of it: Releases, indexes, and the files of ``app`` and ``lib``."""
    suites = open_archive(opening(server, as_of), http)
    versions(suites)
    wanted = []
    for deb in base_debs("1.0-1")[1:3]:
        content = deb.build()
        digest = hashlib.sha256(content).hexdigest()
        wanted.append(suites[0].wanted(deb.filename, digest, len(content)))
    return fetch_all(http, wanted)


def store_is_clean() -> bool:
    """No name in the store has other bytes than it says."""
    files = [path for path in (cache_dir() / "sha256").glob("*/*") if path.is_file()]
    return all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in files)


class Apt:
    """apt in a private root, with one archive."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in (
            "etc/apt/sources.list.d",
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "var/lib/dpkg",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
        ):
            (root / folder).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        (root / "key.asc").write_bytes(signer().public)
        options = {
            "Dir": str(root),
            "Dir::State::status": str(root / "var/lib/dpkg/status"),
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
            "Acquire::Retries": "0",
            "Acquire::Languages": "none",
        }
        text = "".join(f'{name} "{value}";\n' for name, value in options.items())
        (root / "apt.conf").write_text(text)

    def sources(self, *lines: str) -> None:
        text = "".join(f"deb [signed-by={self.root}/key.asc] {line}\n" for line in lines)
        (self.root / "etc/apt/sources.list").write_text(text)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["apt-get", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            # Read before all other configuration: nothing of the machine's own counts.
            env={**os.environ, "LC_ALL": "C.UTF-8", "APT_CONFIG": str(self.root / "apt.conf")},
            check=False,
        )

    def accepts(self) -> bool:
        """Whether ``apt-get update`` takes the archive."""
        return self.run("update").returncode == 0

    def installs(self, name: str) -> dict[str, str]:
        """Package → version of what ``apt-get -s install`` would install."""
        done = self.run("-s", "--no-install-recommends", "install", name)
        assert done.returncode == 0, done.stderr
        lines = [line.split() for line in done.stdout.splitlines() if line.startswith("Inst ")]
        return {words[1]: words[2].lstrip("(") for words in lines}


@pytest.fixture
def apt(tmp_path: Path) -> Apt:
    return Apt(tmp_path / "root")


# --- what is right ---


@pytest.mark.parametrize(("as_of", "state", "version"), [
    (SPRING, SPRING_STATE, "1.0-1"),
    (AUTUMN, AUTUMN_STATE, "1.1-1+deb12u1"),
])  # fmt: skip
def test_an_instant_has_its_versions_and_apt_agrees(
    server: SnapshotServer, http: Http, apt: Apt, as_of: datetime, state: str, version: str
) -> None:
    suites = open_archive(opening(server, as_of), http)
    assert [suite.timestamp for suite in suites] == [state] * 3
    assert all(suite.date <= as_of for suite in suites)
    assert all(suite.fingerprints == (signer().fingerprint,) for suite in suites)
    ours = versions(suites)
    asked = f"{as_of:%Y%m%dT%H%M%SZ}"
    apt.sources(
        f"{server.base}/archive/debian/{asked} bookworm main",
        f"{server.base}/archive/debian/{asked} bookworm-updates main",
        f"{server.base}/archive/debian-security/{asked} bookworm-security main",
    )
    assert apt.accepts()
    theirs = apt.installs("app")
    assert theirs["lib"] == version == max(v for (_, name), v in ours.items() if name == "lib")
    assert theirs["app"] == ours["bookworm", "app"]


def test_facts_are_the_same_with_and_without_the_cache_and_from_any_mirror(
    server: SnapshotServer, http: Http
) -> None:
    def facts(suites: tuple[VerifiedSuite, ...]) -> list[object]:
        return [
            (s.suite, s.timestamp, s.sha256, s.date, s.fingerprints, [p.sha256 for p in s.parts])
            for s in suites
        ]

    first = facts(open_archive(opening(server, SPRING), http))
    asked = server.count("*Release*")
    assert facts(open_archive(opening(server, SPRING), http)) == first
    assert server.count("*Release*") == asked
    with SnapshotServer(two_instants()) as other:
        assert facts(open_archive(opening(other, SPRING), http)) == first


def test_indexes_are_fetched_once_and_only_when_they_are_read(
    server: SnapshotServer, http: Http
) -> None:
    suites = open_archive(opening(server, SPRING), http)
    assert server.count("*Packages*") == 0
    versions(suites)
    asked = server.count("*Packages*")
    versions(open_archive(opening(server, SPRING), http))
    assert server.count("*Packages*") == asked > 0


def test_the_files_are_debs_that_dpkg_reads(server: SnapshotServer, http: Http) -> None:
    paths = whole_chain(server, http, SPRING)
    names = set()
    for digest, path in paths.items():
        assert path == stored(digest)
        field = ["dpkg-deb", "--field", str(path), "Package"]
        names.add(subprocess.run(field, capture_output=True, text=True, check=True).stdout.strip())
        subprocess.run(["dpkg-deb", "--contents", str(path)], capture_output=True, check=True)
    assert names == {"app", "lib"}
    assert store_is_clean()


def test_now_is_the_live_mirrors_state(server: SnapshotServer, http: Http, apt: Apt) -> None:
    suites = open_archive(opening(server, None, server.live), http)
    assert [suite.timestamp for suite in suites] == [None] * 3
    assert versions(suites)["bookworm", "app"] == "1.1-1"
    assert server.count("/live/*/by-hash/SHA256/*") > 0
    apt.sources(f"{server.base}/live/debian bookworm main")
    assert apt.accepts()
    assert apt.installs("app")["app"] == "1.1-1"


def test_now_without_a_mirror_is_the_newest_snapshot_and_says_so(
    server: SnapshotServer, http: Http
) -> None:
    class Notes(SilentReporter):
        said: list[str] = []  # noqa: RUF012

        def note(self, text: str) -> None:
            self.said.append(text)

    notes = Notes()
    suites = open_archive(opening(server, None), http, reporter=notes)
    assert suites[0].timestamp is not None
    assert len([note for note in notes.said if "snapshot" in note]) == 3


def changed(server: SnapshotServer, archive: str, state: str, files: Files) -> None:
    """Put other files into a state."""
    server.states[archive][state] = {**server.states[archive][state], **files}


@pytest.mark.parametrize("way", ["detached", "gzip only", "no by-hash", "compressed only"])
def test_older_ways_to_publish_work_too(server: SnapshotServer, http: Http, way: str) -> None:
    suite = TinySuite(name="bookworm", debs=base_debs("1.0-1"), date=OLD)
    suite = {
        "detached": replace(suite, inline=False),
        "gzip only": replace(suite, packed=(".gz",)),
        "no by-hash": replace(suite, by_hash=False),
        "compressed only": replace(suite, plain=False),
    }[way]
    files = server.states["debian"][SPRING_STATE]
    kept = {path: body for path, body in files.items() if not path.startswith("dists/bookworm/")}
    server.states["debian"][SPRING_STATE] = kept | suite.files(signer())
    suites = open_archive(opening(server, SPRING), http)
    assert versions(suites)["bookworm", "app"] == "1.0-1"
    part = suites[0].parts[0]
    assert hashlib.sha256(part.packages()).hexdigest() == part.sha256


def test_a_form_of_the_index_that_is_not_there_is_passed_over(
    server: SnapshotServer, http: Http
) -> None:
    gone = [path for path in server.states["debian"][SPRING_STATE] if path.endswith("Packages.gz")]
    assert gone
    server.fail("*/Packages.gz", "not-found")
    server.fail("*/by-hash/*", "not-found")
    suites = open_archive(opening(server, SPRING), http)
    assert versions(suites)["bookworm", "app"] == "1.0-1"
    with SnapshotServer(two_instants()) as bare:
        bare.fail("*Packages*", "not-found")
        bare.fail("*/by-hash/*", "not-found")
        with pytest.raises(SourceError, match=r"Packages\.gz"):
            versions(open_archive(opening(bare, AUTUMN), http))


# --- what is wrong: each link of the chain ---

LINKS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "a bit of the Release": ("*/dists/bookworm/InRelease", flip(120)),
    "a bit of the security Release": ("*/dists/bookworm-security/InRelease", flip(120)),
    "a bit of the signature": ("*/dists/bookworm/InRelease", flip(-80)),
    "another key": (
        "*/dists/bookworm/InRelease",
        lambda _: TinySuite(name="bookworm", date=OLD).files(signer("Else <else@example.org>"))[
            "dists/bookworm/InRelease"
        ],
    ),
    "no signature": (
        "*/dists/bookworm/InRelease",
        lambda _: TinySuite(name="bookworm", date=OLD).files(signer())["dists/bookworm/Release"],
    ),
    "another suite's Release": (
        "*/dists/bookworm/InRelease",
        lambda _: TinySuite(name="bullseye", suite="oldstable", date=OLD).files(signer())[
            "dists/bullseye/InRelease"
        ],
    ),
    "a bit of the index": ("*/Packages*", flip(60)),
    "a bit of the index by digest": ("*/by-hash/*", flip(60)),
    "an index cut short": ("*/Packages*", lambda content: content[:-7]),
    "an index with more after it": ("*/Packages*", lambda content: content + b"\n\n"),
}


@pytest.mark.parametrize("link", LINKS)
def test_a_wrong_byte_is_exit_4_and_leaves_nothing_and_apt_refuses_it_too(
    server: SnapshotServer, http: Http, apt: Apt, link: str
) -> None:
    pattern, change = LINKS[link]
    server.tamper(pattern, change)
    if "index" in link:
        # Both ways to the index are wrong, or envlock takes the right one.
        server.tamper("*/by-hash/*" if "by digest" not in link else "*/Packages*", change)
    with pytest.raises(VerificationError) as caught:
        whole_chain(server, http, SPRING)
    assert caught.value.exit_code == 4
    assert caught.value.where is not None
    assert caught.value.where.startswith(server.base)
    assert store_is_clean()
    apt.sources(
        f"{server.base}/archive/debian/{SPRING_STATE} bookworm main",
        f"{server.base}/archive/debian-security/{SPRING_STATE} bookworm-security main",
    )
    if link == "another suite's Release":
        # apt only warns of it, and would install from the older suite.
        assert "Conflicting distribution" in apt.run("update").stderr
    else:
        assert not apt.accepts()
    server.heal()
    assert len(whole_chain(server, http, SPRING)) == 2


@pytest.mark.parametrize("live", [False, True])
def test_a_release_whose_signature_was_taken_away(
    server: SnapshotServer, http: Http, apt: Apt, live: bool
) -> None:
    for name in ("InRelease", "Release.gpg"):
        server.fail(f"*/dists/bookworm/{name}", "not-found")
    given, as_of = (server.live, None) if live else (server.template, SPRING)
    with pytest.raises(VerificationError, match="bookworm is not signed") as caught:
        open_archive(opening(server, as_of, given), http)
    assert caught.value.exit_code == 4
    apt.sources(f"{server.base}/archive/debian/{SPRING_STATE} bookworm main")
    assert not apt.accepts()
    server.heal()
    assert len(whole_chain(server, http, SPRING)) == 2


def test_an_expired_key_that_was_valid_when_it_signed_counts_for_the_past_only(
    server: SnapshotServer, http: Http, apt: Apt
) -> None:
    # Sequoia dates keys a minute back: this one lives for another second.
    short = Signer("Short <short@example.org>", validity_seconds=61)
    suites = {"debian": ("bookworm", "bookworm-updates"), "debian-security": ("bookworm-security",)}
    for archive, names in suites.items():
        for name in names:
            suite = TinySuite(name=name, date=NEW, suite=name.replace("bookworm", "stable"))
            changed(server, archive, AUTUMN_STATE, suite.files(short))
    time.sleep(2.2)
    keyring = parse_keyring(short.public, "short keys")
    found = open_archive(replace(opening(server, AUTUMN), keyring=keyring), http)
    assert {suite.fingerprints for suite in found} == {(short.fingerprint,)}
    with pytest.raises(VerificationError, match="expired"):
        open_archive(replace(opening(server, None, server.live), keyring=keyring), http)
    (apt.root / "key.asc").write_bytes(short.public)
    apt.sources(f"{server.base}/live/debian bookworm main")
    assert not apt.accepts()


def test_a_wrong_bit_in_a_package_is_exit_4_for_both(
    server: SnapshotServer, http: Http, apt: Apt
) -> None:
    server.tamper("*.deb", flip(-20))
    with pytest.raises(VerificationError, match=r"app_1\.0-1_amd64\.deb|lib_1\.0-1_amd64\.deb"):
        whole_chain(server, http, SPRING)
    assert store_is_clean()
    apt.sources(f"{server.base}/archive/debian/{SPRING_STATE} bookworm main")
    assert apt.accepts()
    assert apt.run("-y", "--download-only", "install", "app").returncode != 0
    server.heal()
    assert len(whole_chain(server, http, SPRING)) == 2


@pytest.mark.parametrize("side", ["before", "after"])
def test_text_around_the_signed_block_does_not_reach_us(
    server: SnapshotServer, http: Http, side: str
) -> None:
    evil = b"Codename: evil\nSHA256:\n " + b"0" * 64 + b" 1 main/binary-amd64/Packages.xz\n\n"
    honest = open_archive(opening(server, SPRING), http)
    with SnapshotServer(two_instants()) as other:
        put = (lambda c: evil + c) if side == "before" else (lambda c: c + evil)
        other.tamper("*/InRelease", put)
        found = open_archive(opening(other, SPRING), http)
    assert [suite.release for suite in found] == [suite.release for suite in honest]


def test_a_release_newer_than_the_date_is_refused(server: SnapshotServer, http: Http) -> None:
    newer = server.states["debian"][AUTUMN_STATE]
    changed(server, "debian", SPRING_STATE, newer)
    with pytest.raises(VerificationError, match="2024-06-01T12:00:00Z, as-of 2024-03-01"):
        open_archive(opening(server, SPRING), http)


def test_a_release_older_than_the_one_seen_before_is_refused(
    server: SnapshotServer, http: Http
) -> None:
    floors = {suite.suite.name: suite.date for suite in open_archive(opening(server, AUTUMN), http)}
    changed(server, "debian", AUTUMN_STATE, server.states["debian"][SPRING_STATE])
    later = AUTUMN + timedelta(days=1)
    with pytest.raises(VerificationError, match="older than 2024-06-01T12:00:00Z"):
        open_archive(replace(opening(server, later), floors=floors), http)


@pytest.mark.parametrize("dated", [True, False])
def test_an_expired_release_stops_now_and_not_a_dated_archive(
    server: SnapshotServer, http: Http, apt: Apt, dated: bool
) -> None:
    suite = TinySuite(
        name="bookworm", debs=base_debs("1.1-1"), date=NEW, valid_until=NEW + timedelta(days=7)
    )
    changed(server, "debian", AUTUMN_STATE, suite.files(signer()))
    if dated:
        found = open_archive(opening(server, AUTUMN), http)
        assert found[0].release.valid_until == NEW + timedelta(days=7)
        return
    with pytest.raises(VerificationError, match="valid until 2024-06-08"):
        open_archive(opening(server, None, server.live), http)
    apt.sources(f"{server.base}/live/debian bookworm main")
    assert not apt.accepts()


# --- faults ---


def test_passing_faults_are_got_over(server: SnapshotServer, http: Http) -> None:
    server.fail("*/bookworm/InRelease", "429", times=1)
    server.fail("*/Packages*", "503", times=1)
    server.busy("*/bookworm-updates/InRelease", 1)
    server.fail("*.deb", "truncate", times=2)
    server.fail("*/bookworm-security/InRelease", "cut", times=1)
    server.slow("*/app_*", 0.2)
    assert len(whole_chain(server, http, SPRING)) == 2
    assert store_is_clean()


def test_a_file_is_had_from_whoever_has_it(server: SnapshotServer, http: Http) -> None:
    with SnapshotServer(two_instants()) as poor, SnapshotServer(two_instants()) as liar:
        poor.fail("*.deb", "not-found")
        liar.tamper("*.deb", flip(3))
        templates = (poor.template, liar.template, server.template)
        suites = open_archive(opening(server, SPRING, *templates), http)
        deb = base_debs("1.0-1")[1]
        content = deb.build()
        digest = hashlib.sha256(content).hexdigest()
        paths = fetch_all(http, [suites[0].wanted(deb.filename, digest, len(content))])
        assert paths[digest].read_bytes() == content
        assert poor.count("*.deb") == liar.count("*.deb") == server.count("*.deb") == 1


def test_a_damaged_store_is_mended(server: SnapshotServer, http: Http) -> None:
    paths = whole_chain(server, http, SPRING)
    digest, path = next(iter(paths.items()))
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)
    assert whole_chain(server, http, SPRING)[digest].read_bytes() != b"x"
    assert store_is_clean()


def test_another_mirror_is_asked_when_one_is_out_of_order(
    server: SnapshotServer, http: Http
) -> None:
    with SnapshotServer(two_instants()) as broken:
        broken.fail("*", "500")
        suites = open_archive(opening(server, SPRING, broken.template, server.template), http)
    assert suites[0].timestamp == SPRING_STATE


def test_no_mirror_at_all(http: Http) -> None:
    with SnapshotServer(two_instants()) as gone:
        dead = opening(gone, SPRING)
    with pytest.raises(SourceError, match="no mirror of debian"):
        open_archive(dead, http)


def test_a_package_that_nobody_has(server: SnapshotServer, http: Http) -> None:
    suite = open_archive(opening(server, SPRING), http)[0]
    with pytest.raises(SourceError, match=r"none_1\.deb"):
        fetch_all(http, [suite.wanted("pool/main/n/none_1.deb", "0" * 64, 3)])


def test_a_suite_that_is_not_there(server: SnapshotServer, http: Http) -> None:
    base = parse_base("debian:trixie")
    with pytest.raises(UsageError, match="has the suite trixie"):
        open_archive(replace(opening(server, SPRING), base=base), http)


@pytest.mark.parametrize(("change", "said"), [
    ({"architectures": ("arm64",)}, "bookworm has no architecture arm64"),
    ({"architectures": ("amd46",)}, "did you mean amd64"),
    ({"components": ("contrib",)}, "bookworm has no component contrib"),
    ({"components": ("mian",)}, "did you mean main"),
])  # fmt: skip
def test_what_the_suite_does_not_have(
    server: SnapshotServer, http: Http, change: dict[str, tuple[str, ...]], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        open_archive(replace(opening(server, SPRING), **change), http)


def test_a_further_suite_may_lack_an_architecture_and_says_so(
    server: SnapshotServer, http: Http
) -> None:
    both = TinySuite(name="bookworm", date=OLD, architectures=("amd64", "arm64"))
    changed(server, "debian", SPRING_STATE, both.files(signer()))
    notes: list[str] = []

    class Notes(SilentReporter):
        def note(self, text: str) -> None:
            notes.append(text)

    asked = replace(opening(server, SPRING), architectures=("amd64", "arm64"))
    suites = open_archive(asked, http, reporter=Notes())
    assert [part.architecture for part in suites[0].parts] == ["amd64", "arm64"]
    assert "bookworm-security has nothing for arm64" in notes


def test_the_same_file_from_two_suites_is_fetched_once(server: SnapshotServer, http: Http) -> None:
    suites = open_archive(opening(server, SPRING), http)
    deb = Deb(name="lib", version="1.0-1", fields={"Source": "library"})
    content = deb.build()
    digest = hashlib.sha256(content).hexdigest()
    twice = [suites[0].wanted(deb.filename, digest, len(content)) for _ in range(2)]
    assert list(fetch_all(http, twice)) == [digest]
    assert server.count("*.deb") == 1


def test_a_full_disk_in_mid_download_leaves_nothing(server: SnapshotServer, http: Http) -> None:
    suite = open_archive(opening(server, SPRING), http)[0]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file that may not grow is what a full disk looks like from here.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(SourceError, match="File too large"):
            suite.parts[0].packages()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [path for path in (cache_dir() / "sha256").rglob("*") if path.is_file()]
    assert suite.parts[0].packages()


def test_an_older_security_archive_takes_nothing_away(server: SnapshotServer, http: Http) -> None:
    changed(server, "debian-security", AUTUMN_STATE, security_suite(None, OLD))
    floors = {"bookworm-security": NEW}
    with pytest.raises(EnvlockError) as caught:
        open_archive(replace(opening(server, AUTUMN), floors=floors), http)
    assert caught.value.exit_code == 4


def test_without_given_keys_the_distributions_own_are_asked_for(
    server: SnapshotServer, http: Http
) -> None:
    with pytest.raises(VerificationError, match="is unknown"):
        open_archive(replace(opening(server, SPRING), keyring=None), http)


@pytest.mark.network
def test_the_machines_own_mirror_gives_what_apt_gets_from_it(http: Http, apt: Apt) -> None:
    keyring = shipped_keyring("debian-archive")
    sources = apt_sources()
    mirrors = choose_mirrors(BOOKWORM.distribution, sources=sources, keyring=lambda: keyring)
    suites = open_archive(
        Opening(base=BOOKWORM, as_of=None, architectures=("amd64",), mirrors=mirrors), http
    )
    assert [suite.timestamp for suite in suites] == [None] * 3
    (apt.root / "key.asc").write_text("".join(map(str, keyring.certificates)))
    apt.sources(*(f"{mirrors.live[s.suite.archive][0]} {s.suite.name} main" for s in suites))
    assert apt.accepts()
    for suite in suites:
        (part,) = suite.parts
        pattern = f"*_dists_{suite.suite.name}_main_binary-amd64_Packages*"
        (path,) = (apt.root / "var/lib/apt/lists").glob(pattern)
        cat = ["/usr/lib/apt/apt-helper", "cat-file", str(path)]
        theirs = subprocess.run(cat, capture_output=True, check=True).stdout
        assert hashlib.sha256(theirs).hexdigest() == part.sha256
        assert theirs == part.packages()
