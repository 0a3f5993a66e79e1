"""``envlock export`` writes, compares, and says which formats it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.samples import LINUX, package, small_lock

from envlock.export.requirements import FILE, RequirementsExporter

LOCK = small_lock(package("aa"), package("mac", marker="sys_platform == 'darwin'"))
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
    assert ran.out.encode() == RequirementsExporter().export(LOCK, LINUX)[FILE]
    assert "mac" not in ran.out
    other = envlock("export", "requirements", "--target", "windows/amd64@3.12")
    assert other.code == 2
    assert LINUX.key in other.err


def test_an_unknown_format_lists_the_known(envlock: Any) -> None:
    ran = envlock("export", "docker", lock=LOCK)
    assert ran.code == 2
    assert "unknown format 'docker'" in ran.err
    assert "known: requirements" in ran.err


def test_check_and_json_need_a_file(envlock: Any) -> None:
    assert envlock("export", "requirements", "--check", lock=LOCK).code == 2
    assert envlock("export", "requirements", "--json", "-o", "-").code == 2


def test_a_folder_that_is_not_there(envlock: Any) -> None:
    ran = envlock("export", "requirements", "-o", "no/where.txt", lock=LOCK)
    assert ran.code == 3
    assert "no/where.txt" in ran.err
