"""``[tool.envlock.nix]`` and ``[tool.envlock.guix]`` as a project writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from envlock.errors import UsageError
from envlock.lock.toolchain import Found, GuixRequest, NixRequest
from envlock.project.document import parse_toml
from envlock.project.settings.table import Settings, read_settings

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def read(text: str, name: str | None = None) -> Settings:
    document = parse_toml(text, "pyproject.toml")
    return read_settings(document, ("tool", "envlock"), name=name, now=NOW)


def test_a_project_without_the_tables_asks_for_neither() -> None:
    settings = read("[tool.envlock]\n")
    assert settings.nix is None
    assert settings.guix is None


def test_an_empty_table_asks_with_everything_at_its_default() -> None:
    settings = read("[tool.envlock.nix]\n[tool.envlock.guix]\n")
    assert settings.nix == NixRequest()
    assert settings.guix == GuixRequest()


def test_what_may_be_said_of_nix() -> None:
    text = '[tool.envlock.nix]\nbranch = "nixos-25.11"\nsource = "commits"\n'
    text += 'names = { "libstdc++6" = "stdenv.cc.cc.lib", libgl1 = "libGL" }\n'
    assert read(text).nix == NixRequest(
        branch="nixos-25.11",
        source=Found.COMMITS,
        names=("libgl1=libGL", "libstdc++6=stdenv.cc.cc.lib"),
    )


def test_what_may_be_said_of_guix() -> None:
    text = '[tool.envlock.guix]\nurl = "https://git.example.org/guix.git"\nbranch = "trunk"\n'
    text += f'introduction-commit = "{"a" * 40}"\n'
    text += 'introduction-fingerprint = "BBB0 2DDF 2CEA F6A8 0D1D  E643 A2A0 6DF2 A33A 54fa"\n'
    text += 'names = { zlib1g = "zlib", cargo = "rust@1.85:cargo" }\n'
    assert read(text).guix == GuixRequest(
        url="https://git.example.org/guix.git",
        branch="trunk",
        introduction_commit="a" * 40,
        introduction_fingerprint="BBB02DDF2CEAF6A80D1DE643A2A06DF2A33A54FA",
        names=("cargo=rust@1.85:cargo", "zlib1g=zlib"),
    )


def test_a_named_environment_has_its_own() -> None:
    text = '[tool.envlock.nix]\nbranch = "nixos-25.11"\n'
    text += '[tool.envlock.env.docs.nix]\nbranch = "nixos-unstable"\n'
    assert read(text).nix == NixRequest(branch="nixos-25.11")
    assert read(text, "docs").nix == NixRequest(branch="nixos-unstable")


@pytest.mark.parametrize(
    ("line", "words", "remedy"),
    [
        ("nix = 1", "tool.envlock.nix: expected a table", ""),
        ('nix.brnach = "x"', "unknown key tool.envlock.nix.brnach", '"branch"'),
        ('nix.branch = ""', "nix.branch: expected a branch", ""),
        ('nix.branch = "--upload-pack=x"', "nix.branch: expected a branch", ""),
        ('nix.branch = "a b"', "nix.branch: expected a branch", ""),
        ("nix.branch = 25.11", "nix.branch: expected a branch", ""),
        ('nix.source = "luck"', "nix.source: expected one of table, history, commits", ""),
        ("nix.names = []", "nix.names: expected a table", ""),
        ('nix.names = { "LibGL" = "libGL" }', "'LibGL' cannot be a package", "lower case"),
        ('nix.names.libgl1 = "libGL; evil"', "nix.names.libgl1: expected a name", ""),
        ('nix.names.libgl1 = "${x}"', "nix.names.libgl1: expected a name", ""),
        ("nix.names.libgl1 = 1", "nix.names.libgl1: expected a name", ""),
        ('guix.url = "guix.git"', "guix.url: expected a URL", ""),
        ('guix.url = "ext::sh -c id"', "guix.url: expected a URL", ""),
        ('guix.url = "https://me:secret@git.example.org/x"', "has a user in it", "credential"),
        ('guix.introduction-commit = "a"', "introduction-commit: expected 40", ""),
        (f'guix.introduction-commit = "{"a" * 40}"', "introduction-fingerprint: expected", ""),
        ('guix.introduction-fingerprint = "BBB0"', "introduction-commit: expected 40", ""),
        ("guix.names.x1 = '\")'", "guix.names.x1: expected a name", ""),
    ],
)
def test_refused(line: str, words: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(f"[tool.envlock]\n{line}\n")
    assert words in caught.value.what
    assert remedy in (caught.value.remedy or "")
    assert (caught.value.where or "").startswith("pyproject.toml:")
    assert "secret" not in str(caught.value)


def test_an_ssh_address_may_name_its_user(tmp_path: Any) -> None:
    found = read('[tool.envlock.guix]\nurl = "ssh://git@git.example.org/guix.git"\n').guix
    assert found == GuixRequest(url="ssh://git@git.example.org/guix.git")
