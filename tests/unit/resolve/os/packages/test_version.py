"""Versions compare as Policy §5.6.12 says, on its own examples and the corners around them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from envlock.resolve.os.packages.version import compare, satisfies, sort_key, valid

# Each one is older than the next.
ASCENDING = (
    "~~",
    "~~a",
    "~",
    "",
    "0.9",
    "1a",
    "1.0~~",
    "1.0~~a",
    "1.0~",
    "1.0~beta1~svc1",
    "1.0~beta1",
    "1.0",
    "1.0-0+b1",
    "1.0-1~bpo1",
    "1.0-1",
    "1.0-1a",
    "1.0-1+b1",
    "1.0-1.1",
    "1.0-2",
    "1.0-10",
    "1.0Z",
    "1.0a",
    "1.0+dfsg",
    "1.0-a-1",
    "1.0.1",
    "1.2",
    "1.10",
    "1:0.1",
    "2:0~",
    "10:0",
)


@pytest.mark.parametrize(("older", "newer"), list(pairwise(ASCENDING)))
def test_order(older: str, newer: str) -> None:
    assert compare(older, newer) == -1
    assert compare(newer, older) == 1


def test_order_holds_over_the_whole_list() -> None:
    assert sorted(set(ASCENDING), key=sort_key) == list(ASCENDING)


@pytest.mark.parametrize(
    ("left", "right"),
    [("1.0", "0:1.0"), ("1.0", "1.0-0"), ("1.", "1.0"), ("1.00", "1.0"), ("", "0"), ("a0", "a")],
)
def test_equal_though_written_differently(left: str, right: str) -> None:
    assert compare(left, right) == 0
    assert sort_key(left) == sort_key(right)


@pytest.mark.parametrize(
    ("operator", "older", "same", "newer"),
    [
        ("<<", True, False, False),
        ("<=", True, True, False),
        ("<", True, True, False),
        ("=", False, True, False),
        (">=", False, True, True),
        (">", False, True, True),
        (">>", False, False, True),
    ],
)
def test_operators(operator: str, older: bool, same: bool, newer: bool) -> None:
    assert satisfies("1.0~", operator, "1.0") is older
    assert satisfies("1.0-0", operator, "1.0") is same
    assert satisfies("1.0a", operator, "1.0") is newer


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="=="):
        satisfies("1", "==", "1")


def test_what_is_a_version() -> None:
    assert all(valid(version) for version in ("1", "1:2.3-4~bpo+5", "2023.1"))
    assert not any(valid(version) for version in ("", "1 2", "1\n", "x:1_2", "1;2"))
