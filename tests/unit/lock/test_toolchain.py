"""nixpkgs and Guix in a lock: there and back, damage, their branch of the hash, differences."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
import tomli
import tomli_w
from support.samples import GUIX, NIXPKGS, full_lock, small_lock

from envlock.errors import UsageError, VerificationError
from envlock.lock import codec
from envlock.lock.diff import diff
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.staleness import mismatches
from envlock.lock.toolchain import Found, NixRequest, overrides


@pytest.fixture
def lock() -> Lock:
    return replace(small_lock(), nixpkgs=NIXPKGS, guix=GUIX)


def test_there_and_back(lock: Lock) -> None:
    assert codec.load(codec.dump(lock), where="x") == lock
    assert codec.load(codec.dump(full_lock()), where="x") == full_lock()


def test_the_file_says_how_far_before_the_date_the_revision_lies(lock: Lock) -> None:
    table = tomli.loads(codec.dump(lock))["tool"]["envlock"]["nixpkgs"]
    assert table["seconds-before-as-of"] == 36 * 3600
    assert table["found"] == "table"


def test_the_branch_is_the_digest_of_what_decides(lock: Lock) -> None:
    content = {
        "guix": {"commit": GUIX.commit, "names": ["libgl1=mesa"]},
        "nixpkgs": {
            "names": ["libgl1=libGL"],
            "nar-hash": NIXPKGS.nar_hash,
            "rev": NIXPKGS.rev,
        },
    }
    found = environment_hash(lock)
    assert found.toolchain == hashlib.sha256(rfc8785.dumps(content)).hexdigest()
    elsewhere = replace(
        lock,
        nixpkgs=replace(NIXPKGS, branch="x", found=Found.COMMITS, last_modified=lock.as_of),
        guix=replace(GUIX, url="x", branch="y", introduction_commit="9" * 40),
    )
    assert environment_hash(elsewhere) == found


def test_without_them_the_hash_is_what_it_was() -> None:
    # Lockfiles in the world have it.
    assert environment_hash(small_lock()).toolchain is None
    assert environment_hash(small_lock()).root == (
        "env1-8a18b873ca45115513cfdb089d1d32e773a94a51bc9615ef403ae1af88abca88"
    )


@pytest.mark.parametrize(
    "changed",
    [
        replace(NIXPKGS, rev="0" * 40),
        replace(NIXPKGS, nar_hash=f"sha256-{'B' * 43}="),
        replace(NIXPKGS, names=()),
        None,
    ],
)
def test_another_nixpkgs_is_another_environment(lock: Lock, changed: Any) -> None:
    assert environment_hash(replace(lock, nixpkgs=changed)) != environment_hash(lock)


@pytest.mark.parametrize("changed", [replace(GUIX, commit="0" * 40), replace(GUIX, names=()), None])
def test_another_guix_is_another_environment(lock: Lock, changed: Any) -> None:
    assert environment_hash(replace(lock, guix=changed)) != environment_hash(lock)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("nixpkgs",), 3, "tool.envlock.nixpkgs: expected a table"),
        (("nixpkgs", "rev"), "main", "nixpkgs.rev: expected 40 lower-case hex digits"),
        (("nixpkgs", "nar-hash"), "sha256-abc", "nixpkgs.nar-hash"),
        (("nixpkgs", "last-modified"), 1700000000, "nixpkgs.last-modified"),
        (("nixpkgs", "found"), "guessed", "found: expected one of table, history, commits"),
        (("nixpkgs", "seconds-before-as-of"), 5, "seconds-before-as-of: expected 129600"),
        (("nixpkgs", "names"), ["libgl1"], "nixpkgs.names[0]: expected name=other-name"),
        (("guix",), [], "tool.envlock.guix: expected a table"),
        (("guix", "commit"), "A" * 40, "guix.commit"),
        (("guix", "introduction-commit"), 1, "guix.introduction-commit"),
        (("guix", "introduction-fingerprint"), "a" * 40, "introduction-fingerprint"),
        (("request", "nix"), "yes", "request.nix: expected true or false"),
        (("request", "nix-source"), "guess", "request.nix-source"),
        (("request", "guix-introduction-commit"), "x", "request.guix-introduction-commit"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(path: tuple[str, ...], value: Any, words: str) -> None:
    table = tomli.loads(codec.dump(full_lock()))
    place = table["tool"]["envlock"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(UsageError) as caught:
        codec.load(tomli_w.dumps(table), where="x")
    assert words in caught.value.what


@pytest.mark.parametrize("digits", [NIXPKGS.rev, GUIX.commit])
def test_another_revision_by_hand_is_noticed(lock: Lock, digits: str) -> None:
    text = codec.dump(lock)
    with pytest.raises(VerificationError, match="environment-hash"):
        codec.load(text.replace(digits, "f" * 40), where="x")


def test_differences_name_branch_and_revision(lock: Lock) -> None:
    settings = {n: (b, a) for n, b, a in diff(small_lock(), lock).settings}
    assert settings["nixpkgs"] == ("none", f"nixos-24.05 {NIXPKGS.rev} libgl1=libGL")
    assert settings["guix"] == ("none", f"{GUIX.url} {GUIX.commit} libgl1=mesa")
    assert diff(lock, lock).settings == ()


def test_a_name_that_changed_is_one_change() -> None:
    before = full_lock()
    request = replace(before.request, nix=NixRequest(names=("libgl1=mesa", "zlib1g=zlib")))
    told = [str(m) for m in mismatches(request, before) if m.field == "nix-names"]
    assert told == [
        "nix-names: was libgl1=libGL, is now libgl1=mesa",
        "nix-names: zlib1g=zlib was added",
    ]


def test_names_as_a_mapping() -> None:
    assert overrides(("b=x=y", "a=1")) == {"a": "1", "b": "x=y"}
