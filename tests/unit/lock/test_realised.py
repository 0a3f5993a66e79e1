"""pylock.realised.json: there and back, and refused where it is not what it should be."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.lock.realised import NixOutput, dump, merged, parse, realised_path

ONE = NixOutput(
    target="linux/amd64@3.11",
    output="environment",
    environment_hash="env1-" + "a" * 64,
    store_path="/nix/store/" + "b" * 32 + "-envlock-env1-aaaaaaaaaaaa-python3.11",
    nar_hash="sha256-" + "C" * 43 + "=",
)
IMAGE = dataclasses.replace(ONE, output="image")


def test_there_and_back_in_any_order() -> None:
    assert parse(dump([IMAGE, ONE]), where="x") == (ONE, IMAGE)
    assert dump([IMAGE, ONE]) == dump([ONE, IMAGE])


def test_a_new_one_replaces_that_of_its_target_and_output() -> None:
    new = dataclasses.replace(ONE, environment_hash="env1-" + "d" * 64)
    assert merged([ONE, IMAGE], new) == (new, IMAGE)
    other = dataclasses.replace(ONE, target="linux/amd64@3.12")
    assert merged([ONE], other) == (ONE, other)


def test_its_name_follows_the_locks() -> None:
    assert realised_path(Path("a/pylock.toml")) == Path("a/pylock.realised.json")
    assert realised_path(Path("pylock.docs.toml")) == Path("pylock.docs.realised.json")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "cannot be read"),
        ("[]", "no list"),
        ('{"format": 1, "nix": {}}', "no list"),
        ('{"format": 2, "nix": []}', "format 2 is not known"),
        ('{"format": 1, "nix": [1]}', "nix[0].environment-hash"),
        (dump([ONE]).replace("/nix/store/", "nix/"), "nix[0].store-path"),
        (dump([ONE, IMAGE]).replace('"image"', "1"), "nix[1].output"),
    ],
)
def test_damage_is_named(text: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, where="pylock.realised.json")
    assert what in caught.value.what
    assert caught.value.where == "pylock.realised.json"


def test_keys_are_sorted() -> None:
    [entry] = json.loads(dump([ONE]))["nix"]
    assert list(entry) == sorted(entry)
