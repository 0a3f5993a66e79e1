"""The lockfile's text: its shape, its order, and what each wrong file is told.

Round trips and damage at large are in tests/property/test_lock_codec.py and test_lock_damage.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import tomli
import tomli_w
from packaging.pylock import Pylock
from support.samples import (
    LINUX,
    MACOS,
    WINDOWS,
    digest,
    full_lock,
    package,
    sdist,
    small_lock,
    wheel,
)

from envlock.errors import SourceError, UsageError, VerificationError
from envlock.lock import codec
from envlock.lock.codec import NewerFormatError
from envlock.lock.hashing import environment_hash, request_digest
from envlock.lock.package import PythonPackage
from envlock.lock.target import Target

LOCK = full_lock()


def table() -> dict[str, Any]:
    return tomli.loads(codec.dump(LOCK))


def test_the_sample_comes_back_whole() -> None:
    assert codec.load(codec.dump(LOCK), where="x") == LOCK


def test_the_standard_part() -> None:
    found = table()
    tool = found.pop("tool")
    assert Pylock.from_dict(found)
    assert set(tool) == {"envlock"}
    assert found["lock-version"] == "1.0"
    assert found["created-by"] == "envlock"
    assert found["environments"] == sorted(t.marker for t in LOCK.targets)
    assert found["requires-python"] == ">=3.11,<3.13"
    assert (found["extras"], found["dependency-groups"]) == (["plot"], ["dev", "lint"])
    assert found["default-groups"] == ["dev", "lint"]


def test_a_package_has_what_pep_751_offers() -> None:
    [lib] = [p for p in table()["packages"] if p["name"] == "lib"]
    assert set(lib) == {
        "name", "version", "requires-python", "dependencies", "index", "sdist", "wheels",
    }  # fmt: skip
    assert lib["dependencies"] == [{"name": "old", "version": "1.0"}, {"name": "ze-1"}]
    assert set(lib["wheels"][0]) == {"name", "upload-time", "url", "size", "hashes"}
    assert lib["wheels"][0]["upload-time"].isoformat() == "2024-05-01T12:30:15.123456+00:00"


def test_the_tool_table() -> None:
    tool = table()["tool"]["envlock"]
    assert tool["format"] == 1
    assert tool["environment-hash"] == environment_hash(LOCK).root
    hashed = environment_hash(LOCK)
    assert tool["digests"] == {
        "python": hashed.python,
        "os": hashed.os,
        "toolchain": hashed.toolchain,
    }
    [linux, macos] = tool["interpreters"]
    assert macos["target"] == "macos/arm64@3.12.4"
    assert linux == {
        "target": "linux/amd64@3.11",
        "implementation": "cpython",
        "version": "3.11",
        "provider": "python-build-standalone 3.11.9+20240415",
        "standalone": {
            "version": "3.11.9",
            "build": "20240415",
            "url": "https://files.example.org/20240415/cpython-3.11.9.tar.gz",
            "size": 3000,
            "sha256": digest("9"),
        },
    }
    assert tool["request"]["digest"] == request_digest(LOCK.request)
    assert tool["request"]["requirements"][0] == "-e app @ file:."


def test_the_text_names_no_time_of_writing_and_says_who_made_it() -> None:
    text = codec.dump(LOCK)
    assert text.startswith("# Made by envlock")
    assert codec.dump(LOCK) == text


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([LINUX], ">=3.11,<3.12"),
        ([LINUX, MACOS, WINDOWS], ">=3.11,<3.13"),
        ([MACOS], ">=3.12,<3.13"),
        (
            [
                Target(platform="linux/amd64", python="3.9"),
                Target(platform="linux/amd64", python="3.10"),
            ],
            ">=3.9,<3.11",
        ),
    ],
)
def test_requires_python_covers_the_targets(targets: list[Target], expected: str) -> None:
    assert codec.requires_python(targets) == expected


def test_versions_and_markers_stay_as_they_are_written() -> None:
    entry = PythonPackage(
        name="pkg", version="1.0-1", marker="sys_platform=='linux'", sdist=sdist("pkg", "1.0.post1")
    )
    lock = small_lock(entry)
    assert codec.load(codec.dump(lock), where="x").packages == (entry,)


def test_a_file_name_is_read_from_its_place_when_it_is_not_stated() -> None:
    changed = table()
    [lib] = [p for p in changed["packages"] if p["name"] == "lib"]
    for wheel_table in lib["wheels"]:
        del wheel_table["name"]
        wheel_table["url"] = wheel_table["url"].replace("-", "%2D") + "?token=1#sha256=0"
    del lib["sdist"]["name"]
    lib["sdist"] |= {"path": "..\\files\\lib-2.1.tar.gz"}
    found = codec.load(tomli_w.dumps(changed), where="x")
    assert [f.name for f in found.package("lib")[0].files] == [
        f.name for f in LOCK.package("lib")[0].files
    ]


def test_what_pep_751_has_no_place_for_is_an_error_with_the_file() -> None:
    old = PythonPackage(name="old", version="1.0", sdist=replace(sdist("old", "1.0"), name="o.rpm"))
    with pytest.raises(SourceError, match=r"o\.rpm"):
        codec.dump(small_lock(old))


Edit = Callable[[dict[str, Any]], object]


def python_of(t: dict[str, Any]) -> dict[str, Any]:
    """The first target's archive of Python."""
    found: dict[str, Any] = t["tool"]["envlock"]["interpreters"][0]["standalone"]
    return found


