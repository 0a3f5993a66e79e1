"""``envlock check --exports``: files that were exported, as they are and as somebody left them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.samples import IMAGE, LINUX, NIXPKGS, package, small_lock

from envlock.cli import exporters
from envlock.cli.checking.report import DIFF_LINES
from envlock.lock.hashing import environment_hash

LOCK = replace(small_lock(package("aa"), package("bb")), image=IMAGE, nixpkgs=NIXPKGS)
NEWER = replace(LOCK, packages=(package("aa", "2.0"), package("bb")))


def found(envlock: Any, *options: str) -> list[tuple[str, str]]:
    ran = envlock("check", "--exports", "--json", *options)
    assert ran.code == (1 if ran.json["drift"] else 0), ran.err
    return [(d["code"], d["subject"]) for d in ran.json["drift"]]


def export(envlock: Any, *arguments: str, lock: Any = None) -> None:
    ran = envlock("export", *arguments, lock=lock)
    assert ran.code == 0, ran.err


def test_every_format_is_found_and_compared(envlock: Any, folder: Path) -> None:
    export(envlock, "docker", lock=LOCK)
    for arguments in (
        ("nix",),
        ("nix", "-o", "deploy/flake"),
        ("sbom",),
        ("spdx", "-o", "bill.json"),
        ("cyclonedx", "--target", LINUX.key, "-o", "deploy/bill.cdx.json"),
        ("provenance", "-o", "provenance.intoto.json"),
        ("requirements", "-o", "locked.txt"),
        ("requirements", "--target", LINUX.key, "-o", "deploy/requirements-linux.txt"),
    ):
        export(envlock, *arguments)
    assert found(envlock) == []
    told = envlock("check", "--exports").err
    assert "no drift from env1-" in told
    files = [p for p in folder.rglob("*") if p.is_file()]
    own = {"pylock.toml", "requirements.in"}
    assert f"{len([p for p in files if p.name not in own])} exported files" in told
    ran = envlock("check", "--exports", "--json", lock=NEWER)
    outdated = [d["subject"] for d in ran.json["drift"] if d["code"] == "EX001"]
    assert outdated == sorted(outdated)
    assert len(outdated) == len(ran.json["drift"]) == 9
    for command in {d["remedy"] for d in ran.json["drift"]}:
        assert envlock(*command.split()[1:]).code == 0, command
    assert found(envlock) == []


def test_an_edit_is_told_with_its_line_and_a_diff_that_applies(envlock: Any, folder: Path) -> None:
    export(envlock, "docker", lock=LOCK)
    path = folder / "Dockerfile"
    exported = path.read_text()
    path.write_text(exported.replace("ARG PYTHON=", "ARG PYTHON=/opt/"))
    ran = envlock("check", "--exports", "--json")
    [drift] = ran.json["drift"]
    assert (drift["code"], drift["name"], drift["subject"]) == (
        "EX101",
        "export-edited",
        "Dockerfile",
    )
    line = exported.splitlines().index(next(x for x in exported.splitlines() if "ARG PYTHON=" in x))
    annotated = envlock("check", "--exports", "--format", "github")
    assert f"::error file=Dockerfile,line={line + 1},title=EX101" in annotated.out
    (folder / "fix.diff").write_text(drift["diff"])
    table = envlock("check", "--exports").out.splitlines()
    assert table[0] == "exported files are not what the lock gives"
    assert table[2].startswith("      -ARG PYTHON=/opt/")
    assert table[3].startswith("      +ARG PYTHON=")
    assert "```diff" in envlock("check", "--exports", "--format", "markdown").out


def test_long_diffs_are_cut_unless_all_is_asked_for(envlock: Any, folder: Path) -> None:
    export(envlock, "requirements", "-o", "locked.txt", lock=LOCK)
    (folder / "locked.txt").write_text(
        (folder / "locked.txt").read_text() + "".join(f"x{n}==1\n" for n in range(20))
    )
    out = envlock("check", "--exports").out
    assert f"… and {20 - DIFF_LINES} more lines" in out
    assert out.count("      -x") == DIFF_LINES
    assert envlock("-v", "check", "--exports").out.count("      -x") == 20


def test_what_a_terminal_obeys_is_not_shown_as_it_is(envlock: Any, folder: Path) -> None:
    export(envlock, "requirements", "-o", "locked.txt", lock=LOCK)
    with (folder / "locked.txt").open("a") as file:
        file.write("\x1b[2Jgone\n")
    out = envlock("check", "--exports").out
    assert "\x1b" not in out
    assert r"-\x1b[2Jgone" in out


def test_lines_that_are_the_users_own_are_no_drift(envlock: Any, folder: Path) -> None:
    export(envlock, "docker", lock=LOCK)
    path = folder / "Dockerfile"
    path.write_text("# syntax=docker/dockerfile:1\n" + path.read_text() + "RUN true\n")
    assert found(envlock) == []


@pytest.mark.parametrize("mark", ["# >>> envlock\n", "# <<< envlock\n"])
def test_lost_marks_are_told(envlock: Any, folder: Path, mark: str) -> None:
    export(envlock, "docker", lock=LOCK)
    path = folder / "Dockerfile"
    path.write_text(path.read_text().replace(mark, ""))
    ran = envlock("check", "--exports")
    assert "marks" in ran.out
    assert "take Dockerfile out of the way" in ran.err


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda f: (f / "compose.yaml").unlink(), ("EX002", "compose.yaml")),
        (lambda f: (f / "Dockerfile").unlink(), ("EX002", "Dockerfile")),
        (lambda f: (f / "nix" / "flake.nix").unlink(), ("EX002", "nix/flake.nix")),
        (lambda f: (f / "nix" / "env.json").write_text("{}"), ("EX101", "nix/env.json")),
        (
            lambda f: shutil.copy(
                f / "docker/lock/requirements-x86_64.txt", f / "docker/lock/requirements-mips.txt"
            ),
            ("EX004", "docker/lock/requirements-mips.txt"),
        ),
    ],
)
def test_one_file_of_several(
    envlock: Any, folder: Path, change: Callable[[Path], object], expected: tuple[str, str]
) -> None:
    export(envlock, "docker", lock=LOCK)
    export(envlock, "nix")
    change(folder)
    assert found(envlock) == [expected]


def test_line_ends_of_another_system_are_named(envlock: Any, folder: Path) -> None:
    export(envlock, "docker", lock=LOCK)
    path = folder / "docker" / "lock" / "standalone.sh"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    ran = envlock("check", "--exports")
    assert "CR LF" in ran.out
    assert found(envlock) == [("EX101", "docker/lock/standalone.sh")]


def test_other_addresses_are_told_as_such(envlock: Any) -> None:
    export(envlock, "nix", lock=LOCK)
    moved = tuple(
        replace(
            p, wheels=tuple(replace(w, url=f"https://mirror.example/{w.name}") for w in p.wheels)
        )
        for p in LOCK.packages
    )
    ran = envlock("check", "--exports", "--json", lock=replace(LOCK, packages=moved))
    found = {d["subject"]: (d["code"], d["cause"]) for d in ran.json["drift"]}
    assert found.keys() == {"nix/env.json", "nix/lock.toml"}
    for code, cause in found.values():
        assert (code, cause.startswith("addresses alone")) == ("EX101", True)


def test_what_the_lock_no_longer_gives(envlock: Any) -> None:
    export(envlock, "docker", lock=LOCK)
    export(envlock, "requirements", "--target", LINUX.key, "-o", "locked.txt")
    ran = envlock("check", "--exports", "--json", lock=replace(LOCK, image=None))
    assert [(d["code"], d["subject"]) for d in ran.json["drift"]] == [
        ("EX003", "Dockerfile"),
        ("EX001", "locked.txt"),
    ]
    assert "neither a base image nor OS packages" in envlock("check", "--exports").out


def test_a_library_that_is_not_there(
    envlock: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(envlock, "cyclonedx", "-o", "bill.json", lock=LOCK)
    shutil.rmtree(Path(str(folder), "cache"), ignore_errors=True)

    def missing(name: str) -> Any:
        raise exporters.NoLibraryError(f"no {name}", remedy='pip install "envlock[sbom]"')

    monkeypatch.setattr(exporters, "load_exporter", missing)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "other-cache"))
    ran = envlock("check", "--json")
    assert "EX001" not in {d["code"] for d in ran.json["drift"]}
    told = envlock("check").err
    assert 'content of bill.json not compared: that needs pip install "envlock[sbom]"' in told
    assert envlock("check", "--exports").code == 3
    ran = envlock("check", "--json", lock=NEWER)
    [drift] = [d for d in ran.json["drift"] if d["layer"] == "exports"]
    assert (drift["code"], drift["subject"]) == ("EX001", "bill.json")
    assert drift["expected"] == environment_hash(NEWER).short


def test_nothing_to_compare(envlock: Any, folder: Path) -> None:
    ran = envlock("check", "--exports", lock=LOCK)
    assert ran.code == 2
    assert "no exported file" in ran.err
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "notes.txt").write_text("Made by envlock, I guess\n")
    assert envlock("check", "--exports").code == 2


def test_exports_of_other_environments_and_projects_are_not_this_locks(
    envlock: Any, folder: Path
) -> None:
    export(envlock, "requirements", "-o", "locked.txt", lock=LOCK)
    (folder / "sub").mkdir()
    shutil.copy(folder / "pylock.toml", folder / "sub")
    (folder / "sub" / "Dockerfile").write_text("# >>> envlock\n# <<< envlock\n")
    (folder / "pylock.gpu.toml").write_bytes((folder / "pylock.toml").read_bytes())
    (folder / "requirements.in").rename(folder / "kept.in")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\n[tool.envlock]\n[tool.envlock.env.gpu]\n'
    )
    export(envlock, "requirements", "--name", "gpu", "-o", "gpu.txt")
    with (folder / "gpu.txt").open("a") as file:
        file.write("# more\n")
    assert found(envlock) == []
    assert found(envlock, "--name", "gpu") == [("EX101", "gpu.txt")]


def test_the_diff_is_one_that_patch_applies(envlock: Any, folder: Path) -> None:
    export(envlock, "docker", lock=LOCK)
    ran = envlock("check", "--exports", "--json", lock=NEWER)
    [drift] = ran.json["drift"]
    assert drift["found"] == environment_hash(LOCK).short
    for name in ("compose.yaml", "docker/lock/requirements-x86_64.txt"):
        assert name in drift["cause"]
    assert drift["diff"].count("\n+++ ") == len(drift["cause"].split(", ")) + 1
    assert subprocess is not None
