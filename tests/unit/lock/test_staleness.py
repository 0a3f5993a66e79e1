"""What a lock is told when the request moved on; the general claims are property tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.samples import AS_OF, LINUX, MACOS, small_lock

from envlock.lock.request import Request, Wish
from envlock.lock.staleness import Mismatch, StaleKind, mismatches

LOCK = small_lock(wishes=["lib>=1", "old==1.0"])
REQUEST = LOCK.request


def said(request: Request) -> list[str]:
    return [str(mismatch) for mismatch in mismatches(request, LOCK)]


def wishing(*texts: str) -> Request:
    return replace(REQUEST, wishes=tuple(Wish(text=text) for text in texts))


def test_nothing_is_said_when_nothing_changed() -> None:
    assert said(REQUEST) == []
    assert said(wishing("old==1.0", "lib>=1")) == []


@pytest.mark.parametrize(
    ("request_now", "expected"),
    [
        (wishing("lib>=1", "old==1.0", "new"), ["requirements: new was added"]),
        (wishing("lib>=1"), ["requirements: old==1.0 was removed"]),
        (wishing("lib>=2", "old==1.0"), ["requirements: was lib>=1, is now lib>=2"]),
        (
            wishing("lib>=1", "new"),
            ["requirements: new was added", "requirements: old==1.0 was removed"],
        ),
        (
            wishing("lib>=1; os_name == 'nt'", "lib>=2; os_name != 'nt'", "old==1.0"),
            [
                "requirements: lib>=1 was removed",
                "requirements: lib>=1; os_name == 'nt' was added",
                "requirements: lib>=2; os_name != 'nt' was added",
            ],
        ),
        (replace(REQUEST, targets=(LINUX, MACOS)), ["targets: macos/arm64@3.12.4 was added"]),
        (replace(REQUEST, sources=True), ["sources: was unset, is now true"]),
        (replace(REQUEST, prereleases=True), ["prereleases: was unset, is now true"]),
        (
            replace(REQUEST, requires_python=">=3.11"),
            ["requires-python: was unset, is now >=3.11"],
        ),
        (
            replace(REQUEST, as_of=datetime(2025, 1, 1, tzinfo=UTC)),
            ["as-of: was 2024-06-01T00:00:00Z, is now 2025-01-01T00:00:00Z"],
        ),
        (replace(REQUEST, as_of=AS_OF), []),
    ],
)
def test_each_change_is_one_sentence(request_now: Request, expected: list[str]) -> None:
    assert sorted(said(request_now)) == expected


def test_another_order_of_indexes_is_a_change() -> None:
    lock = replace(LOCK, request=replace(REQUEST, index_urls=("https://a", "https://b")))
    [found] = mismatches(replace(REQUEST, index_urls=("https://b", "https://a")), lock)
    assert found == Mismatch(
        field="index-urls",
        kind=StaleKind.CHANGED,
        before="https://a, https://b",
        after="https://b, https://a",
    )


def test_a_local_path_that_came_is_told_as_a_requirement_alone() -> None:
    before = replace(small_lock().request, local_sources=())
    after = replace(
        before, wishes=(Wish(text="lib @ file:lib"),), local_sources=(f"lib sha256:{'a' * 64}",)
    )
    lock = replace(small_lock(), request=before)
    assert [str(m) for m in mismatches(after, lock)] == ["requirements: lib @ file:lib was added"]
    lock = replace(small_lock(), request=replace(after, local_sources=()))
    assert [str(m) for m in mismatches(after, lock)] == ["lib: what it asks for is not in the lock"]
    lock = replace(small_lock(), request=replace(after, local_sources=(f"lib sha256:{'b' * 64}",)))
    assert [str(m) for m in mismatches(after, lock)] == ["lib: what it asks for has changed"]
