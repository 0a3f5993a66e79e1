"""What exported files say of their making, and what is read of it again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.guix import pure, with_guix
from support.samples import IMAGE, LINUX, NIXPKGS, package, small_lock

from envlock.cli.exporters import BUILT_IN, load_exporter, make
from envlock.export.blocks import renewed
from envlock.export.exporter import FileTree
from envlock.export.marks import Mark, marked, owner, read_mark, stated
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock

LOCK = replace(small_lock(package("aa")), image=IMAGE, nixpkgs=NIXPKGS)
ENTRANCES = {
    "docker": ("Dockerfile", "apptainer.def", "compose.yaml", "docker/lock/os-packages.txt"),
    "nix": ("flake.nix", "environment.nix"),
    "guix": ("channels.scm", "manifest.scm", "modules/envlock/environment.scm"),
}


def lock_for(format_name: str) -> Lock:
    return with_guix(pure("aa")) if format_name == "guix" else LOCK


def made(mark: Mark, lock_name: str = "pylock.toml") -> FileTree:
    return make(lock_for(mark.format), mark, lock_name=lock_name)


@pytest.mark.parametrize("format_name", sorted(BUILT_IN))
def test_every_format_says_how_it_was_made(format_name: str) -> None:
    mark = Mark(format=format_name, target=LINUX.key, owner="--name gpu")
    files = made(mark, "pylock.gpu.toml")
    marks = {name: read_mark(content) for name, content in files.items()}
    assert set(marks.values()) <= {mark, None}
    for name in ENTRANCES.get(format_name, files):
        assert marks[name] == mark
    plain = made(Mark(format=format_name))
    assert plain.keys() == files.keys()
    assert all(read_mark(c) in (Mark(format=format_name), None) for c in plain.values())


@pytest.mark.parametrize("format_name", ["docker", "guix", "nix", "requirements"])
def test_without_options_a_file_is_what_its_exporter_wrote(format_name: str) -> None:
    exporter = load_exporter(format_name)
    assert made(Mark(format=format_name)) == exporter.export(lock_for(format_name))


@pytest.mark.parametrize("format_name", sorted(BUILT_IN))
def test_every_format_states_its_lock(format_name: str) -> None:
    lock = lock_for(format_name)
    files = made(Mark(format=format_name))
    own = environment_hash(lock).root
    assert own in {stated(content)[0] for content in files.values()}
    assert {stated(content)[0] for content in files.values()} <= {own, None}


@given(st.text(alphabet="ab -./é\"'`\\\n", min_size=1))
def test_a_scripts_name_comes_back(name: str) -> None:
    mark = Mark(format="requirements", owner=owner(name=None, script=name))
    [content] = made(mark, "pylock.x.toml").values()
    assert read_mark(content) == mark


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"Made by envlock; make it again",
        b"Made by envlock; make it again with `envlock export`.",
        b"Made by envlock; make it again with `envlock export docker --output x`.",
        b"Made by envlock; make it again with `envlock export docker --target`.",
        b"Made by envlock; make it again with `envlock export docker --name a --script b`.",
    ],
)
def test_what_is_no_sentence_of_ours(text: bytes) -> None:
    assert read_mark(text) is None


def test_a_renewed_file_names_the_new_command() -> None:
    files = made(Mark(format="docker"))
    mine = files["Dockerfile"].replace(b"CMD", b"# mine\nCMD")
    new = made(Mark(format="docker", target=LINUX.key))["Dockerfile"]
    again = renewed(mine, new)
    assert again is not None
    assert read_mark(again) == Mark(format="docker", target=LINUX.key)
    assert again.count(b"# mine") == mine.count(b"# mine")


def test_a_file_without_the_sentence_stays_as_it_is() -> None:
    files = {"a": b"no sentence\n"}
    assert marked(files, Mark(format="nix"), lock_name="pylock.toml") == files
