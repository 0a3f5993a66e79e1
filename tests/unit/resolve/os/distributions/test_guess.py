"""The release of a distribution that a date means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from envlock.errors import UsageError
from envlock.resolve.os.distributions.guess import guess_base
from envlock.resolve.python.releases import newest_released, releases, was_released


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "day", "pythons", "base"),
    [
        ("debian", "2023-06-09", (), "debian:bullseye"),
        ("debian", "2023-06-10", (), "debian:bookworm"),
        ("debian", "2026-01-01", (), "debian:trixie"),
        ("debian", "2026-01-01", ("3.11",), "debian:bookworm"),
        ("debian", "2026-01-01", ("3.11.2",), "debian:bookworm"),
        ("debian", "2026-01-01", ("3.12",), "debian:trixie"),
        ("ubuntu", "2024-04-24", (), "ubuntu:jammy"),
        ("ubuntu", "2026-01-01", (), "ubuntu:noble"),
    ],
)
def test_the_newest_stable_release_of_the_date(
    name: str, day: str, pythons: tuple[str, ...], base: str
) -> None:
    assert str(guess_base(name, at(day), pythons)) == base


def test_none_was_out() -> None:
    with pytest.raises(UsageError, match=r"no release of debian .* was out on 2020-05-01"):
        guess_base("debian", at("2020-05-01"))
    with pytest.raises(UsageError, match="unknown distribution"):
        guess_base("fedora", at("2024-01-01"))


def test_pythons_of_a_date() -> None:
    assert newest_released(at("2020-10-04"), lambda series: True) == "3.8"
    assert newest_released(at("2020-10-05"), lambda series: True) == "3.9"
    assert newest_released(at("2024-01-01"), lambda series: series == "3.7") == "3.7"
    assert newest_released(at("2010-01-01"), lambda series: True) is None
    assert was_released("3.99", at("2020-01-01")), "what is not known is not doubted"
    days = list(releases().values())
    assert days == sorted(days)
