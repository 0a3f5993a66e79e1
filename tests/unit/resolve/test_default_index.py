"""The default index is found in uv's help text, however it is wrapped and quoted."""

from __future__ import annotations

import pytest

from envlock.resolve.python.config.default_index import parse_default


@pytest.mark.parametrize(
    "text",
    [
        "The default package index (by default: <https://index.example.org/simple>) [env: X=]",
        "The URL of the Python package index (by\n   default: <https://index.example.org/simple>)",
        "index [default: https://index.example.org/simple]",
        "index (by default:\n      `https://index.example.org/simple/`).",
        "Default: https://index.example.org/simple.",
        "colour [default: auto]\nindex (by default: <https://index.example.org/simple>)\n"
        "other (default: <https://other.example.org/>)",
    ],
)
def test_found(text: str) -> None:
    assert parse_default(text) == "https://index.example.org/simple"


@pytest.mark.parametrize(
    "text", ["", "see https://docs.example.org", "[default: auto]", "by default: ftp://x/"]
)
def test_not_found(text: str) -> None:
    assert parse_default(text) is None
