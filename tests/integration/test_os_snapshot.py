"""The snapshot client on a loopback service: redirects, instants, faults, the rate's bound."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.index import Answer
from support.snapshot import SnapshotServer
from support.tiny_archive import Files, two_instants

from envlock.errors import SourceError, UsageError, VerificationError
from envlock.io.http.client import Http
from envlock.resolve.os.archive.mirrors import choose_mirrors
from envlock.resolve.os.archive.signed import Question, SignedReleases
from envlock.resolve.os.archive.snapshot import (
    RateLimit,
    SnapshotClient,
    SnapshotMirror,
    parse_timestamp,
    timestamp,
)
from envlock.resolve.os.archive.trust import shipped_keyring
from envlock.resolve.os.distributions.debian import Debian
from envlock.resolve.os.distributions.distribution import parse_base

IMPORTS = [
    datetime(2024, 1, 1, 3, tzinfo=UTC),
    datetime(2024, 1, 1, 9, 30, 1, tzinfo=UTC),
    datetime(2024, 1, 2, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
]
FILE = "dists/bookworm/InRelease"


def states() -> dict[str, dict[str, Files]]:
    """Each import's file says which import it is of."""
    return {"debian": {timestamp(m): {FILE: timestamp(m).encode()} for m in IMPORTS}}


@pytest.fixture(scope="module")
def server() -> Iterator[SnapshotServer]:
    with SnapshotServer(states()) as running:
        yield running


@pytest.fixture(autouse=True)
def _healed(server: SnapshotServer) -> None:
    server.heal()
    server.states = states()
    server.forget_requests()


@pytest.fixture(scope="module")
def http() -> Iterator[Http]:
    with Http(backoff=0.01, timeout=5) as client:
        yield client


@pytest.fixture
def client(server: SnapshotServer, http: Http) -> SnapshotClient:
    listed = f"{server.base}/mr/timestamp/?archive={{archive}}"
    return SnapshotClient(SnapshotMirror(template=server.template, timestamps=listed), http)


@given(
    moment=st.one_of(
        st.datetimes(datetime(2024, 1, 1, 3), datetime(2024, 4, 1)),
        st.sampled_from([moment.replace(tzinfo=None) for moment in IMPORTS]),
        st.sampled_from([(m + timedelta(seconds=1)).replace(tzinfo=None) for m in IMPORTS]),
    )
)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_instant_is_the_newest_import_not_later(
    client: SnapshotClient, moment: datetime
) -> None:
    as_of = moment.replace(tzinfo=UTC)
    found = client.get("debian", as_of, FILE)
    expected = timestamp(max(known for known in IMPORTS if known <= as_of))
    assert found is not None
    assert found.timestamp == expected == found.response.body.decode()


def test_a_service_without_redirects_is_taken_at_its_word(
    server: SnapshotServer, http: Http
) -> None:
    client = SnapshotClient(SnapshotMirror(template=server.every), http)
    as_of = datetime(2024, 1, 10, 12, 30, tzinfo=UTC)
    found = client.get("debian", as_of, FILE)
    assert found is not None
    assert found.timestamp == "20240110T123000Z"
    assert found.response.body == b"20240102T000000Z"


def test_before_the_first_import(client: SnapshotClient) -> None:
    with pytest.raises(UsageError, match="the first one is of 2024-01-01T03:00:00Z") as caught:
        client.get("debian", datetime(2023, 12, 31, tzinfo=UTC), FILE)
    assert caught.value.exit_code == 2


def test_a_file_that_the_state_does_not_have(client: SnapshotClient) -> None:
    assert client.get("debian", IMPORTS[2], "dists/woody/InRelease") is None


def test_the_imports_are_listed(client: SnapshotClient) -> None:
    assert client.imports("debian") == tuple(timestamp(moment) for moment in IMPORTS)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"result": []}', b'{"result": {"debian": [3]}}']
)
def test_a_list_of_imports_that_is_none(
    server: SnapshotServer, client: SnapshotClient, body: bytes
) -> None:
    server.tamper("/mr/timestamp/", lambda _: body)
    with pytest.raises(SourceError, match="list of imports"):
        client.imports("debian")


def test_a_state_later_than_asked_is_refused(
    server: SnapshotServer, client: SnapshotClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = server.answer

    def later(path: str, headers: dict[str, str]) -> Answer:
        if "/20240105T000000Z/" in path:
            location = path.replace("20240105T000000Z", "20240229T235959Z")
            return Answer(status=302, headers={"Location": location})
        return honest(path, headers)

    monkeypatch.setattr(server, "answer", later)
    with pytest.raises(VerificationError, match="answers with 20240229T235959Z") as caught:
        client.get("debian", datetime(2024, 1, 5, tzinfo=UTC), FILE)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("kind", ["429", "503", "cut", "truncate", "empty"])
def test_a_passing_fault_is_got_over(
    server: SnapshotServer, client: SnapshotClient, kind: str
) -> None:
    if kind == "empty":
        server.busy("*/InRelease", 2)
    else:
        server.fail("*/InRelease", kind, times=2)  # type: ignore[arg-type]
    found = client.get("debian", IMPORTS[-1], FILE)
    assert found is not None
    assert found.timestamp == "20240229T235959Z"
    assert server.count("*/InRelease") == 3


@pytest.mark.parametrize("kind", ["429", "503", "cut"])
def test_a_lasting_fault_is_an_error_that_names_the_address(
    server: SnapshotServer, client: SnapshotClient, kind: str
) -> None:
    server.fail("*/InRelease", kind)  # type: ignore[arg-type]
    with pytest.raises(SourceError) as caught:
        client.get("debian", IMPORTS[-1], FILE)
    assert caught.value.where == f"{server.base}/archive/debian/20240229T235959Z/{FILE}"
    assert caught.value.exit_code == 3


def test_each_request_asks_for_leave(server: SnapshotServer, http: Http) -> None:
    pauses: list[float] = []
    limit = RateLimit(4, burst=2, clock=lambda: 0.0, sleep=pauses.append)
    client = SnapshotClient(SnapshotMirror(template=server.template, rate=limit), http)
    for _ in range(5):
        client.get("debian", IMPORTS[0], FILE)
    assert pauses == [0.25, 0.5, 0.75]


def test_the_answer_about_a_recent_instant_is_not_kept(server: SnapshotServer, http: Http) -> None:
    mirrors = choose_mirrors(
        Debian(), given=[server.template], keyring=lambda: shipped_keyring("debian-archive")
    )
    suite = parse_base("debian:bookworm").suites[0]
    now = IMPORTS[-1] + timedelta(hours=1)
    releases = SignedReleases(http, mirrors, Debian(), now)
    recent = Question(suite=suite, as_of=IMPORTS[-1])
    releases.keep(recent, releases.ask(recent))
    assert releases.kept(recent) is None
    old = Question(suite=suite, as_of=IMPORTS[0])
    signed = releases.ask(old)
    releases.keep(old, signed)
    assert releases.kept(old) == signed


def test_the_timestamps_of_the_tiny_archive_are_in_the_list(http: Http) -> None:
    with SnapshotServer(two_instants()) as running:
        answer = http.get(f"{running.base}/mr/timestamp/?archive=debian")
    listed = json.loads(answer.body)["result"]
    assert set(listed) == {"debian", "debian-security"}
    assert [parse_timestamp(text).year for text in listed["debian"]] == [2024, 2024]
