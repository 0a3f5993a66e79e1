"""``envlock export`` writes, compares, and says which formats it knows."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
from support.guix import pure, with_guix
from support.samples import IMAGE, LINUX, NIXPKGS, package, small_lock

from envlock.export.docker.exporter import DockerExporter
from envlock.export.guix.exporter import GuixExporter
from envlock.export.nix.exporter import NixExporter
from envlock.export.requirements import FILE, RequirementsExporter
from envlock.lock import codec

LOCK = small_lock(package("aa"), package("mac", marker="sys_platform == 'darwin'"))
FLAKE = dataclasses.replace(small_lock(package("aa")), nixpkgs=NIXPKGS)
TEXT = RequirementsExporter().export(LOCK)[FILE]


def test_to_standard_output_by_default(envlock: Any) -> None:
    ran = envlock("export", "requirements", lock=LOCK)
    assert (ran.code, ran.out.encode()) == (0, TEXT)
    assert envlock("export", "requirements", "-o", "-").out.encode() == TEXT


def test_to_a_file_and_back(envlock: Any, folder: Path) -> None:
    assert envlock("export", "requirements", "-o", "out.txt", lock=LOCK).code == 0
    assert (folder / "out.txt").read_bytes() == TEXT
    again = envlock("export", "requirements", "-o", "out.txt", "--json")
    assert again.json == {"format": "requirements", "file": "out.txt", "up-to-date": True}


def test_check_changes_nothing_and_fails_when_it_would(envlock: Any, folder: Path) -> None:
    assert envlock("export", "requirements", "-o", "out.txt", "--check", lock=LOCK).code == 1
    assert not (folder / "out.txt").exists()
    (folder / "out.txt").write_bytes(TEXT[:-10])
    ran = envlock("export", "requirements", "-o", "out.txt", "--check", "--json")
    assert (ran.code, ran.json["up-to-date"]) == (1, False)
    assert (folder / "out.txt").read_bytes() == TEXT[:-10]
    envlock("export", "requirements", "-o", "out.txt")
    assert envlock("export", "requirements", "-o", "out.txt", "--check").code == 0


def test_for_one_target(envlock: Any) -> None:
    ran = envlock("export", "requirements", "--target", LINUX.key, lock=LOCK)
    again = f"export requirements --target {LINUX.key}`"
    assert again in ran.out
    plain = ran.out.replace(again, "export requirements`")
    assert plain.encode() == RequirementsExporter().export(LOCK, LINUX)[FILE]
    assert "mac" not in ran.out
    other = envlock("export", "requirements", "--target", "windows/amd64@3.12")
    assert other.code == 2
    assert LINUX.key in other.err


def test_an_unknown_format_lists_the_known(envlock: Any) -> None:
    ran = envlock("export", "conda", lock=LOCK)
    assert ran.code == 2
    assert "unknown format 'conda'" in ran.err
    assert "known: cyclonedx, docker, guix, nix, provenance, requirements" in ran.err


def test_check_and_json_need_a_file(envlock: Any) -> None:
    assert envlock("export", "requirements", "--check", lock=LOCK).code == 2
    assert envlock("export", "requirements", "--json", "-o", "-").code == 2


def test_a_folder_that_is_not_there(envlock: Any) -> None:
    ran = envlock("export", "requirements", "-o", "no/where.txt", lock=LOCK)
    assert ran.code == 3
    assert "no/where.txt" in ran.err


def test_a_format_of_several_files_goes_into_a_folder(envlock: Any, folder: Path) -> None:
    ran = envlock("export", "nix", lock=FLAKE)
    assert ran.code == 0, ran.err
    assert "nix build path:nix" in ran.err
    assert "git add nix" in ran.err
    written = {path.name: path.read_bytes() for path in (folder / "nix").iterdir()}
    assert written == NixExporter().export(FLAKE)
    assert envlock("export", "nix", "-o", "deep/er", "--json").json["folder"] == "deep/er"
    assert (folder / "deep" / "er" / "flake.nix").exists()


def test_a_folder_is_checked_file_by_file(envlock: Any, folder: Path) -> None:
    ran = envlock("export", "nix", "--check", lock=FLAKE)
    assert (ran.code, (folder / "nix").exists()) == (1, False)
    envlock("export", "nix")
    (folder / "nix" / "env.json").write_text("{}")
    (folder / "nix" / "mine.txt").write_text("is nobody's business")
    ran = envlock("export", "nix", "--check", "--json")
    assert ran.code == 1
    assert ran.json["up-to-date"] is False
    assert [f["file"] for f in ran.json["files"] if not f["up-to-date"]] == ["env.json"]
    assert (folder / "nix" / "env.json").read_text() == "{}"
    (folder / "nix" / "flake.lock").unlink()
    said = envlock("export", "nix", "--check").err
    assert "  missing: flake.lock\n" in said
    assert "  not as the lock gives them: env.json\n" in said
    envlock("export", "nix")
    assert envlock("export", "nix", "--check").code == 0


def test_files_of_others_are_not_replaced(envlock: Any, folder: Path) -> None:
    (folder / "flake.nix").write_text("{ outputs = _: { }; }")
    ran = envlock("export", "nix", "-o", ".", lock=FLAKE)
    assert (ran.code, "was not made by envlock" in ran.err) == (2, True)
    assert not (folder / "env.json").exists()


def test_several_files_do_not_fit_standard_output(envlock: Any) -> None:
    ran = envlock("export", "nix", "-o", "-", lock=FLAKE)
    assert (ran.code, "--output DIR" in ran.err) == (2, True)


def test_a_file_where_the_folder_should_be(envlock: Any, folder: Path) -> None:
    (folder / "nix").write_text("")
    ran = envlock("export", "nix", lock=FLAKE)
    assert ran.code == 3
    assert "nix" in ran.err


def test_a_format_with_folders_in_it(envlock: Any, folder: Path) -> None:
    lock = with_guix(pure("aa"))
    ran = envlock("export", "guix", lock=lock)
    assert (ran.code, "time-machine -C channels.scm" in ran.err) == (0, True)
    for name, content in GuixExporter().export(lock).items():
        assert (folder / "guix" / name).read_bytes() == content
    assert envlock("export", "guix", "--check").code == 0


def test_sboms_go_into_a_folder_and_are_compared(envlock: Any, folder: Path) -> None:
    assert envlock("export", "sbom", lock=LOCK).code == 0
    names = {path.name for path in (folder / "sbom").iterdir()}
    assert names == {"sbom.cdx.json", "sbom.spdx.json"}
    assert envlock("export", "sbom", "--check").code == 0
    (folder / "sbom" / "sbom.spdx.json").write_text("{}")
    assert envlock("export", "sbom", "--check").code == 1
    assert "not made by envlock" in envlock("export", "sbom").err


def test_a_library_that_is_not_there_is_named_with_its_extra(
    envlock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("envlock.export.bom.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("cyclonedx", "cyclonedx.model", "packageurl", "spdx_tools", "spdx_tools.spdx"):
        monkeypatch.setitem(sys.modules, name, None)
    ran = envlock("export", "sbom", lock=LOCK)
    assert ran.code == 3
    assert 'pip install "envlock[sbom]"' in ran.err
    assert envlock("export", "provenance").code == 0


def test_a_dockerfile_stands_in_the_projects_folder(envlock: Any, folder: Path) -> None:
    lock = dataclasses.replace(small_lock(package("aa")), image=IMAGE)
    ran = envlock("export", "docker", lock=lock)
    assert (ran.code, "docker build ." in ran.err) == (0, True), ran.err
    for name, content in DockerExporter().export(lock).items():
        assert (folder / name).read_bytes() == content
    assert envlock("export", "docker", "--check").code == 0


def test_what_was_changed_outside_the_marks_stays(envlock: Any, folder: Path) -> None:
    lock = dataclasses.replace(small_lock(package("aa")), image=IMAGE)
    envlock("export", "docker", lock=lock)
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "EXPOSE 8888\n")
    assert envlock("export", "docker", "--check").code == 0
    newer = dataclasses.replace(lock, image=dataclasses.replace(IMAGE, digest=f"sha256:{'3' * 64}"))
    ran = envlock("export", "docker", "--check", lock=newer)
    assert (ran.code, "Dockerfile" in ran.err) == (1, True)
    assert envlock("export", "docker").code == 0
    text = dockerfile.read_text()
    assert f"sha256:{'3' * 64} AS system" in text
    assert text.endswith("EXPOSE 8888\n")


def test_a_dockerfile_that_is_somebodys_own(envlock: Any, folder: Path) -> None:
    lock = dataclasses.replace(small_lock(package("aa")), image=IMAGE)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    ran = envlock("export", "docker", lock=lock)
    assert (ran.code, "was not made by envlock" in ran.err) == (2, True)
    assert not (folder / "compose.yaml").exists()
    assert envlock("export", "docker", "-o", "image").code == 0


def test_the_dockerfile_of_a_named_environment_needs_a_folder(envlock: Any, folder: Path) -> None:
    lock = dataclasses.replace(small_lock(package("aa")), image=IMAGE)
    (folder / "pylock.gpu.toml").write_text(codec.dump(lock))
    ran = envlock("export", "docker", "--name", "gpu")
    assert (ran.code, "--output docker-gpu" in ran.err) == (2, True)


def test_without_a_base_image_the_lines_to_add_are_shown(envlock: Any) -> None:
    ran = envlock("export", "docker", lock=LOCK)
    assert (ran.code, "[tool.envlock.image]" in ran.err) == (2, True)
