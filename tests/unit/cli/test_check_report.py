"""``envlock check`` where no interpreter has to be asked: requests, missing environments, words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from support.samples import package, small_lock

from envlock.io.machine import machine_platform
from envlock.lock.model import Lock
from envlock.lock.target import Target

HERE = Target(platform=machine_platform(), python="3.11")


def lock_for_here(*wishes: str) -> Lock:
    lock = small_lock(package("aa"), wishes=wishes)
    request = dataclasses.replace(lock.request, targets=(HERE,))
    return dataclasses.replace(lock, targets=(HERE,), request=request)


def test_a_lock_that_answers_the_request(envlock: Any) -> None:
    ran = envlock("check", "--request-only", lock=lock_for_here("aa"))
    assert (ran.code, ran.out) == (0, "")
    assert "no drift" in ran.err


def test_a_changed_request_is_told_field_by_field(envlock: Any) -> None:
    ran = envlock("check", "--request-only", lock=lock_for_here("bb"))
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "the project has changed since it was locked",
        "  RQ001  stale  requirements  aa was added",
        "  RQ001  stale  requirements  bb was removed",
    ]
    assert "2 stale" in ran.err
    assert "envlock lock" in ran.err


def test_no_environment_is_drift_with_a_remedy(envlock: Any) -> None:
    ran = envlock("check", "--json", lock=lock_for_here("aa"))
    assert ran.code == 1
    assert ran.json["ok"] is False
    assert ran.json["drift"] == [
        {
            "code": "PY000",
            "name": "no-environment",
            "layer": "python",
            "subject": ".venv",
            "expected": "CPython 3.11",
            "found": None,
            "cause": None,
            "remedy": "envlock sync",
            "severity": "error",
        }
    ]


def test_a_lock_for_other_machines_only_is_an_error(envlock: Any) -> None:
    other = Target(platform="windows/arm64", python="3.11")
    lock = lock_for_here("aa")
    request = dataclasses.replace(lock.request, targets=(other,))
    ran = envlock(
        "check", "--python-only", lock=dataclasses.replace(lock, targets=(other,), request=request)
    )
    assert ran.code == 2
    assert "windows/arm64@3.11" in ran.err


@pytest.mark.parametrize(
    "options",
    [
        ("--prefix", "x", "--python", "y"),
        ("--request-only", "--python-only"),
        ("--request-only", "--prefix", "x"),
    ],
)
def test_options_that_exclude_one_another(envlock: Any, options: tuple[str, ...]) -> None:
    ran = envlock("check", *options, lock=lock_for_here("aa"))
    assert ran.code == 2
    assert "exclude one another" in ran.err


def test_without_a_lock(envlock: Any) -> None:
    ran = envlock("check")
    assert ran.code == 2
    assert "there is no lock yet" in ran.err


def test_what_the_project_accepts_is_no_drift(envlock: Any, folder: Path) -> None:
    (folder / "envlock.toml").write_text(
        'requirements = ["requirements.in"]\n[check]\nignore = [\n'
        '  { code = "RQ001", subject = "requirements", reason = "half done" },\n'
        '  { code = "RQ001", subject = "extras", reason = "never there" },\n'
        '  { code = "PY002", subject = "x", reason = "not compared here" },\n]\n'
    )
    ran = envlock("check", "--request-only", lock=lock_for_here("bb"))
    assert (ran.code, ran.out) == (0, "")
    assert "2 ignored" in ran.err
    assert "envlock.toml:5: ignores RQ001 extras, which is not there" in ran.err
    assert "PY002" not in ran.err
    table = envlock("check", "--request-only", "--json").json
    assert table["ok"]
    assert [entry["reason"] for entry in table["ignored"]] == ["half done"] * 2
    assert [entry["subject"] for entry in table["unused-ignores"]] == ["extras"]


def test_a_warning_is_told_and_does_not_fail(envlock: Any, folder: Path) -> None:
    (folder / "envlock.toml").write_text(
        'requirements = ["requirements.in"]\n[check.severity]\nRQ001 = "warning"\n'
    )
    ran = envlock("check", "--request-only", lock=lock_for_here("bb"))
    assert ran.code == 0
    assert "aa was added (warning)" in ran.out


def test_an_unknown_code_in_the_settings_is_refused(envlock: Any, folder: Path) -> None:
    (folder / "envlock.toml").write_text(
        'requirements = ["requirements.in"]\n[check.severity]\nPY999 = "note"\n'
    )
    ran = envlock("check", lock=lock_for_here("aa"))
    assert ran.code == 2
    assert "envlock.toml:3" in ran.err
