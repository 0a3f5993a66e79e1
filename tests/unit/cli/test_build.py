"""``envlock build nix`` before Nix is asked; with real Nix in test_nix."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from support.samples import LINUX, MACOS, NIXPKGS, package, small_lock

LOCK = dataclasses.replace(small_lock(package("aa")), nixpkgs=NIXPKGS)


def test_without_nix_it_says_how_to_get_it(
    envlock: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    ran = envlock("build", "nix", "--target", LINUX.key, lock=LOCK)
    assert ran.code == 3
    assert "Nix is not installed" in ran.err
    assert "apt-get install nix-bin" in ran.err


def test_without_nixpkgs_it_says_what_to_add(envlock: Any) -> None:
    lock = dataclasses.replace(LOCK, nixpkgs=None)
    ran = envlock("build", "nix", "--target", LINUX.key, lock=lock)
    assert (ran.code, "[tool.envlock.nix]" in ran.err) == (2, True)


def test_bad_choices(envlock: Any) -> None:
    ran = envlock("build", "nix", "--image", "--from-source", lock=LOCK)
    assert (ran.code, "exclude one another" in ran.err) == (2, True)
    ran = envlock("build", "nix", "--target", "linux/amd64@3.9")
    assert (ran.code, LINUX.key in ran.err) == (2, True)
    request = dataclasses.replace(LOCK.request, targets=(MACOS,))
    mac = dataclasses.replace(LOCK, targets=(MACOS,), request=request)
    ran = envlock("build", "nix", "--image", "--target", MACOS.key, lock=mac)
    assert (ran.code, "no images of macos" in ran.err) == (2, True)


def test_the_group_lists_what_can_build(envlock: Any) -> None:
    ran = envlock("build", "--help")
    assert (ran.code, "nix" in ran.out) == (0, True)


def test_global_switches_may_stand_behind_it(envlock: Any) -> None:
    assert "No such option" not in envlock("build", "nix", "-q", "--target", "x", lock=LOCK).err


def test_check_of_nix_alone_needs_something_built(envlock: Any, folder: Path) -> None:
    ran = envlock("check", "--nix-only", lock=LOCK)
    assert (ran.code, "envlock build nix" in ran.err) == (2, True)
    (folder / "pylock.realised.json").write_text("{")
    ran = envlock("check", "--nix-only")
    assert (ran.code, "pylock.realised.json" in ran.err) == (2, True)
    for other in (["--os-only"], ["--root", "/"], ["--prefix", "x"]):
        ran = envlock("check", "--nix-only", *other)
        assert (ran.code, "exclude one another" in ran.err) == (2, True)
