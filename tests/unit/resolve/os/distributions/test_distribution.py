"""Bases are found by codename or number; what is not there is answered with what is near."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from envlock.errors import UsageError
from envlock.resolve.os.archive.trust import shipped_keyring
from envlock.resolve.os.distributions.debian import Debian
from envlock.resolve.os.distributions.distribution import Distribution, parse_base
from envlock.resolve.os.distributions.ubuntu import Ubuntu

ALL: tuple[Distribution, ...] = (Debian(), Ubuntu())


@pytest.mark.parametrize(("text", "base", "suites"), [
    ("debian:bookworm", "debian:bookworm", "bookworm bookworm-updates bookworm-security"),
    ("debian:12", "debian:bookworm", "bookworm bookworm-updates bookworm-security"),
    ("Debian: Trixie", "debian:trixie", "trixie trixie-updates trixie-security"),
    ("debian:sid", "debian:sid", "sid"),
    ("ubuntu:24.04", "ubuntu:noble", "noble noble-updates noble-security"),
    ("ubuntu:jammy", "ubuntu:jammy", "jammy jammy-updates jammy-security"),
])  # fmt: skip
def test_a_base_and_its_suites(text: str, base: str, suites: str) -> None:
    found = parse_base(text)
    assert str(found) == base
    assert [suite.name for suite in found.suites] == suites.split()


@pytest.mark.parametrize(("text", "said"), [
    ("debian:bookwrm", "did you mean bookworm?"),
    ("ubuntu:22.4", "did you mean 22.04?"),
    ("debain:bookworm", "did you mean debian?"),
    ("fedora:40", "known: debian, ubuntu"),
    ("debian", "for example debian:trixie"),
    ("ubuntu:", "for example ubuntu:noble"),
    ("", "unknown distribution"),
    (":bookworm", "unknown distribution"),
])  # fmt: skip
def test_an_unknown_base(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_base(text)
    assert said in str(caught.value)


def test_a_release_that_was_not_there_yet() -> None:
    with pytest.raises(UsageError) as caught:
        parse_base("debian:trixie", as_of=datetime(2022, 1, 1, tzinfo=UTC))
    assert "its archive opened 2023-06-10, it was released 2025-08-09" in str(caught.value)
    opened = datetime(2023, 6, 10, tzinfo=UTC)
    assert parse_base("debian:trixie", as_of=opened).codename.name == "trixie"
    with pytest.raises(UsageError):
        parse_base("debian:trixie", as_of=opened - timedelta(seconds=1))


@pytest.mark.parametrize("distribution", ALL, ids=lambda distribution: distribution.name)
def test_what_is_said_of_a_distribution_holds_together(distribution: Distribution) -> None:
    names = [codename.name for codename in distribution.codenames]
    assert len(set(names)) == len(names)
    for codename in distribution.codenames:
        suites = distribution.suites(codename.name)
        assert suites[0].name == codename.name
        assert len({(suite.archive, suite.name) for suite in suites}) == len(suites)
        if codename.released is not None:
            assert codename.opened < codename.released
            assert codename.version
            assert codename.python is not None
    assert set(distribution.default_components) <= set(distribution.components)
    assert distribution.snapshots.url.startswith("https://")
    assert "{timestamp}" in distribution.snapshots.path
    assert "{archive}" in distribution.snapshots.path
    assert shipped_keyring(distribution.keyring).certificates
