"""The documents say what the program does: commands, options, keys, links, README's commands."""

from __future__ import annotations

import importlib
import json
import os
import re
import tomllib
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from support.samples import GUIX, NIXPKGS, full_builds, full_lock, standalone

from envlock.cli.app import COMMANDS, group
from envlock.lock import codec
from envlock.lock.canonical import digest
from envlock.lock.hashing import PREFIX, EnvironmentHash
from envlock.lock.model import Lock
from envlock.lock.os import OsArchive, OsLayer, OsPackage, OsSource, OsSourceFile
from envlock.lock.package import (
    Archive,
    Artifact,
    Dependency,
    Directory,
    PythonPackage,
    Repair,
    Vcs,
)
from envlock.lock.request import Request, Wish
from envlock.lock.target import PLATFORMS, Target
from envlock.lock.toolchain import Found, NixRequest
from envlock.project.document import Document
from envlock.project.settings.table import Settings, read_settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").glob("*/*.md")])
NOW = datetime(2026, 6, 1, tzinfo=UTC)
COMMAND_PAGE = (DOCS / "commands.md").read_text()


def _section(page: str, title: str) -> str:
    """The text under one heading of level two."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.S | re.M)
    assert match, f"no section '## {title}'"
    return match[1]


def _command(name: str) -> click.Command:
    found = importlib.import_module(f"envlock.cli.{name}").command
    assert isinstance(found, click.Command)
    return found


def _leaves(name: str) -> list[click.Command]:
    command = _command(name)
    return [command, *command.commands.values()] if isinstance(command, click.Group) else [command]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    section = _section(COMMAND_PAGE, f"envlock {name}")
    for command in _leaves(name):
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert f"`{_long(parameter)}" in section, f"{name}: {_long(parameter)}"


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_documented_that_is_not_there(name: str) -> None:
    known = {
        option
        for command in [group, *_leaves(name)]
        for parameter in command.params
        for option in parameter.opts + parameter.secondary_opts
    } | {"--help"}
    section = _section(COMMAND_PAGE, f"envlock {name}")
    table = "\n".join(line for line in section.splitlines() if line.startswith("| `-"))
    for documented in re.findall(r"`(--[a-z-]+)", table):
        assert documented in known, f"{name}: {documented}"


def _long(option: click.Option) -> str:
    return max(option.opts, key=len)


def test_global_options_are_documented() -> None:
    section = _section(COMMAND_PAGE, "For all commands")
    for parameter in group.params:
        if isinstance(parameter, click.Option):
            assert f"`{_long(parameter)}" in section


def test_every_command_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in COMMANDS:
        assert f"`envlock {name}" in readme


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_local_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith(("http://", "https://", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_every_page_is_reachable_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for page in DOCS.glob("*.md"):
        assert f"(docs/{page.name})" in readme


def test_decisions_are_numbered_without_gaps() -> None:
    names = sorted(path.name for path in (DOCS / "decisions").glob("*.md"))
    assert [name[:4] for name in names] == [f"{n:04}" for n in range(1, len(names) + 1)]
    for name in names:
        text = (DOCS / "decisions" / name).read_text()
        assert text.startswith(f"# {int(name[:4])}. ")
        for part in ("Context", "Decision", "Consequences"):
            assert f"\n## {part}\n" in text


def test_the_readmes_commands_are_scripts_that_can_run() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
    named = {word for block in blocks for word in re.findall(r"\bscripts/[\w.-]+", block)}
    assert {"scripts/quickstart", "scripts/test"} <= named
    for name in named:
        assert os.access(ROOT / name, os.X_OK), name
    clone = next(block for block in blocks if "git clone" in block)
    assert clone.strip().count("\n") == 0, "setting up and running is one line"


def test_the_build_service_runs_the_readmes_test_command() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[-1] == "scripts/test"


def test_the_examples_are_named_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for folder in (ROOT / "examples").iterdir():
        if folder.is_dir():
            assert f"examples/{folder.name}" in readme
            assert (folder / "README.md").exists()


def test_the_configuration_page_knows_every_key() -> None:
    page = (DOCS / "configuration.md").read_text()
    inner = {"document", "base", "named", "build-exception-reasons"}
    keys = {field.name.replace("_", "-") for field in fields(Settings)} - inner
    listed = set(re.findall(r"^\| `([a-z-]+)`", page, re.M))
    assert keys <= listed
    for platform in PLATFORMS:
        assert f"`{platform}`" in page


def test_the_configuration_page_has_an_example_that_is_valid() -> None:
    page = (DOCS / "configuration.md").read_text()
    [text] = re.findall(r"^```toml\n(.*?)^```", page, re.S | re.M)
    document = Document(shown="example", text=text, table=tomllib.loads(text))
    settings = read_settings(document, ("tool", "envlock"), name="docs", now=NOW)
    assert settings.as_of == datetime(2026, 3, 1, tzinfo=UTC)
    assert settings.groups == ("docs",)


def test_the_hash_pages_example_is_right() -> None:
    page = (DOCS / "environment-hash.md").read_text()
    [line] = re.findall(r"^```json\n(.*)\n```", page, re.M)
    python = digest(json.loads(line))
    assert f"python  {python}\n" in page
    root = EnvironmentHash(python=python).root
    assert root.startswith(PREFIX)
    assert f"hash    {root}\n" in page


def test_the_lockfile_page_knows_every_key() -> None:
    page = (DOCS / "lockfile.md").read_text()
    table = tomllib.loads(codec.dump(_full_lock()))
    tool = table["tool"]["envlock"]
    table["packages"] += tool.pop("build-packages")  # of the standard's shape
    assert "`build-packages`" in page
    missing = {key for key in _keys(tool) if f"`{key}`" not in page}
    missing -= {"digests", *re.findall(r"`digests\.([a-z]+)`", page)}
    assert not missing
    standard = {key for key in table if key not in ("packages", "tool")}
    standard |= {key for entry in table["packages"] for key in entry}
    assert not {key for key in standard if not re.search(rf"[`.]{key}`", page)}


def _keys(table: dict[str, object]) -> set[str]:
    found = set(table)
    for value in table.values():
        nested = value if isinstance(value, list) else [value]
        for item in nested:
            if isinstance(item, dict):
                found |= _keys(item)
    return found


def _full_lock() -> Lock:
    """A lock in which every key is present."""
    target = Target(platform="linux/amd64", python="3.11")
    wheel = Artifact(
        name="a-1-py3-none-any.whl",
        url="https://files.example.org/a-1-py3-none-any.whl",
        sha256="0" * 64,
        size=1,
        upload_time=NOW,
    )
    sdist = Artifact(
        name="a-1.tar.gz",
        url="https://files.example.org/a-1.tar.gz",
        sha256="1" * 64,
        size=1,
        upload_time=NOW,
    )
    packages = (
        PythonPackage(
            name="a",
            version="1",
            marker="sys_platform == 'linux'",
            requires_python=">=3.8",
            index="https://index.example.org/simple",
            dependencies=(Dependency(name="b"),),
            sdist=sdist,
            wheels=(wheel,),
        ),
        PythonPackage(
            name="b",
            version="1",
            archive=Archive(url="https://files.example.org/b.zip", sha256="2" * 64, size=1),
        ),
        PythonPackage(
            name="c",
            version="1",
            vcs=Vcs(kind="git", url="https://git.example.org/c", commit="3" * 40, requested="v1"),
        ),
        PythonPackage(name="d", directory=Directory(path="d", editable=True)),
    )
    wish = (Wish(text="a"),)
    request = Request(
        wishes=wish,
        constraints=wish,
        overrides=wish,
        targets=(target,),
        extras=("x",),
        groups=("g",),
        requires_python=">=3.11",
        as_of=NOW,
        prereleases=True,
        only_binary=("a",),
        no_binary=("b",),
        default_index="https://index.example.org/simple",
        index_urls=("https://more.example.org/simple",),
        find_links=("vendor",),
        no_index=True,
        allow_undated=("vendor",),
        os_base="debian:bookworm",
        os_packages=("libgomp1",),
        os_components=("main",),
        os_recommends=True,
        sources=True,
        nix=NixRequest(branch="nixos-26.05", source=Found.TABLE, names=("libgl1=libGL",)),
        guix=full_lock().request.guix,
        build_exceptions=("torch",),
        build_exception_reasons=("torch: needs CUDA",),
        build_requires=("psycopg2:",),
        interpreter="standalone",
    )
    return Lock(
        as_of=NOW,
        engine="uv",
        request=request,
        targets=(target,),
        packages=packages,
        built=("a==1",),
        repairs=(Repair(subject="a==1", found="x (>=1)", used="x>=1"),),
        os=_full_os_layer(),
        standalone=(standalone(target, "3.11.9"),),
        nixpkgs=NIXPKGS,
        guix=GUIX,
        builds=full_builds(),
        build_packages=packages[:1],
    )


def _full_os_layer() -> OsLayer:
    archive = OsArchive(
        archive="debian",
        suite="bookworm",
        components=("main",),
        snapshot="20260301T000000Z",
        release_sha256="4" * 64,
        release_date=NOW,
        key="ABCD",
    )
    package = OsPackage(
        architecture="amd64",
        name="python3.11",
        version="3.11.2-6",
        sha256="5" * 64,
        size=1,
        file_name="pool/main/p/python3.11/python3.11_3.11.2-6_amd64.deb",
        suite="bookworm",
        source="python3.11",
        source_version="3.11.2-6",
        base=True,
        requested=True,
        via=("python3",),
    )
    source = OsSource(
        name="python3.11",
        version="3.11.2-6",
        suite="bookworm",
        directory="pool/main/p/python3.11",
        files=(OsSourceFile(name="python3.11_3.11.2-6.dsc", sha256="6" * 64, size=1),),
    )
    return OsLayer(
        base="debian:bookworm", archives=(archive,), packages=(package,), sources=(source,)
    )


def test_the_picture_gives_no_machine_away() -> None:
    picture = (DOCS / "images" / "quickstart.svg").read_text()
    assert "envlock&#160;lock&#160;--as-of&#160;2026-03-01" in picture
    assert not re.search(r"/(root|home|work|tmp|opt|Users)\b", picture)
    addresses = set(re.findall(r"https?://([^/\"\s]+)", picture))
    assert addresses <= {"www.w3.org", "www.textualize.io"}
