"""What Nix built against lock and store; with a real store in test_nix."""

from __future__ import annotations

from envlock.check.drift import Code
from envlock.check.nix import compare_nix
from envlock.lock.realised import NixOutput

HASH = "env1-" + "a" * 64
PATH = "/nix/store/" + "b" * 32 + "-envlock"
BUILT = NixOutput(
    target="linux/amd64@3.11",
    output="image",
    environment_hash=HASH,
    store_path=PATH,
    nar_hash="sha256-" + "C" * 43 + "=",
)


def test_the_same_or_not_here_is_no_drift() -> None:
    assert compare_nix(HASH, [BUILT], {PATH: BUILT.nar_hash}) == ()
    assert compare_nix(HASH, [BUILT], {}) == ()


def test_of_another_lock() -> None:
    [found] = compare_nix("env1-" + "d" * 64, [BUILT], {})
    assert (found.code, found.subject) == (Code.NIX_OTHER_LOCK, "image linux/amd64@3.11")
    assert found.found == HASH


def test_with_other_content() -> None:
    [found] = compare_nix(HASH, [BUILT], {PATH: "sha256-other"})
    assert (found.code, found.subject, found.found) == (Code.NIX_CONTENT, PATH, "sha256-other")
