"""What is heard of a stream: the same however it comes in pieces."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.runs.output import TAIL, Listener, Metrics
from envlock.runs.secrets import Hider

LINES = b'start\n  ENVLOCK {"a": 1}\r\nENVLOCK {"a": 2, "b": {"c": "x"}}\nno ENVLOCK {"d": 1}\n'


def hear(pieces: list[bytes]) -> tuple[dict[str, object], Metrics]:
    metrics = Metrics()
    listener = Listener(metrics)
    for piece in pieces:
        listener.take(piece)
    return listener.facts(Hider({})), metrics


@given(st.lists(st.integers(0, len(LINES)), max_size=8))
def test_pieces_do_not_matter(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(LINES)]
    facts, metrics = hear([LINES[a:b] for a, b in pairwise(edges)])
    assert facts["sha256"] == hashlib.sha256(LINES).hexdigest()
    assert facts["tail"] == LINES.decode()
    assert metrics.last() == {"a": 2, "b.c": "x"}
    assert metrics.series() == {"a": [1, 2]}


@pytest.mark.parametrize("size", [1, 7, TAIL - 1, TAIL, TAIL + 1, 70_000])
def test_the_tail_is_whole_lines(size: int) -> None:
    text = "".join(f"líne {n}\n" for n in range(20_000))
    data = text.encode()
    facts, _ = hear([data[i : i + size] for i in range(0, len(data), size)])
    tail = str(facts["tail"])
    assert text.endswith("\n" + tail)
    assert TAIL - 20 < len(tail.encode()) <= TAIL


def test_a_last_line_without_an_end_counts() -> None:
    _, metrics = hear([b'ENVLOCK {"a": ', b"1}"])
    assert metrics.last() == {"a": 1}
