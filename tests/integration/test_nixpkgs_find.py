"""The newest tip of a nixpkgs branch at a date: the table, and loopback services for the rest.

Shown: who is asked when, that each way answers as its protocol says, that nonsense and trees of
another commit are refused, and that whoever can ask nobody is told the ways out.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.nixpkgs import AUTUMN, NixServer, at, autumn_releases, autumn_repository, nar_hash
from support.repository import Repository

from envlock.errors import EnvlockError, SourceError, UsageError, VerificationError
from envlock.io.http.client import Http
from envlock.io.paths import cache_dir
from envlock.lock.toolchain import Found, Nixpkgs, NixRequest
from envlock.resolve.nixpkgs.find import find_nixpkgs

KNOWN = "1267bb4920d0fc06ea916734c11b0bf004bbe17e"
KNOWN_HASH = "sha256-7DaQVv4R97cii/Qdfy4tmDZMB2xxtyIvNGSwXBBhSmo="
AFTER = "2026-10-10"


class Notes:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def step(self, text: str) -> None:
        pass

    def progress(self, done: int, total: int | None) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return autumn_repository(tmp_path_factory.mktemp("nixpkgs") / "src")


@pytest.fixture
def server(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[NixServer]:
    with NixServer(repository, autumn_releases(repository)) as running:
        for name, value in running.variables.items():
            monkeypatch.setenv(name, value)
        yield running


def find(as_of: str, *, notes: Notes | None = None, **wish: object) -> Nixpkgs:
    with Http() as http:
        request = NixRequest(**wish)  # type: ignore[arg-type]
        return find_nixpkgs(request, at(as_of), http=http, reporter=notes or Notes())


def commit(repository: Repository, back: int) -> str:
    return repository.git("rev-parse", f"{AUTUMN}~{back}")


def test_where_the_table_covers_the_date_nobody_is_asked(server: NixServer) -> None:
    assert find("2026-03-01", names=("a=b",)) == Nixpkgs(
        branch="nixos-25.11",
        rev=KNOWN,
        last_modified=datetime(2026, 2, 25, 19, 16, 40, tzinfo=UTC),
        nar_hash=KNOWN_HASH,
        found=Found.TABLE,
        names=("a=b",),
    )
    assert server.count() == 0


def test_after_the_table_the_release_history_answers(
    server: NixServer, repository: Repository, tmp_path: Path
) -> None:
    pin = find("2026-10-06T12:00:00")
    # Published by then are the first three; the fifth had been committed.
    assert (pin.branch, pin.rev, pin.found) == (AUTUMN, commit(repository, 2), Found.HISTORY)
    assert pin.last_modified == at("2026-10-03")
    assert server.count("/releases/") > 2, "the list came in pages"
    tree = tmp_path / "tree"
    tree.mkdir()
    packed = server.tarball(pin.rev)
    subprocess.run(
        ["tar", "-xz", "--strip-components=1", "-C", str(tree)], input=packed, check=True
    )
    assert pin.nar_hash == nar_hash(tree)


def test_the_instant_of_publishing_counts(server: NixServer, repository: Repository) -> None:
    assert find("2026-10-04T23:59:59").rev == commit(repository, 4)
    assert find("2026-10-05").rev == commit(repository, 3)


def test_without_a_history_a_commit_is_taken_and_said(
    server: NixServer, repository: Repository
) -> None:
    server.fail("/releases/*", "503")
    notes = Notes()
    pin = find("2026-10-03T12:00:00", notes=notes)
    assert (pin.rev, pin.found) == (commit(repository, 2), Found.COMMITS)
    [told] = notes.notes
    assert "a commit of nixos-26.05 was taken instead of a release" in told


def test_a_branch_without_a_channel_has_commits_only(
    server: NixServer, repository: Repository
) -> None:
    repository.git("branch", "--force", "release-26.05", f"{AUTUMN}~1")
    pin = find(AFTER, branch="release-26.05")
    assert (pin.rev, pin.found) == (commit(repository, 1), Found.COMMITS)
    assert server.count("/releases/*") == 0


@pytest.mark.parametrize(("source", "back"), [(Found.HISTORY, 1), (Found.COMMITS, 0)])
def test_a_project_may_say_which_way(
    server: NixServer, repository: Repository, source: Found, back: int
) -> None:
    notes = Notes()
    pin = find("2026-10-07T12:00:00", branch=AUTUMN, source=source, notes=notes)
    assert (pin.rev, pin.found, notes.notes) == (commit(repository, back), source, [])


def test_the_table_by_name_answers_after_its_end(server: NixServer) -> None:
    pin = find(AFTER, source=Found.TABLE)
    assert (pin.branch, pin.found) == (AUTUMN, Found.TABLE)
    assert pin.last_modified == datetime(2026, 8, 20, 5, 42, 21, tzinfo=UTC)
    assert server.count() == 0


def test_a_commit_that_the_table_knows_needs_no_tarball(server: NixServer) -> None:
    server.releases = {f"nixos/25.11/nixos-25.11.1.{KNOWN[:9]}": (at("2026-09-01"), KNOWN)}
    pin = find(AFTER, branch="nixos-25.11")
    assert (pin.rev, pin.found, pin.nar_hash) == (KNOWN, Found.HISTORY, KNOWN_HASH)
    assert server.count("/github/*") == 0


def test_a_tree_is_read_once(server: NixServer) -> None:
    assert find(AFTER) == find(AFTER)
    assert server.count("/github/*") == 1


def test_nobody_to_ask_says_the_ways_out(server: NixServer) -> None:
    server.fail("*", "cut")
    with pytest.raises(SourceError) as caught:
        find(AFTER)
    assert "the table knows nixos-26.05 until 2026-08-20T05:42:21Z" in caught.value.what
    remedy = caught.value.remedy or ""
    assert "lock as of 2026-08-20T05:42:21Z or earlier" in remedy
    assert 'source = "table"' in remedy


def test_before_the_table_and_nobody_to_ask(server: NixServer) -> None:
    server.fail("*", "cut")
    with pytest.raises(SourceError) as caught:
        find("2025-05-01", branch="nixos-25.05")
    assert "the table knows nixos-25.05 from 2025-05-18T23:15:00Z on" in caught.value.what
    assert '"nixos-24.11", "nixos-unstable"' in (caught.value.remedy or ""), "known for the date"


@pytest.mark.parametrize(
    ("wish", "as_of", "kind", "words"),
    [
        ({"branch": AUTUMN, "source": Found.HISTORY}, "2026-10-03", UsageError,
         "its first release is of 2026-10-04"),
        ({"branch": AUTUMN, "source": Found.COMMITS}, "2026-09-30", UsageError, "is as old as"),
        ({"branch": "nixos-99.05"}, AFTER, UsageError, "has no branch 'nixos-99.05'"),
        ({"branch": "nixos-99.05", "source": Found.TABLE}, AFTER, SourceError, "no tip of nixos"),
        ({"branch": "nixos-99.05", "source": Found.HISTORY}, AFTER, SourceError,
         "no channel that has releases"),
        ({"branch": "nixos-25.11", "source": Found.TABLE}, "2025-01-01", SourceError,
         "knows nixos-25.11 from 2025-11-24"),
    ],
)  # fmt: skip
def test_what_cannot_be_had(
    server: NixServer, wish: dict[str, object], as_of: str, kind: type[EnvlockError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        find(as_of, **wish)


@pytest.mark.parametrize(
    ("pattern", "body", "words"),
    [
        ("/releases/", b"<html>sign in</html>", "release history cannot be read"),
        ("/releases/", b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult/>', "cannot be read"),
        ("/releases/", b"not even xml", "release history cannot be read"),
        ("*/git-revision", b"main\n", "commit cannot be read"),
        ("*/git-revision", b"0" * 40, "commit cannot be read"),
    ],
)
def test_a_history_that_answers_nonsense_is_refused(
    server: NixServer, pattern: str, body: bytes, words: str
) -> None:
    server.serve_instead(pattern, body)
    with pytest.raises(SourceError, match=words):
        find(AFTER, branch=AUTUMN, source=Found.HISTORY)


def test_a_list_without_end_is_refused(server: NixServer) -> None:
    page = (
        b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"
        b"</ListBucketResult>"
    )
    server.serve_instead("/releases/", page)
    with pytest.raises(SourceError, match="has no end"):
        find(AFTER, branch=AUTUMN, source=Found.HISTORY)


@pytest.mark.parametrize("body", [b"{}", b"[{}]", b"[1]", b'[{"sha": "main"}]', b"<html>", b"null"])
def test_a_list_of_commits_that_is_none_is_refused(server: NixServer, body: bytes) -> None:
    server.serve_instead("/api/*", body)
    with pytest.raises(SourceError, match="list of commits cannot be read"):
        find(AFTER, branch=AUTUMN, source=Found.COMMITS)


def test_a_tree_of_another_commit_is_refused(server: NixServer, repository: Repository) -> None:
    server.serve_instead("/github/*", server.tarball(commit(repository, 4)) or b"")
    with pytest.raises(VerificationError, match="the tarball is of"):
        find(AFTER)


@pytest.mark.parametrize("fault", ["truncate", "flip-byte", "500", "not-found"])
def test_a_tree_that_does_not_arrive_whole_is_refused(server: NixServer, fault: str) -> None:
    server.fail("/github/*", fault)  # type: ignore[arg-type]
    with pytest.raises(SourceError):
        find(AFTER)
    assert not [path for path in cache_dir().rglob("*") if path.is_file()], "nothing is left"
    server.heal()
    assert find(AFTER).found is Found.HISTORY


def test_a_release_older_than_its_commit_is_refused(
    server: NixServer, repository: Repository
) -> None:
    tip = commit(repository, 0)
    server.releases = {f"nixos/26.05/nixos-26.05.1.{tip[:12]}": (at("2026-09-01"), tip)}
    with pytest.raises(VerificationError, match="is of 2026-10-05T00:00:00Z, later than 2026-09"):
        find("2026-09-15")