def edited(edit: Edit) -> str:
    changed = copy.deepcopy(table())
    edit(changed)
    return tomli_w.dumps(changed)


def packages_of(t: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(p for p in t["packages"] if p["name"] == name)
    return found


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t["tool"]["envlock"].pop("as-of"), r"tool\.envlock\.as-of: expected an instant"),
        (
            lambda t: t["tool"]["envlock"]["request"].update(targets=["linux/mips@3.11"]),
            r"tool\.envlock\.request\.targets: .*linux/mips",
        ),
        (
            lambda t: t["tool"]["envlock"]["request"].update(requirements=["a b c"]),
            r"tool\.envlock\.request\.requirements\[0\]: expected a requirement",
        ),
        (
            lambda t: t["tool"]["envlock"]["interpreters"][1].update(version="3.12.5"),
            r"tool\.envlock\.interpreters\[1\]: expected .*3\.12\.4",
        ),
        (
            lambda t: t["tool"]["envlock"]["repaired-metadata"][0].pop("used"),
            r"tool\.envlock\.repaired-metadata\[0\]\.used: expected a text",
        ),
        (
            lambda t: packages_of(t, "lib")["wheels"][1]["hashes"].update(sha256="abc"),
            r"packages\[3\]\.wheels\[1\]\.hashes\.sha256: expected 64 lower-case hex digits",
        ),
        (
            lambda t: packages_of(t, "lib")["sdist"].update(hashes={"md5": "0" * 32}),
            r"packages\[3\]\.sdist\.hashes\.sha256",
        ),
        (
            lambda t: packages_of(t, "lib")["dependencies"][0].pop("name"),
            r"packages\[3\]\.dependencies\[0\]\.name",
        ),
        (
            lambda t: packages_of(t, "from-git")["vcs"].update(path="x", url=""),
            r"packages\[1\]\.vcs\.url: expected a text",
        ),
        (
            lambda t: t["packages"].append(copy.deepcopy(t["packages"][0])),
            r"packages\[6\]: expected one entry only for this version and marker of app",
        ),
        (
            lambda t: packages_of(t, "lib").update(marker="not a marker"),
            r"not a valid pylock\.toml: .*packages\[3\]\.marker",
        ),
        (lambda t: t.pop("packages"), r"not a valid pylock\.toml: .*packages"),
        (
            lambda t: t["tool"]["envlock"]["interpreters"][1].update(standalone=1),
            r"tool\.envlock\.interpreters\[1\]\.standalone: expected a table",
        ),
        (
            lambda t: python_of(t).update(version="3.12.0"),
            r"interpreters\[0\]\.standalone\.version: expected a release of CPython 3\.11",
        ),
        (
            lambda t: t["tool"]["envlock"]["interpreters"][1]["standalone"].update(
                version="3.12.5"
            ),
            r"interpreters\[1\]\.standalone\.version: expected a release of CPython 3\.12\.4",
        ),
        (
            lambda t: python_of(t).update(build="yesterday"),
            r"interpreters\[0\]\.standalone\.build: expected a day",
        ),
        (
            lambda t: python_of(t).update(url="https://me:secret@files.example.org/x.tar.gz"),
            r"interpreters\[0\]\.standalone\.url: expected an address without credentials",
        ),
        (
            lambda t: python_of(t).pop("sha256"),
            r"interpreters\[0\]\.standalone\.sha256: expected a text",
        ),
        (
            lambda t: python_of(t).update(size=True),
            r"interpreters\[0\]\.standalone\.size: expected a number of bytes",
        ),
        (
            lambda t: t["tool"]["envlock"]["request"].update(interpreter="conda"),
            r"tool\.envlock\.request\.interpreter: expected one of os, standalone",
        ),
        (
            lambda t: t["tool"]["envlock"]["os"]["packages"].append(
                t["tool"]["envlock"]["os"]["packages"][0] | {"version": "2"}
            ),
            r"tool\.envlock\.os\.packages\[5\]: expected one entry only for app of amd64",
        ),
    ],
)
def test_a_wrong_value_is_named_by_its_path(edit: Edit, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        codec.load(edited(edit), where="here/pylock.toml")
    assert caught.value.where == "here/pylock.toml"
    assert "envlock lock" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    "edit",
    [
        lambda t: packages_of(t, "lib")["wheels"][0]["hashes"].update(sha256="f" * 64),
        lambda t: packages_of(t, "ze-1").pop("marker"),
        lambda t: packages_of(t, "from-git")["vcs"].update({"commit-id": "d" * 40}),
        lambda t: packages_of(t, "old").pop("version"),
        lambda t: t["packages"].pop(),
        lambda t: t["tool"]["envlock"].update({"environment-hash": "env1-0"}),
        lambda t: t["tool"]["envlock"]["digests"].update(python="0"),
        lambda t: t["tool"]["envlock"]["digests"].pop("os"),
        lambda t: t["tool"]["envlock"].pop("os"),
        lambda t: t["tool"]["envlock"]["os"]["packages"].pop(),
        lambda t: python_of(t).update(sha256="f" * 64),
        lambda t: t["tool"]["envlock"]["interpreters"][1].pop("standalone"),
        lambda t: t["tool"]["envlock"]["request"].update(requirements=["lib"]),
        lambda t: t["tool"]["envlock"]["request"].pop("digest"),
    ],
)
def test_edited_content_does_not_match_its_digests(edit: Edit) -> None:
    with pytest.raises(VerificationError, match="edited or damaged"):
        codec.load(edited(edit), where="pylock.toml")


