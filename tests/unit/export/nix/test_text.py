"""Texts for Nix: what Nix makes of them is tested with Nix itself (test_nix_eval)."""

from __future__ import annotations

import pytest

from envlock.errors import UsageError
from envlock.export.nix.text import fetchable, nix_string, store_name


def test_strings() -> None:
    assert nix_string('a"${b}\\\r\n') == '"a\\"\\${b}\\\\\\r\\n"'
    with pytest.raises(UsageError):
        nix_string("a\0")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("numpy-2.0-cp311-cp311-any.whl", "numpy-2.0-cp311-cp311-any.whl"),
        ("x-1!2.0+local.whl", "x-1_2.0+local.whl"),
        (".hidden", "_hidden"),
        ("", "_"),
        ("é ${x}", "____x_"),
    ],
)
def test_names_in_the_store(text: str, name: str) -> None:
    assert store_name(text) == name


def test_a_long_name_keeps_its_end() -> None:
    name = store_name("x" * 300 + ".whl")
    assert len(name) <= 211 - len(".drv")
    assert name.endswith(".whl")


def test_addresses() -> None:
    plain = "https://files.example.org/a%20b/x-1+2-py3.whl?x=1&y=2#z"
    assert fetchable(plain) == plain
    assert fetchable("https://files.example.org/a b\"'\n") == (
        "https://files.example.org/a%20b%22%27%0A"
    )
