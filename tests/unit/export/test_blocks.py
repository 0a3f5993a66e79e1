"""What an export owns in a file that people change."""

from __future__ import annotations

import pytest

from envlock.export.blocks import renewed

MADE = b"# head\n# >>> envlock\nnew\n# <<< envlock\nbody\n"


def test_what_stands_around_the_block_stays() -> None:
    there = b"# mine\n# >>> envlock\nold\nlines\n# <<< envlock\nchanged \\1\n"
    assert renewed(there, MADE) == b"# mine\n# >>> envlock\nnew\n# <<< envlock\nchanged \\1\n"
    assert renewed(MADE, MADE) == MADE


def test_backslashes_of_the_block_stay() -> None:
    made = MADE.replace(b"new", rb"LABEL \1 \g<0>")
    assert renewed(MADE, made) == made


def test_marks_may_be_indented_and_of_other_comments() -> None:
    made = b'{\n  // >>> envlock\n  "a": 1,\n  // <<< envlock\n  "b": 2\n}\n'
    assert renewed(made.replace(b"1", b"0").replace(b"2", b"3"), made) == made.replace(b"2", b"3")


@pytest.mark.parametrize("there", [b"", b"# <<< envlock\n# >>> envlock\n", MADE + MADE])
def test_marks_that_are_gone_or_there_twice(there: bytes) -> None:
    assert renewed(there, MADE) is None


def test_a_file_without_marks_is_made_whole() -> None:
    assert renewed(MADE, b"all\n") == b"all\n"
