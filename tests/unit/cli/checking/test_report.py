"""``envlock check`` where no interpreter has to be asked: requests, missing environments, words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from support.samples import package, small_lock

from envlock.check.report.outcome import FORMATS
from envlock.cli.checking.report import package_lines
from envlock.io.machine import machine_platform
from envlock.lock import codec
from envlock.lock.model import Lock
from envlock.lock.target import Target

JSON = (("--json",), ("--format", "json"))
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
            "ids": [],
            "cause": None,
            "diff": None,
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


@pytest.mark.parametrize("form", ["table", *FORMATS])
def test_every_format_goes_to_a_file_or_stdout(envlock: Any, folder: Path, form: str) -> None:
    lock = lock_for_here("bb")
    arguments = ("check", "--request-only", "--format", form)
    to_stdout = envlock(*arguments, lock=lock)
    assert to_stdout.code == 1
    to_file = envlock(*arguments, "-o", "out")
    assert (to_file.code, to_file.out) == (1, "")
    assert (folder / "out").read_text() == to_stdout.out
    assert envlock(*arguments, "-o", "-").out == to_stdout.out


def test_a_file_that_cannot_be_written(envlock: Any) -> None:
    ran = envlock("check", "--request-only", "-o", "no/where", lock=lock_for_here("bb"))
    assert ran.code == 3
    assert "no/where" in ran.err


def test_json_is_one_of_the_formats(envlock: Any) -> None:
    lock = lock_for_here("bb")
    both = [envlock("check", "--request-only", *form, lock=lock).out for form in JSON]
    assert both[0] == both[1]
    assert envlock("check", "--json", "--format", "sarif").code == 2
    assert envlock("check", "--format", "pdf").code == 2


def test_long_tables_are_cut_unless_all_is_asked_for(envlock: Any) -> None:
    wishes = [f"wish{number}" for number in range(30)]
    lock = lock_for_here(*wishes)
    out = envlock("check", "--request-only", lock=lock).out
    assert out.count("RQ001") == 20
    assert out.endswith("… and 11 more: --verbose shows all\n")
    assert envlock("check", "--request-only", "--verbose").out.count("RQ001") == 31


def test_verbose_shows_notes_and_what_is_accepted(envlock: Any, folder: Path) -> None:
    (folder / "envlock.toml").write_text(
        'requirements = ["requirements.in"]\n[check]\nseverity = { RQ001 = "note" }\n'
        'ignore = [{ code = "RQ001", subject = "extras", reason = "x" }]\n'
    )
    lock = lock_for_here("bb")
    lock = dataclasses.replace(lock, request=dataclasses.replace(lock.request, extras=("plot",)))
    quiet = envlock("check", "--request-only", lock=lock)
    assert (quiet.code, quiet.out) == (0, "")
    verbose = envlock("check", "--request-only", "--verbose")
    assert "aa was added (note)" in verbose.out
    assert "accepted\n  RQ001  stale  extras  x\n" in verbose.out


def test_the_line_of_a_package() -> None:
    text = codec.dump(small_lock(package("aa"), package("bb")))
    lines = text.splitlines()
    for name, number in package_lines(text).items():
        assert lines[number - 1] == f'name = "{name}"'
    assert set(package_lines(text)) == {"aa", "bb"}


def _edited(folder: Path, before: str, after: str) -> None:
    path = folder / "pylock.toml"
    assert path.read_text().count(before) >= 1
    path.write_text(path.read_text().replace(before, after, 1))


def test_a_pin_bumped_by_hand_is_told_alone_with_its_package(envlock: Any, folder: Path) -> None:
    (folder / "pylock.toml").write_text(codec.dump(lock_for_here("bb")))
    _edited(folder, '"aa"\nversion = "1.0"\n', '"aa"\nversion = "1.1"\n')
    ran = envlock("check", "--json")
    assert (ran.code, ran.json["compared"]) == (1, ["request"])
    [found] = ran.json["drift"]
    told = ("RQ002", "aa", "1.0", "1.1")
    assert (found["code"], found["subject"], found["expected"], found["found"]) == told
    ran = envlock("check", "--format", "github")
    line = package_lines((folder / "pylock.toml").read_text())["aa"]
    assert (
        f"file=pylock.toml,line={line},title=RQ002 lock-edited::aa: its version is 1.1" in ran.out
    )
    assert envlock("sync").code == 2


def test_an_edited_digest_is_told_with_the_part_it_is_in(envlock: Any, folder: Path) -> None:
    (folder / "pylock.toml").write_text(codec.dump(lock_for_here("aa")))
    _edited(folder, "a" * 64, "a" * 63 + "0")
    [found] = envlock("check", "--json").json["drift"]
    assert (found["code"], found["subject"]) == ("RQ002", "pylock.toml")
    assert found["cause"] == "edited: python"
    out = envlock("check").out.splitlines()
    assert out[0] == "the lock was edited, so nothing was compared with it"


def test_an_edited_lock_cannot_be_accepted(envlock: Any, folder: Path) -> None:
    (folder / "pylock.toml").write_text(codec.dump(lock_for_here("aa")))
    _edited(folder, '"aa"\nversion = "1.0"\n', '"aa"\nversion = "1.1"\n')
    (folder / "requirements.in").rename(folder / "kept.in")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["aa"]\n'
        '[tool.envlock.check]\nseverity = { RQ002 = "note" }\n'
    )
    ran = envlock("check")
    assert (ran.code, "not consistent with package version" in ran.err) == (2, True)
    assert envlock("check", "--portable").code == 2
