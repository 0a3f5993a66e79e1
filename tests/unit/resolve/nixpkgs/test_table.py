"""The shipped table of nixpkgs tips: its shape, and what it answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib import resources

import pytest

from envlock.errors import SourceError
from envlock.resolve.nixpkgs import table
from envlock.resolve.nixpkgs.branches import channel_folder, default_branch

TEXT = (resources.files("envlock.resolve.nixpkgs") / "revisions.txt").read_text("ascii")
SECOND = timedelta(seconds=1)


def test_each_line_is_a_comment_a_branch_or_a_tip() -> None:
    for line in TEXT.splitlines():
        assert re.fullmatch(
            r"#.*|\[(nixos|nixpkgs|release)-[a-z0-9.-]+\]|\d{10} [0-9a-f]{40} [A-Za-z0-9+/]{43}",
            line,
        ), line
    assert "flake.lock" in TEXT.partition("[")[0], "the source is stated"


def test_branches_and_tips_are_sorted_and_unique() -> None:
    headers = re.findall(r"^\[(.*)\]$", TEXT, re.M)
    assert headers == sorted(set(headers)) == list(table.branches())
    for branch in table.branches():
        tips = table.tips(branch)
        assert tips
        assert list(tips) == sorted(set(tips))
        assert len({tip.rev for tip in tips}) == len(tips)
        assert {tip.branch for tip in tips} == {branch}


def test_the_table_is_whole() -> None:
    assert sum(len(table.tips(branch)) for branch in table.branches()) == 2226
    assert table.end() == datetime(2026, 8, 20, 7, 12, 19, tzinfo=UTC)


def test_one_commit_has_one_digest_and_date_on_every_branch() -> None:
    facts: dict[str, set[tuple[datetime, str]]] = {}
    for branch in table.branches():
        for tip in table.tips(branch):
            facts.setdefault(tip.rev, set()).add((tip.last_modified, tip.nar_hash))
    assert all(len(found) == 1 for found in facts.values())


@pytest.mark.parametrize("branch", table.branches())
def test_the_newest_tip_is_the_last_one_that_is_not_later(branch: str) -> None:
    tips = table.tips(branch)
    assert table.newest(branch, tips[0].last_modified - SECOND) is None
    for tip in tips:
        found = table.newest(branch, tip.last_modified)
        assert found is not None
        assert found.last_modified == tip.last_modified
    assert table.newest(branch, tips[-1].last_modified + timedelta(days=900)) == tips[-1]


def test_coverage_begins_and_ends_with_a_tip() -> None:
    first, *_, last = table.tips("nixos-25.11")
    assert table.covers("nixos-25.11", first.last_modified)
    assert table.covers("nixos-25.11", last.last_modified)
    assert not table.covers("nixos-25.11", first.last_modified - SECOND)
    assert not table.covers("nixos-25.11", last.last_modified + SECOND)
    assert not table.covers("nixos-99.11", last.last_modified)


def test_a_commit_is_found_on_any_branch() -> None:
    tip = table.tips("nixos-unstable")[17]
    assert table.with_rev(tip.rev) is not None
    assert table.with_rev("0" * 40) is None


@pytest.mark.parametrize(
    ("date", "branch"),
    [
        ("2020-10-01", "nixos-20.09"),
        ("2021-07-01", "nixos-20.09"),  # 21.05 has no tip yet, as far as is known
        ("2021-08-01", "nixos-21.05"),
        ("2024-06-01", "nixos-24.05"),
        ("2026-03-01", "nixos-25.11"),
        ("2026-05-25", "nixos-26.05"),
        ("2026-08-20", "nixos-26.05"),
        # After the table's end: by the calendar.
        ("2026-11-30", "nixos-26.05"),
        ("2026-12-01", "nixos-26.11"),
        ("2027-05-31", "nixos-26.11"),
        ("2027-06-01", "nixos-27.05"),
        ("2031-01-01", "nixos-30.11"),
    ],
)
def test_the_stable_branch_of_a_date(date: str, branch: str) -> None:
    assert default_branch(datetime.fromisoformat(f"{date}T00:00:00+00:00")) == branch


def test_before_the_table_the_branch_has_to_be_named() -> None:
    with pytest.raises(SourceError) as caught:
        default_branch(datetime(2020, 9, 1, tzinfo=UTC))
    assert "begins at 2020-09-27" in caught.value.what
    assert "branch = " in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("branch", "folder"),
    [
        ("nixos-25.11", "nixos/25.11"),
        ("nixos-25.11-small", "nixos/25.11-small"),
        ("nixos-unstable", "nixos/unstable"),
        ("nixpkgs-unstable", "nixpkgs"),
        ("nixpkgs-25.11-darwin", "nixpkgs/25.11-darwin"),
        ("release-25.05", None),
        ("master", None),
        ("staging/x", None),
    ],
)
def test_where_a_branchs_releases_lie(branch: str, folder: str | None) -> None:
    assert channel_folder(branch) == folder
