"""A Release is read as the archive wrote it, and judged by name and date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tiny_archive import NEW, TinySuite

from envlock.errors import VerificationError
from envlock.resolve.os.archive.release import Release, judge_release, parse_release
from envlock.resolve.os.archive.trust import Verified

WHERE = "http://archive.example.org/dists/bookworm/InRelease"
NOW = NEW + timedelta(days=1)


def parse(text: str | bytes) -> Release:
    payload = text.encode() if isinstance(text, str) else text
    return parse_release(Verified(payload=payload, signatures=()), WHERE)


def release(**options: object) -> Release:
    settings = {"name": "bookworm", "date": NEW, **options}
    return parse(TinySuite(**settings).release({"main/binary-amd64/Packages": b"x"}))  # type: ignore[arg-type]


def test_what_is_read() -> None:
    found = release(
        prefix="updates/",
        components=("main", "contrib"),
        architectures=("amd64", "arm64"),
        valid_until=NEW + timedelta(days=7),
    )
    assert (found.suite, found.codename, found.origin) == ("stable", "bookworm", "Debian")
    assert found.date == NEW
    assert found.valid_until == NEW + timedelta(days=7)
    assert found.components == ("main", "contrib")
    assert found.architectures == ("all", "amd64", "arm64")
    assert found.by_hash
    assert found.priority == 500
    listed = found.file("main/binary-amd64/Packages")
    assert listed is not None
    assert listed.size == 1
    assert found.file("main/binary-arm64/Packages") is None


@pytest.mark.parametrize(("more", "priority"), [
    ("", 500),
    ("NotAutomatic: yes", 1),
    ("NotAutomatic: yes\nButAutomaticUpgrades: yes", 100),
    ("ButAutomaticUpgrades: yes", 500),
])  # fmt: skip
def test_the_priority_is_apts_default(more: str, priority: int) -> None:
    assert release(more=more).priority == priority


GOOD = "Codename: bookworm\nDate: Sat, 01 Jun 2024 12:00:00 UTC\nSHA256:\n " + "a" * 64 + " 1 p\n"


@pytest.mark.parametrize(("text", "said"), [
    (GOOD.replace("Codename", "Label"), "neither Suite nor Codename"),
    (GOOD.replace("Date", "Day"), "no Date"),
    (GOOD.replace("Sat, 01 Jun 2024", "one day"), "not a time"),
    (GOOD.replace("SHA256", "MD5Sum"), "no SHA256 digests"),
    (GOOD.replace("a" * 64, "a" * 63), "not a digest"),
    (GOOD.replace("a" * 64, "A" * 64), "not a digest"),
    (GOOD.replace(" 1 p", " -1 p"), "not a digest"),
    (GOOD.replace(" 1 p", " 1"), "not a digest"),
    (GOOD.replace(" 1 p", " 1 ../../etc/passwd"), "leads out of the suite"),
    (GOOD.replace(" 1 p", " 1 /etc/passwd"), "leads out of the suite"),
    (GOOD + " " + "b" * 64 + " 1 p\n", "two digests for p"),
    (GOOD + "Codename: sid\n", "says Codename twice"),
    (GOOD + "\nCodename: sid\n", "is empty"),
    (GOOD + "no field\n", "is no field"),
    ("", "neither Suite nor Codename"),
    (GOOD.encode() + b"X: \xff\n", "not UTF-8"),
])  # fmt: skip
def test_what_cannot_be_used(text: str | bytes, said: str) -> None:
    with pytest.raises(VerificationError) as caught:
        parse(text)
    assert said in caught.value.what
    assert caught.value.where == WHERE


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for payload in (content, GOOD.encode() + content):
        try:
            assert parse(payload).files
        except VerificationError:
            continue


def judge(found: Release, name: str = "bookworm", as_of: datetime | None = None, **more: object):  # type: ignore[no-untyped-def]
    return judge_release(found, name, where=WHERE, as_of=as_of, now=NOW, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("codename", "suite", "asked", "right"), [
    ("bookworm", "oldstable", "bookworm", True),
    ("bookworm", "oldstable", "bullseye", False),
    ("bookworm-updates", "oldstable-updates", "bookworm-updates", True),
    ("bookworm-updates", "oldstable-updates", "bookworm", False),
    ("bookworm", "oldstable", "bookworm-security", False),
    # Ubuntu's pockets have the codename of the release.
    ("jammy", "jammy", "jammy", True),
    ("jammy", "jammy-updates", "jammy-updates", True),
    ("jammy", "jammy-updates", "jammy", False),
    ("jammy", "jammy-security", "jammy-updates", False),
])  # fmt: skip
def test_it_must_be_the_suite_that_was_asked_for(
    codename: str, suite: str, asked: str, right: bool
) -> None:
    found = release(name=codename, suite=suite)
    if right:
        assert judge(found, asked) is found
    else:
        with pytest.raises(VerificationError, match=f"Release of {asked}: it says that it is"):
            judge(found, asked)


@given(seconds=st.integers(-10_000_000, 10_000_000))
def test_no_release_is_newer_than_the_date(seconds: int) -> None:
    as_of = NEW + timedelta(seconds=seconds)
    found = release(valid_until=NEW + timedelta(days=7))
    if seconds >= 0:
        assert judge(found, as_of=as_of) is found
    else:
        with pytest.raises(VerificationError, match="is of 2024-06-01T12:00:00Z, as-of 20"):
            judge(found, as_of=as_of)


def test_now_it_must_be_valid_and_not_from_the_future() -> None:
    assert judge(release(valid_until=NOW))
    assert judge(release(date=NOW + timedelta(minutes=5)))
    with pytest.raises(VerificationError, match="was valid until"):
        judge(release(valid_until=NOW - timedelta(seconds=1)))
    with pytest.raises(VerificationError, match="clock"):
        judge(release(date=NOW + timedelta(hours=1)))


def test_it_must_not_be_older_than_what_was_seen() -> None:
    assert judge(release(), floor=NEW)
    with pytest.raises(VerificationError, match="older than"):
        judge(release(), floor=NEW + timedelta(seconds=1))


def test_times_are_utc() -> None:
    text = GOOD.replace("12:00:00 UTC", "14:00:00 +0200")
    assert parse(text).date == datetime(2024, 6, 1, 12, tzinfo=UTC)
