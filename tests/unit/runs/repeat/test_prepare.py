"""Where a repeat puts things, what it calls them, and what of a host it tells and sets."""

from __future__ import annotations

from typing import Any

import pytest

from envlock.runs.repeat.code import layout, real_name
from envlock.runs.repeat.host import host_differences, pins
from envlock.runs.repeat.prepare import moved, variables


@pytest.mark.parametrize(
    ("directory", "in_top", "root", "top", "work"),
    [
        (".", None, "/new", "/new", "/new"),
        ("src", None, "/new", "/new", "/new/src"),
        (".", ".", "/new", "/new", "/new"),
        (".", "analysis", "/new/analysis", "/new", "/new/analysis"),
        ("src", "analysis/src", "/new/analysis", "/new", "/new/analysis/src"),
        ("repo/src", "src", "/new", "/new/repo", "/new/repo/src"),
        ("repo", ".", "/new", "/new/repo", "/new/repo"),
    ],
)
def test_project_and_work_tree_lie_as_they_did(
    directory: str, in_top: str | None, root: str, top: str, work: str
) -> None:
    record: dict[str, Any] = {"command": {"directory": directory}, "code": {}}
    if in_top is not None:
        record["code"]["directory"] = in_top
    found = layout(record, "/new")
    assert (found.root, found.top, found.directory) == (root, top, work)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("/home/me/work/data.csv", "/new/data.csv"),
        ("--out=/home/me/work/a:/home/me/work/b", "--out=/new/a:/new/b"),
        ("/home/me/work", "/new"),
        ("/home/me/work2/data.csv", "/home/me/work2/data.csv"),
        ("/home/me/work.old", "/home/me/work.old"),
        ("/mnt/home/me/work/x", "/mnt/home/me/work/x"),
        ("/home/me/envs/a/bin/python", "/cache/a/bin/python"),
        ("work", "work"),
    ],
)
def test_arguments_name_the_new_folders(argument: str, expected: str) -> None:
    places = {"/home/me/work": "/new", "/home/me/envs/a": "/cache/a"}
    assert moved(argument, places) == expected


def test_names_that_are_no_utf_8() -> None:
    assert real_name("a\\udcff\\udc80.txt").encode("utf-8", "surrogateescape") == b"a\xff\x80.txt"
    assert real_name("a\\udc41") == "a\\udc41", "that escapes no byte"


def host(usable: int = 4, features: str = "avx avx2 fma", **variables: str) -> dict[str, Any]:
    cpu = {"usable": usable, "count": 8, "model": "A", "features": features}
    return {"cpu": cpu, "machine": "x86_64", "variables": variables, "time-zone": "UTC"}


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    found = host_differences({"host": one}, {"host": other})
    return {d.subject: (d.before, d.after) for d in found}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (host(), host(2), ("4", "2")),
        (host(OPENBLAS_NUM_THREADS="2"), host(2), None),
        (host(OMP_NUM_THREADS="3,2"), host(), ("3", "4")),
        (host(OMP_NUM_THREADS="3", OPENBLAS_NUM_THREADS="1"), host(), ("1", "4")),
        (host(OMP_NUM_THREADS="64"), host(), None),
        (host(OMP_NUM_THREADS="none"), host(), None),
    ],
)
def test_threads_are_compared_as_blas_takes_them(
    one: dict[str, Any], other: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    assert differences(one, other).get("BLAS threads") == expected


def test_the_likeliest_cause_stands_first_and_no_variable_twice() -> None:
    one = host(features="avx avx2 fma avx512f", LC_ALL="C", PYTHONHASHSEED="1", PATH="/a")
    other = host(2, LC_ALL="de_DE.UTF-8", TZ="Asia/Tokyo", PATH="/b", TMPDIR="/scratch")
    other["time-zone"] = "Asia/Tokyo"
    found = differences(one, other)
    assert list(found) == [
        "BLAS threads",
        "OpenMP threads",
        "CPU features",
        "processors",
        "locale",
        "time zone",
        "PYTHONHASHSEED",
    ]
    assert found["CPU features"] == ("avx512f", None)
    assert found["PYTHONHASHSEED"] == ("1", None)
    assert host_differences({"host": one}, {"host": one}) == ()


def test_what_is_pinned() -> None:
    then = {"host": host(2, features="avx avx2 fma", PYTHONHASHSEED="1", PATH="/old")}
    wide = "avx avx2 fma avx512f avx512bw avx512dq avx512cd avx512vl"
    found = pins(then, host(8, features=wide))
    assert found.processors == 2
    assert found.variables["PYTHONHASHSEED"] == "1"
    assert found.variables["OMP_NUM_THREADS"] is None, "as it was: not set"
    assert found.variables["OPENBLAS_CORETYPE"] == "Haswell"
    assert found.variables["TZ"] == "UTC"
    assert "PATH" not in found.variables
    assert found.told == ()
    now = {"OMP_NUM_THREADS": "9", "PATH": "/bin", "VIRTUAL_ENV": "/mine"}
    set_ = variables({}, now, prefix=None, pinned=found)
    assert "OMP_NUM_THREADS" not in set_
    assert (set_["PATH"], set_["PYTHONHASHSEED"]) == ("/bin", "1")
    assert "VIRTUAL_ENV" not in set_
    weaker = pins({"host": host(8, features=wide)}, host(2))
    assert weaker.processors is None
    assert weaker.variables["OMP_NUM_THREADS"] == "8"
    assert weaker.variables["OPENBLAS_CORETYPE"] is None
    assert len(weaker.told) == 2
    assert pins({}, host()).told == ("the record says nothing of its host",)


def test_the_locked_environment_stands_in_front_where_it_did() -> None:
    for how, front in (("program", True), ("VIRTUAL_ENV", True), ("project", False)):
        record = {"environment": {"python": {"found-by": how}}}
        found = variables(record, {"PATH": "/bin"}, prefix="/e", pinned=None)
        assert (found["PATH"] == "/e/bin:/bin") == front
        assert ("VIRTUAL_ENV" in found) == front
