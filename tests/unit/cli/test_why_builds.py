"""``envlock why`` on what packages are built with."""

from __future__ import annotations

from typing import Any

from support.samples import ring_lock

LOCK = ring_lock()


def test_what_is_built_with_it_and_why_it_is_a_wheel(envlock: Any) -> None:
    assert envlock("why", "One", lock=LOCK).out.splitlines() == [
        "one 1.0",
        "  1.0 to build thing 1.0, two 1.0",
        "  1.0 taken as a wheel: it and others are built with one another: one==1.0, two==1.0",
    ]
    assert envlock("why", "two", lock=LOCK).out.splitlines()[1:] == ["  1.0 to build one 1.0"]
    # What is installed says so first.
    assert envlock("why", "nvidia-x", lock=LOCK).out.splitlines()[-1] == (
        "  1.0 taken as a wheel: no sdist of it is locked"
    )
    assert envlock("why", "on", lock=LOCK).code == 2


def test_as_json(envlock: Any) -> None:
    assert envlock("why", "one", "--json", lock=LOCK).json == {
        "package": "one",
        "versions": ["1.0"],
        "chains": [],
        "builds": [
            {
                "version": "1.0",
                "needed-by": ["thing 1.0", "two 1.0"],
                "reason": "cycle",
                "cycle": ["one==1.0", "two==1.0"],
                "why": "it and others are built with one another",
            }
        ],
    }