def test_a_mirrors_url_may_be_put_in() -> None:
    text = codec.dump(LOCK).replace("files.example.org", "mirror.example.org")
    assert environment_hash(codec.load(text, where="x")) == environment_hash(LOCK)


def test_another_tools_lock_is_recognized() -> None:
    with pytest.raises(UsageError, match="made by another tool"):
        codec.load(edited(lambda t: t.pop("tool")), where="x")


@pytest.mark.parametrize(
    "edit",
    [
        lambda t: t["tool"]["envlock"].update(format=2),
        lambda t: t.update({"lock-version": "2.0"}),
    ],
)
def test_a_newer_format_asks_for_an_upgrade(edit: Edit) -> None:
    with pytest.raises(NewerFormatError) as caught:
        codec.load(edited(edit), where="x")
    assert "pip install --upgrade envlock" in (caught.value.remedy or "")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_unfinished_merge_is_called_so(end: str) -> None:
    name = 'name = "lib"\n'
    before, after = codec.dump(LOCK).split(name, 1)
    marked = f'<<<<<<< HEAD\n{name}=======\nname = "other"\n>>>>>>> other branch\n'
    with pytest.raises(UsageError, match="unfinished merge") as caught:
        codec.load((before + marked + after).replace("\n", end), where="here/pylock.toml")
    line = before.count("\n") + 1
    assert caught.value.where == f"here/pylock.toml:{line}"
    assert "git checkout --ours pylock.toml" in (caught.value.remedy or "")


@pytest.mark.parametrize("wrong", [0, -1, True, 1.0, "1"])
def test_a_format_is_a_whole_number(wrong: object) -> None:
    with pytest.raises(UsageError, match=r"tool\.envlock\.format"):
        codec.load(edited(lambda t: t["tool"]["envlock"].update(format=wrong)), where="x")


def test_other_tools_tables_are_left_alone() -> None:
    text = edited(lambda t: t["tool"].update(other={"x": 1}))
    assert codec.load(text, where="x") == LOCK


def test_files_are_sorted_by_name() -> None:
    tags = ["py3-none-any", "cp311-cp311-win_amd64", "cp310-cp310-win_amd64"]
    wheels = tuple(wheel("pkg", "1.0", str(i), tag) for i, tag in enumerate(tags))
    entry = replace(package("pkg"), wheels=wheels)
    [written] = tomli.loads(codec.dump(small_lock(entry)))["packages"]
    assert [w["name"] for w in written["wheels"]] == sorted(w.name for w in wheels)
